"""The forms of rules and channels beside a kind's own numbers: they check shape; services decide."""

from collections.abc import Sequence
from typing import Any

from django import forms

from alerts.channels.base import Field
from alerts.channels.registry import FIELDS, ChannelInvalid, parse_channel
from alerts.dashboard.fields import SpanField, text
from alerts.models import ChannelType
from alerts.services.rules import MAX_COOLDOWN_SECS, MAX_DESCRIPTION, MAX_NAME
from projects.dashboard.forms import TOO_LONG, RefusableForm

PLAIN = {"autocomplete": "off", "spellcheck": "false"}
LATER = ""  # no channel yet
KIND_WORDS = dict(ChannelType.choices)


class RuleForm(RefusableForm):
    """projects: slugs and names to choose from, "" for all; None for a rule that has its project for good."""

    name = forms.CharField(
        max_length=MAX_NAME,
        label="Name",
        help_text="Heads every message.",
        widget=forms.TextInput(attrs=PLAIN),
        error_messages={"required": "Give it a name.", "max_length": TOO_LONG},
    )
    project = forms.ChoiceField(label="Holds for", required=False)
    environment_filter = text("Environment", "any environment")
    source_filter = text("Source", "any source")
    cooldown_secs = SpanField("Quiet for", most=MAX_COOLDOWN_SECS, required=False)
    description = forms.CharField(
        max_length=MAX_DESCRIPTION,
        required=False,
        label="Note",
        help_text="For whoever is told: what to look at first, whom to ask.",
        widget=forms.Textarea(attrs={"rows": 2, "dir": "auto"}),
        error_messages={"max_length": TOO_LONG},
    )

    def __init__(self, *args: Any, projects: Sequence[tuple[str, str]] | None, **options: Any) -> None:
        super().__init__(*args, **options)
        if projects is None:
            del self.fields["project"]
            return
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101  told to the type checker
        chosen.choices = list(projects)
        self.offered = dict(projects)

    def clean_project(self) -> str:
        """One of those offered: an empty one is a choice of admins, not the lack of one."""
        slug: str = self.cleaned_data["project"]
        if slug not in self.offered:
            msg = "Choose a project."
            raise forms.ValidationError(msg)
        return slug


class ChannelForm(RefusableForm):
    """A kind of channel and the fields of every kind, of which only the chosen one's are read.

    may_wait: whether no channel is a choice too.
    """

    channel_type = forms.ChoiceField(
        error_messages={"required": "Choose where to.", "invalid_choice": "Choose where to."}
    )

    def __init__(self, *args: Any, may_wait: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        kinds = [(kind, KIND_WORDS[kind]) for kind in FIELDS]
        chosen = self.fields["channel_type"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101  told to the type checker
        chosen.choices = [*([(LATER, "Later")] if may_wait else []), *kinds]
        chosen.required = not may_wait
        for kind, each in FIELDS.items():
            for field in each:
                self.fields[f"{kind}-{field.name}"] = channel_field(field)

    @property
    def panels(self) -> list[tuple[str, str, list[Any], bool]]:
        """Each kind with its label, its fields, and whether it is the chosen one."""
        chosen = self["channel_type"].value() or LATER
        choices = self.fields["channel_type"].choices  # type: ignore[attr-defined]
        return [
            (kind, label, [self[f"{kind}-{each.name}"] for each in FIELDS.get(kind, ())], kind == chosen)
            for kind, label in choices
        ]

    def clean(self) -> None:
        """What the chosen kind refuses is said at its first field, before anything is saved."""
        kind = self.cleaned_data.get("channel_type", LATER)
        try:
            if kind != LATER:
                parse_channel(self.raw())
        except ChannelInvalid as reason:
            self.refuse(f"{kind}-{FIELDS[kind][0].name}", reason)

    def raw(self) -> dict[str, str] | None:
        """The config as a client would send it; None when there is to be none yet."""
        kind = self.cleaned_data["channel_type"]
        if kind == LATER:
            return None
        given = {each.name: self.cleaned_data.get(f"{kind}-{each.name}", "") for each in FIELDS[kind]}
        return {"type": kind, **{name: value for name, value in given.items() if value}}


def channel_field(field: Field) -> forms.CharField:
    """A field of a kind of channel."""
    return forms.CharField(
        label=field.label if field.is_required else f"{field.label} (optional)",
        help_text=field.help,
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": field.placeholder, "autocapitalize": "none"}),
        error_messages={"max_length": TOO_LONG},
    )
