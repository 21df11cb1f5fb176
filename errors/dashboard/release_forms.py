"""What the pages of releases take from their query strings."""

from django import forms

from errors.queries.release_issues import TABS

DEFAULTS = {"tab": "new"}


class ReleaseListForm(forms.Form):
    q = forms.CharField(max_length=256, required=False)

    def text(self) -> str:
        """What names are searched for; what does not validate searches for nothing."""
        found: str = self.cleaned_data.get("q", "") if self.is_valid() else ""
        return found


class ReleaseForm(forms.Form):
    """tab: which of the release's issues."""

    tab = forms.ChoiceField(choices=[(name, name) for name in TABS], required=False)

    def value(self, name: str) -> str:
        """A field's checked value; what does not validate counts as its default."""
        self.is_valid()
        found: str = self.cleaned_data.get(name) or DEFAULTS[name]
        return found
