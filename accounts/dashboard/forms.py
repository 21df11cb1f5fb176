"""The one form of the accounts pages."""

from typing import Any

from django import forms


class InviteForm(forms.Form):
    username = forms.CharField(
        max_length=64,
        label="Your name here",
        help_text="Letters, digits and . @ + - _",
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True, "spellcheck": "false"}),
    )

    def refuse(self, reason: Any) -> None:
        """Show why the service did not take the name."""
        self.add_error("username", str(reason))
