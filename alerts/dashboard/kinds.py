"""The kinds of rules as the editor offers them: a sentence whose numbers are fields, and the config they make."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.conf import settings

from alerts.configs import MAX_LLM_WINDOW_SECS, MAX_WINDOW_SECS, Config, ConfigInvalid, parse_config
from alerts.dashboard.fields import SpanField, number, text, whole
from alerts.models import RuleType
from projects.dashboard.forms import RefusableForm, sentence

PERCENTILES = (("p50", "p50"), ("p90", "p90"), ("p95", "p95"), ("p99", "p99"))
METHODS = (
    (
        "seasonal",
        "Unusual for this hour",
        "Each error is compared with the same hours of other days and weeks. Nights and Mondays do not matter.",
    ),
    ("rate", "Faster than just before", "All errors together, as many times as fast as in the time before."),
)


class ParamsForm(RefusableForm):
    """The numbers of a kind; `type` tags the config they make."""

    type: ClassVar[str]

    def read(self) -> Config | None:
        """The config; None with the reason shown. Call it once it is valid."""
        try:
            return parse_config({"type": self.type, **self.cleaned_data})
        except ConfigInvalid as reason:
            self.add_error(None, sentence(str(reason).removeprefix("config: ").removeprefix("config.")))
            return None


class NewIssueForm(ParamsForm):
    type = RuleType.NEW_ISSUE
    environment = text("Environment it is new in", "any environment")


class ThresholdForm(ParamsForm):
    type = RuleType.THRESHOLD
    threshold = whole("Events", initial=100)
    window_secs = SpanField("Window", most=MAX_WINDOW_SECS, initial=300)
    fingerprint = text("Fingerprint of one error", "all errors")
    route = text("Route", "any route")


class SpikeForm(ParamsForm):
    """By the hour of the week, unless somebody wants the contract's rate; then the numbers count."""

    type = RuleType.SPIKE
    method = forms.ChoiceField(choices=[(value, label) for value, label, _ in METHODS], initial="seasonal")
    multiplier = number("Times as fast", initial=3, required=False)
    compare_window_secs = SpanField("Recent window", most=MAX_WINDOW_SECS, initial=300, required=False)
    baseline_window_secs = SpanField("Window before", most=MAX_WINDOW_SECS, initial=3_600, required=False)

    def clean(self) -> dict[str, Any]:
        """Numbers that do not count need not be filled in."""
        data = self.cleaned_data
        usual = {"multiplier": 3.0, "compare_window_secs": 300, "baseline_window_secs": 3_600}
        for name, value in usual.items():
            if data.get(name) in (None, 0, 0.0) and data.get("method") == "seasonal":
                data[name] = value
        return data


class CostForm(ParamsForm):
    type = RuleType.LLM_COST_SPIKE
    threshold_dollars = number("Dollars", initial=10)
    window_secs = SpanField("Window", most=MAX_LLM_WINDOW_SECS, initial=3_600)
    model_filter = text("Model", "any model")


class ErrorRateForm(ParamsForm):
    type = RuleType.LLM_ERROR_RATE
    threshold_percent = number("Percent", most=100, initial=10)
    window_secs = SpanField("Window", most=MAX_LLM_WINDOW_SECS, initial=3_600)
    min_traces = whole("Calls at least", initial=10)


class LatencyForm(ParamsForm):
    type = RuleType.LLM_LATENCY
    percentile = forms.ChoiceField(
        choices=PERCENTILES, initial="p95", widget=forms.Select(attrs={"aria-label": "Percentile"})
    )
    threshold_ms = whole("Milliseconds", initial=5_000)
    window_secs = SpanField("Window", most=MAX_LLM_WINDOW_SECS, initial=900)
    model_filter = text("Model", "any model")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        kept = (options.get("initial") or {}).get("percentile")
        chosen = self.fields["percentile"]
        if kept and isinstance(chosen, forms.ChoiceField) and kept not in dict(PERCENTILES):
            chosen.choices = [(kept, kept), *PERCENTILES]  # what the API was told stays choosable


class BudgetForm(ParamsForm):
    type = RuleType.LLM_BUDGET


@dataclass(frozen=True)
class Kind:
    """sentence: words and, as {name}, fields. example: what it is for, in a line."""

    form: type[ParamsForm]
    label: str
    example: str
    sentence: str
    is_llm: bool = False
    methods: tuple[tuple[str, str, str], ...] = field(default=())

    @property
    def type(self) -> str:
        return str(self.form.type)


KINDS: Mapping[str, Kind] = {
    kind.type: kind
    for kind in (
        Kind(
            NewIssueForm,
            "New error",
            "Something broke that never broke before, or broke again",
            "When an error is seen for the first time in {environment} or comes back after it was resolved",
        ),
        Kind(
            ThresholdForm,
            "Many errors",
            "More than 100 in 5 minutes",
            "When {fingerprint} on {route} happen more than {threshold} times in {window_secs}",
        ),
        Kind(
            SpikeForm,
            "Spike",
            "Far more than usual at this hour",
            "When errors come more than {multiplier} times as fast in the last {compare_window_secs} as in the"
            " {baseline_window_secs} before",
            methods=METHODS,
        ),
        Kind(
            CostForm,
            "LLM cost",
            "More than $10 in an hour",
            "When LLM calls to {model_filter} cost more than $ {threshold_dollars} in {window_secs}",
            is_llm=True,
        ),
        Kind(
            ErrorRateForm,
            "LLM failures",
            "More than 10 % of calls fail",
            "When more than {threshold_percent} % of LLM calls fail in {window_secs} of at least {min_traces}",
            is_llm=True,
        ),
        Kind(
            LatencyForm,
            "LLM latency",
            "The slowest calls take too long",
            "When the {percentile} latency of LLM calls to {model_filter} is above {threshold_ms} ms in {window_secs}",
            is_llm=True,
        ),
        Kind(
            BudgetForm,
            "LLM budget",
            "The month’s budget is nearly used",
            "When a project has used as much of its monthly LLM budget as it set itself to be warned at",
            is_llm=True,
        ),
    )
}


def offered_kinds() -> list[Kind]:
    """The kinds a new rule may be of; those about LLM only while it is switched on."""
    return [kind for kind in KINDS.values() if settings.BLOOP.llm_tracing.enabled or not kind.is_llm]


@dataclass(frozen=True)
class Piece:
    """Words of a sentence, or a field of it."""

    words: str = ""
    field: Any = None


def pieces_of(kind: Kind, form: ParamsForm) -> list[Piece]:
    """The kind's sentence with the form's fields in it."""
    pieces = []
    for index, part in enumerate(kind.sentence.replace("}", "{").split("{")):
        if index % 2:
            pieces.append(Piece(field=form[part]))
        elif part.strip():
            pieces.append(Piece(words=part.strip()))
    return pieces
