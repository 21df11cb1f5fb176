"""The filters of the issue list, kept in the query string."""

from django import forms

from errors.queries.issues import IssueFilter

STATUSES = (
    ("unresolved", "Unresolved"),
    ("resolved", "Resolved"),
    ("ignored", "Ignored"),
    ("muted", "Muted"),
    ("all", "All statuses"),
)
SORTS = (("last_seen", "Last seen"), ("first_seen", "First seen"), ("total_count", "Events"))
DEFAULTS = {"status": "unresolved", "sort": "last_seen"}


def search_input(placeholder: str) -> forms.TextInput:
    """A text input that browsers do not correct."""
    return forms.TextInput(attrs={"placeholder": placeholder, "autocomplete": "off", "spellcheck": "false"})


class IssueFilterForm(forms.Form):
    status = forms.ChoiceField(choices=STATUSES, required=False, label="Status")
    release = forms.CharField(
        max_length=256, required=False, strip=True, label="Release", widget=search_input("Release")
    )
    environment = forms.CharField(
        max_length=128, required=False, label="Environment", widget=search_input("Environment")
    )
    source = forms.CharField(max_length=32, required=False, label="Source", widget=search_input("Source"))
    route = forms.CharField(max_length=1024, required=False, label="Route", widget=search_input("Route"))
    q = forms.CharField(max_length=200, required=False, label="Search", widget=search_input("Search errors"))
    sort = forms.ChoiceField(choices=SORTS, required=False, label="Sort by")

    def value(self, name: str) -> str:
        """A field's checked value; what does not validate counts as its default."""
        found: str = self.cleaned_data.get(name) or DEFAULTS.get(name, "")
        return found

    def filters(self) -> IssueFilter:
        """What the query gets. The form must have been validated."""
        status = self.value("status")
        return IssueFilter(
            status="" if status == "all" else status,
            release=self.value("release"),
            environment=self.value("environment"),
            source=self.value("source"),
            route=self.value("route"),
            text=self.value("q"),
            sort=self.value("sort"),
        )
