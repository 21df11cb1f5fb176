"""The filters of the Traces page, kept in the query string (contract 8.4)."""

from decimal import Decimal

from django import forms

from llmtraces.queries.traces import TraceFilter

STATUSES = (("", "Any"), ("completed", "Completed"), ("running", "Running"), ("error", "Error"))
SORTS = (
    ("newest", "Newest"),
    ("oldest", "Oldest"),
    ("most_expensive", "Most expensive"),
    ("slowest", "Slowest"),
    ("tokens_desc", "Most tokens"),
)
SYNONYMS = {"cost_desc": "most_expensive", "latency_desc": "slowest"}
MAX_DOLLARS = Decimal(10**12)
MAX_MS = 10**15
CONTROLS = (
    "status",
    "has_error",
    "session_id",
    "user_id",
    "prompt_name",
    "prompt_version",
    "min_cost",
    "min_latency",
    "sort",
)


def words(label: str) -> forms.CharField:
    """A field of an id or a name, as clients sent it: nothing is stripped from it."""
    plain = {"autocomplete": "off", "spellcheck": "false", "placeholder": "Any"}
    return forms.CharField(
        max_length=512, required=False, strip=False, label=label, widget=forms.TextInput(attrs=plain)
    )


class TraceFilterForm(forms.Form):
    status = forms.CharField(max_length=128, required=False, label="Status")
    # The contract's name is also a method of forms; fields are taken out of the class, so both are there.
    has_error = forms.BooleanField(required=False, label="With errors")  # type: ignore[assignment]
    session_id = words("Session")
    user_id = words("User")
    prompt_name = words("Prompt")
    prompt_version = words("Version")
    min_cost = forms.DecimalField(min_value=0, max_value=MAX_DOLLARS, required=False, label="Cost from, $")
    min_latency = forms.IntegerField(min_value=0, max_value=MAX_MS, required=False, label="Latency from, ms")
    sort = forms.CharField(max_length=32, required=False, label="Sort by")

    def filters(self) -> TraceFilter:
        """What the query gets; what does not validate narrows nothing. The form must have been validated."""
        found = self.cleaned_data
        cost = found.get("min_cost")
        return TraceFilter(
            **{name: found.get(name) or "" for name in CONTROLS[:1] + CONTROLS[2:6]},
            min_cost_micros=None if cost is None else int(cost * 1_000_000),
            min_latency_ms=found.get("min_latency"),
            has_error=bool(found.get("has_error")),
            sort=self.order,
        )

    @property
    def order(self) -> str:
        """The order, one of SORTS; unknown ones are "newest" (contract 8.4)."""
        wanted = str(self.cleaned_data.get("sort") or "")
        wanted = SYNONYMS.get(wanted, wanted)
        return wanted if wanted in dict(SORTS) else "newest"
