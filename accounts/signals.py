"""What happens to accounts, told to apps above: they connect, accounts imports none of them."""

from django.dispatch import Signal

# Sent inside the transaction that uses an invite up, with `invite: Invite` and `user: User`, just made.
invite_accepted = Signal()
