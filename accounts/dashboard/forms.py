"""The forms of the pages on which people get in."""

from typing import Any

from django import forms


def name_field(*, label: str, help_text: str = "", **more: Any) -> forms.CharField:
    """A person's name, as browsers remember it."""
    attrs = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
    return forms.CharField(max_length=64, label=label, help_text=help_text, widget=forms.TextInput(attrs=attrs), **more)


class NewNameForm(forms.Form):
    """The name somebody chooses when they join."""

    username = name_field(label="Your name here", help_text="Letters, digits and . @ + - _")

    def refuse(self, reason: Any) -> None:
        """Show why the service did not take the name."""
        self.add_error("username", str(reason))


class SetupForm(NewNameForm):
    """The first admin's, where the settings ask for a token. Only drawn: passkey.js sends it."""

    setup_token = forms.CharField(
        label="Setup token",
        help_text="The one in Bloop's settings, auth.setup_token",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "mono"}),
    )


class SignInForm(forms.Form):
    """Only drawn: passkey.js sends it."""

    username = name_field(label="Your name", help_text="May stay empty: your device knows you.", required=False)

    def __init__(self, *, offers: bool) -> None:
        """offers: whether passkey.js has the browser offer passkeys in the field."""
        super().__init__()
        if offers:
            self.fields["username"].widget.attrs["autocomplete"] = "username webauthn"


class CodeForm(forms.Form):
    """A recovery code; upper case, blanks and dashes do not matter."""

    code = forms.CharField(
        max_length=64,
        label="Recovery code",
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "class": "mono"}
        ),
    )


class RecoveryForm(CodeForm):
    """A name and a recovery code; what is wrong of the two is not told."""

    field_order = ("username", "code")
    username = name_field(label="Your name")
