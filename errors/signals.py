"""What others may hear of errors. Sent after commit, in the process that wrote; nobody may rely on it."""

from django.dispatch import Signal

# Events were folded. occasions: how many rows for alert rules were written with them.
events_folded = Signal()
