"""The forms of the settings pages: they check shape; services decide, and their refusals are shown at the field."""

from typing import Any

from django import forms

from accounts.models import Role
from projects.models import Grouping
from projects.retention import MAX_DAYS, MIN_DAYS
from projects.scopes import SCOPES

TOO_LONG = "At most %(limit_value)d characters; this has %(show_value)d."
NAME = {"autocomplete": "off", "spellcheck": "false"}
GRACES = (
    ("86400", "1 day"),
    ("604800", "7 days"),
    ("3600", "1 hour"),
    ("0", "None: the old key stops at once"),
)
EXPIRIES = (("30", "30 days"), ("90", "90 days"), ("365", "1 year"), ("", "Never"))
V1_WORDS = "As the original Bloop: by type, route, message without ids and numbers, and the first frame of the stack."
V2_WORDS = (
    "Also without e-mail addresses, hashes and query strings, and by the frame of your own code whatever its build: "
    "fewer bugs are split over several issues."
)
GROUPINGS = ((Grouping.V1, "v1", V1_WORDS), (Grouping.V2, "v2", V2_WORDS))
SCOPE_MEANINGS = {
    "errors:read": "Read issues, events, trends and statistics",
    "errors:write": "Resolve, ignore, mute and reopen issues",
    "alerts:read": "Read alert rules and channels",
    "alerts:write": "Make and change alert rules and channels",
    "sourcemaps:read": "List source maps",
    "sourcemaps:write": "Upload and delete source maps",
    "sourcemaps:upload": "The same, under the name some build tools use",
    "analytics:read": "Read spikes, movers and releases",
    "llm:read": "Read LLM traces, costs and settings",
    "llm:write": "Write LLM scores, feedback and settings",
}


def sentence(reason: object) -> str:
    """A service's text as a sentence: "name is required" -> "Name is required."."""
    text = str(reason)
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")


class RefusableForm(forms.Form):
    """A form that can show why a service refused what looked right."""

    def refuse(self, field: str | None, reason: object) -> None:
        """Show the reason at `field`, or above the form."""
        self.add_error(field, sentence(reason))


class ProjectForm(RefusableForm):
    name = forms.CharField(
        max_length=100,
        label="Name",
        widget=forms.TextInput(attrs={**NAME, "data-slug-from": ""}),
        error_messages={"required": "Give it a name.", "max_length": TOO_LONG},
    )
    slug = forms.RegexField(
        r"^[a-z0-9-]+\Z",
        max_length=64,
        strip=True,
        label="Slug",
        help_text="Stands in addresses, and cannot be changed later.",
        widget=forms.TextInput(attrs={**NAME, "data-slug": "", "autocapitalize": "none"}),
        error_messages={
            "required": "Give it a slug.",
            "invalid": "Small letters, digits and hyphens only.",
            "max_length": TOO_LONG,
        },
    )

    def refuse_project(self, reason: object) -> None:
        """Show the service's reason at the field it speaks of."""
        self.refuse("slug" if "slug" in str(reason) else "name", reason)


class NameForm(RefusableForm):
    name = forms.CharField(
        max_length=100,
        label="Name",
        widget=forms.TextInput(attrs=NAME),
        error_messages={"required": "Give it a name.", "max_length": TOO_LONG},
    )


class GroupingForm(RefusableForm):
    grouping = forms.ChoiceField(choices=Grouping.choices)


class RotateForm(RefusableForm):
    grace = forms.TypedChoiceField(choices=GRACES, coerce=int, label="The old key goes on working for")


class HashForm(forms.Form):
    """Names a row by the hash it is kept by."""

    hash = forms.RegexField(r"^[0-9a-f]{64}\Z")


class MemberForm(RefusableForm):
    username = forms.CharField(
        max_length=64,
        label="Add a person",
        widget=forms.TextInput(attrs={**NAME, "placeholder": "Name", "list": "people"}),
        error_messages={"required": "Type a name.", "max_length": "Nobody has so long a name."},
    )


class DeleteForm(RefusableForm):
    name = forms.CharField(
        max_length=200,
        label="Name",
        widget=forms.TextInput(attrs={**NAME, "data-confirm-input": ""}),
        error_messages={"required": "Type its name to delete it."},
    )


class TokenForm(RefusableForm):
    """`projects`: the slugs and names to choose from."""

    name = forms.CharField(
        max_length=100,
        label="Name",
        help_text="Who or what will use it, such as “CI deploys”.",
        widget=forms.TextInput(attrs=NAME),
        error_messages={"required": "Give it a name.", "max_length": TOO_LONG},
    )
    project = forms.ChoiceField(label="Project")
    expires = forms.TypedChoiceField(
        choices=EXPIRIES, required=False, initial="90", label="Ends after", coerce=int, empty_value=None
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, SCOPE_MEANINGS[scope]) for scope in SCOPES],
        label="It may",
        error_messages={"required": "Choose at least one."},
    )

    def __init__(self, *args: Any, projects: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["project"].choices = projects  # type: ignore[attr-defined]


class InviteForm(RefusableForm):
    """`projects`: the slugs and names to choose from."""

    role = forms.ChoiceField(choices=Role.choices, initial=Role.MEMBER, label="Role")
    projects = forms.MultipleChoiceField(required=False, label="Projects")

    def __init__(self, *args: Any, projects: list[tuple[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["projects"].choices = projects  # type: ignore[attr-defined]


class DaysField(forms.IntegerField):
    """A number of days. It travels with what it was when the page was made, so that only a change is a change."""

    def __init__(self, **options: Any) -> None:
        out = f"Between {MIN_DAYS:,} and {MAX_DAYS:,} days."
        messages = {"required": "Say how many days.", "invalid": out, "min_value": out, "max_value": out}
        super().__init__(
            min_value=MIN_DAYS, max_value=MAX_DAYS, show_hidden_initial=True, error_messages=messages, **options
        )

    def widget_attrs(self, widget: forms.Widget) -> dict[str, Any]:
        return {**super().widget_attrs(widget), "inputmode": "numeric", "autocomplete": "off"}


class RetentionForm(RefusableForm):
    """Days for all, and one field for each of `projects`: ids, names and the days of their own, if any."""

    raw_events_days = DaysField(label="Raw events, in days", help_text="Every single event, with stack and metadata.")
    hourly_counts_days = DaysField(label="Hourly counts, in days", help_text="What charts and trends are drawn from.")

    def __init__(self, *args: Any, projects: list[tuple[str, str, int | None]], **options: Any) -> None:
        super().__init__(*args, **options)
        for project_id, name, days in projects:
            self.fields[own_days_name(project_id)] = DaysField(
                required=False, initial=days, label=f"Days of its own for {name}"
            )

    def changed_days(self, name: str) -> int | None:
        """The days in a field, if that was changed; 0 for one that was emptied."""
        return (self.cleaned_data[name] or 0) if name in self.changed_data else None


def own_days_name(project_id: str) -> str:
    """The name of the field for a project's own days."""
    return f"own-{project_id}"


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)
