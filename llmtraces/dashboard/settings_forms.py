"""The forms of a project's LLM settings: they check shape; services decide."""

from typing import Any

from django import forms

from llmtraces.masking import KINDS, MAX_EXPRESSION, MAX_EXPRESSIONS
from llmtraces.models.settings import Policy
from projects.dashboard.forms import RefusableForm

MICROS = 1_000_000
POLICIES = (
    (
        Policy.NONE,
        "Nothing",
        "Inputs, outputs and metadata are dropped before anything is written. Tokens, costs and times stay.",
    ),
    (
        Policy.METADATA_ONLY,
        "Metadata only",
        "Metadata is kept, which retrieval statistics need; inputs and outputs are dropped.",
    ),
    (Policy.FULL, "Everything", "Inputs, outputs and metadata are kept, masked as below."),
)
MASK_WORDS = {
    "email": "ann@example.com",
    "card": "13 to 19 digits that end on their check digit",
    "phone": "+49 170 1234567, (555) 123-4567",
    "key": "sk-…, ghp_…, AKIA…, private keys, and what follows token= or Bearer",
}
PLAIN = {"autocomplete": "off", "spellcheck": "false"}
WINDOWS = (
    ("24", "Last 24 hours"),
    ("168", "Last 7 days"),
    ("720", "Last 30 days"),
    ("2160", "Last 90 days"),
    ("0", "All that is kept"),
)


class PolicyForm(RefusableForm):
    policy = forms.ChoiceField(choices=Policy.choices)


class MaskingForm(RefusableForm):
    """kinds: what is known; expressions: one a line; sample: a text to try them on, which is not kept."""

    kinds = forms.MultipleChoiceField(
        choices=[(kind, label) for kind, (label, _) in KINDS.items()], required=False, label="What is known"
    )
    expressions = forms.CharField(
        required=False,
        strip=False,
        label="Expressions of your own",
        help_text=(
            f"One a line, at most {MAX_EXPRESSIONS} of {MAX_EXPRESSION} characters, in RE2's syntax: no look-around,"
            " no back-references. Each match becomes [masked]."
        ),
        widget=forms.Textarea(attrs={**PLAIN, "rows": 4, "dir": "auto"}),
    )
    sample = forms.CharField(
        required=False,
        max_length=20_000,
        label="Try it",
        help_text="What a text like this would become; it is not kept.",
        widget=forms.Textarea(attrs={**PLAIN, "rows": 3, "dir": "auto", "placeholder": "Call me: +49 170 1234567"}),
    )

    def clean_expressions(self) -> list[str]:
        """One a line."""
        text: str = self.cleaned_data["expressions"]
        return [line for line in text.replace("\r", "").split("\n") if line.strip()]


class BudgetForm(RefusableForm):
    dollars = forms.DecimalField(
        min_value=0,
        max_value=1_000_000_000,
        decimal_places=2,
        label="Dollars a month",
        help_text="0 for no budget.",
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    threshold = forms.IntegerField(
        min_value=1,
        max_value=100,
        label="Warn at, in percent",
        widget=forms.NumberInput(attrs={"inputmode": "numeric"}),
    )


class PriceForm(RefusableForm):
    """Dollars for a million tokens."""

    model = forms.CharField(
        max_length=512,
        label="Model",
        help_text="Exactly as spans say it.",
        widget=forms.TextInput(attrs={**PLAIN, "list": "llm-models"}),
    )
    provider = forms.CharField(required=False, max_length=512, label="Provider", widget=forms.TextInput(attrs=PLAIN))
    input = forms.DecimalField(
        min_value=0,
        label="Input, $ per million",
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    output = forms.DecimalField(
        min_value=0,
        label="Output, $ per million",
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    project = forms.ChoiceField(required=False, label="Holds for")

    def __init__(self, *args: Any, projects: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101  told to the type checker
        chosen.choices = projects


class RecalculateForm(RefusableForm):
    hours = forms.ChoiceField(choices=WINDOWS, label="Traces of the", initial="720")
