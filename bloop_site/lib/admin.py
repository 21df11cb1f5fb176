"""What all pages of the Django admin share: they read; acts go to services, those that cannot be undone by a question.

Django's own pages show primary keys, count whole tables and let any column be probed by the query string. Here they
do none of that.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Field, Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bloop_site.templatetags.names import or_blank
from bloop_site.templatetags.ui import EN_DASH, absolute_time, time_ago, visible

COUNTED = 10_000
ACTS_AT_ONCE = 1_000
SHOWN_IN_QUESTION = 20
TOLD_AT_ONCE = 5  # messages travel in a cookie
BIGGEST_ID = 2**63 - 1
Show = Callable[[Any], SafeString | str]

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    ModelAdmin = admin.ModelAdmin
    AnyPaginator = Paginator


# --- Cells ------------------------------------------------------------------------------------------------------


def when(at: datetime | int | None, *, ago: bool = False) -> SafeString | str:
    """An instant (aware, or epoch ms) as the rest of the site writes it; `ago` as an age, the instant on hover."""
    at_ms = round(at.timestamp() * 1000) if isinstance(at, datetime) else at
    return time_ago(at_ms) if ago else absolute_time(at_ms)


def moment(field: str, words: str, *, ago: bool = False) -> Show:
    """A column with the instant in `field`."""
    return column(field, words, lambda row: when(getattr(row, field), ago=ago))


def client_text(field: str, words: str, *, limit: int = 300) -> Show:
    """A column with text from a client: control and direction characters made visible, cut after `limit`."""

    def show(row: Any) -> SafeString | str:
        text = getattr(row, field)
        return cut_text(str(text), limit=limit) if text else EN_DASH

    return column(field, words, show)


def related(field: str, words: str, *, link: bool = False) -> Show:
    """A column with what a foreign key points to; `link` leads to its page here."""

    def show(row: Any) -> SafeString | str:
        other = getattr(row, field)
        if other is None:
            return EN_DASH
        name = cut_text(str(other), limit=100)
        options = other._meta  # noqa: SLF001  Django's public name for it
        route = f"admin:{options.app_label}_{options.model_name}_change"
        return format_html('<a href="{}">{}</a>', reverse(route, args=[quote(other.pk)]), name) if link else name

    return column(field, words, show)


def cut_text(text: str, *, limit: int) -> SafeString:
    """Foreign text, isolated from the direction of its surroundings."""
    return format_html("<bdi>{}</bdi>", or_blank(visible(text if len(text) <= limit else f"{text[: limit - 1]}…")))


def column(name: str, words: str, show: Show, *, ordering: str | None = None) -> Show:
    """`show` as a column of a list and a line of a page; `ordering` names what it sorts by, if not `name` itself."""

    @admin.display(description=words, ordering=ordering or name)
    def cell(row: Any) -> SafeString | str:
        return show(row)

    cell.__name__ = name
    return cell


# --- Acts -------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """An act was not done to a row; the text says why."""


@dataclass(frozen=True)
class Question:
    """What is put before an act: the action's name, its words, what it means, and how many rows it takes at once."""

    action: str
    words: str
    text: str
    at_once: int


def act(
    words: str, *, ask: str = "", at_once: int = ACTS_AT_ONCE, but: dict[str, Any] | None = None
) -> Callable[[Any], Any]:
    """A method (self, request, rows) as an action of the list and a button of the page.

    ask: the question put before; empty for what can be undone as easily, which is asked about only when it is done to
    all that match. but: a condition of rows that need it no more. Rows come in the list's order, at most `at_once`.
    """

    def decorate(method: Any) -> Any:
        @admin.action(description=words)
        @wraps(method)
        def run(self: "BloopAdmin", request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            wanted = rows.exclude(**but) if but else rows
            if (ask or is_across(request)) and not self.is_answered(request, wanted, at_once=at_once):
                return self.ask(request, wanted, Question(method.__name__, words, ask, at_once))
            return cast("HttpResponse | None", method(self, request, wanted[:at_once]))

        return run

    return decorate


def is_across(request: HttpRequest) -> bool:
    """Whether an act is for all rows that match rather than for those that are ticked."""
    return request.POST.get("select_across") == "1"


def count_to(rows: QuerySet[Any], limit: int) -> int:
    """How many rows there are, looking no further than `limit`."""
    return rows.order_by()[:limit].count()


class BoundedPaginator(AnyPaginator):
    """Counts no further than 10,000: a table may hold millions, and nobody turns that many pages."""

    @cached_property
    def count(self) -> int:
        return count_to(cast("QuerySet[Any]", self.object_list), COUNTED)

    @property
    def words(self) -> str:
        return f"{self.count:,}" + (" or more" if self.count >= COUNTED else "")


class BloopChangeList(ChangeList):
    """Links that carry the admin's handle of a row."""

    model_admin: "BloopAdmin"

    def url_for_result(self, result: Model) -> str:
        return self.model_admin.url_of(result)


class BloopAdmin(ModelAdmin):
    """A model of which rows can be seen, found and acted upon. What may be edited, the subclass says.

    one, many: the model in words. handle: the field by which addresses and forms name a row; a subclass whose primary
    key must not be shown names another. handle_length: how much of it is enough to tell rows apart, if not all.
    """

    one = ""
    many = ""
    fields: ClassVar[Any] = None
    editable: tuple[str, ...] = ()
    handle_length: int | None = None
    empty_words = "Nothing here yet."
    # What Django's checks compare with their own defaults:
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    empty_value_display = EN_DASH
    view_on_site = False
    save_as = False

    def __init__(self, model: type[Model], site: admin.AdminSite) -> None:
        super().__init__(model, site)
        self.one = self.one or str(self.opts.verbose_name)
        self.many = self.many or str(self.opts.verbose_name_plural)

    @property
    def media(self) -> forms.Media:
        """None of Django's scripts: these pages work without."""
        return forms.Media()

    # Who may do what

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(self.editable)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return [each for each in self.get_fields(request, obj) if each not in self.editable]

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Filters only: any column of any related table would let a hash or a key be guessed letter by letter."""
        filters = (self.get_list_filter(request) or ()) if request else ()
        return any(re.fullmatch(rf"{filter_name(each)}(__id)?(__exact)?", lookup) for each in filters)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Without Django's links to add and change what a field points to: they need its scripts."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    # How a row is named

    def handle_of(self, row: Any) -> str:
        """What addresses and forms name the row by."""
        return str(row.pk)[: self.handle_length]

    def named(self, row: Any) -> str:
        """The row in a word or two."""
        return str(row)

    def url_of(self, row: Any) -> str:
        """The address of the row's page."""
        name = f"{self.admin_site.name}:{self.opts.app_label}_{self.opts.model_name}_change"
        return reverse(name, args=[quote(self.handle_of(row))])

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = self.keys_of([object_id], self.get_queryset(request))
        return self.get_queryset(request).filter(pk=found[0]).first() if found else None

    def keys_of(self, handles: Iterable[str], rows: QuerySet[Any]) -> list[Any]:
        """The primary keys that handles from outside stand for; what cannot be one is left out."""
        if self.handle_length is None:
            return [key for handle in handles for key in valid_keys(self.opts.pk, handle)]
        return [
            key
            for handle in handles
            if len(handle) == self.handle_length
            for key in rows.filter(pk__startswith=handle).values_list("pk", flat=True)[:1]
        ]

    # Lists

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BloopChangeList

    @admin.display(description="")
    def action_checkbox(self, obj: Any) -> SafeString:
        return format_html(
            '<input type="checkbox" class="action-select" name="{}" value="{}" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            self.handle_of(obj),
            visible(self.named(obj))[:100],
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST" and not self.read_selection(request):
            messages.warning(request, "Tick the rows it should be done to.")
            return HttpResponseRedirect(request.get_full_path())
        context = {"title": self.many[:1].upper() + self.many[1:], "empty_words": self.empty_words}
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def read_selection(self, request: HttpRequest) -> bool:
        """Put primary keys where Django expects them, and say whether there is anything to act upon.

        "All that match" needs no row to be ticked.
        """
        data = request.POST.copy()
        rows = self.get_queryset(request)
        keys = [str(key) for key in self.keys_of(data.getlist(ACTION_CHECKBOX_NAME)[:ACTS_AT_ONCE], rows)]
        if is_across(request) and not keys:
            keys = ["0"]  # not looked at
        data.setlist(ACTION_CHECKBOX_NAME, keys)
        request.POST = data  # type: ignore[assignment]
        return bool(keys)

    def is_answered(self, request: HttpRequest, rows: QuerySet[Any], *, at_once: int) -> bool:
        """Whether the person has said yes, to as many rows as there still are."""
        if "confirmed" not in request.POST:
            return False
        return not is_across(request) or request.POST["confirmed"] == str(count_to(rows, at_once + 1))

    def ask(self, request: HttpRequest, rows: QuerySet[Any], question: Question) -> HttpResponse | None:
        """The page that asks before an act, with the first rows it concerns."""
        across = is_across(request)
        some = list(rows[: SHOWN_IN_QUESTION if across else ACTS_AT_ONCE])
        if not some:
            messages.warning(request, "There was nothing to do.")
            return None
        total = count_to(rows, question.at_once + 1) if across else len(some)
        context = {
            **self.admin_site.each_context(request),
            "title": question.words,
            "opts": self.opts,
            "model_admin": self,
            "question": question,
            "listed": [self.named(row) for row in some[:SHOWN_IN_QUESTION]],
            "total": total,
            "number": min(total, question.at_once),
            "handles": [] if across else [self.handle_of(row) for row in some],
            "across": across,
        }
        return TemplateResponse(request, "admin/confirm.html", context)

    def do(self, request: HttpRequest, rows: QuerySet[Any], one: Callable[[Any], bool | None], *, done: str) -> None:
        """Do something to each row and tell how many there were: `done` follows the count and the model's name.

        one: returns False when there was nothing to do; raises Refused, which the person is told.
        """
        count = refused = 0
        for row in rows:
            try:
                count += one(row) is not False
            except Refused as reason:
                refused += 1
                if refused <= TOLD_AT_ONCE:
                    messages.error(request, f"{self.named(row)}: {reason}")
        if count:
            messages.success(request, f"{count:,} {self.one if count == 1 else self.many} {done}.")
        elif not refused:
            messages.warning(request, "There was nothing to do.")

    # Pages of a row

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        row = kwargs.get("obj")
        actions = self.get_actions(request).values() if row else ()
        context |= {
            "title": self.named(row) if row else f"New {self.one}",
            "model_admin": self,
            "acts": [(name, words) for _, name, words in filter(None, actions) if self.can(name, row)],
            "handle": self.handle_of(row) if row else "",
            "media": self.media,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row:
            names = {"title": f"History of {self.named(row)}", "subject": self.named(row)}
            extra_context = {"model_admin": self, "handle": self.handle_of(row), **names}
        return super().history_view(request, object_id, extra_context)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        messages.success(request, f"{self.named(obj)} is saved.")
        return HttpResponseRedirect(self.url_of(obj))

    def can(self, name: str, row: Any) -> bool:
        """Whether the act `name` makes sense for this row, so that its page offers it."""
        return True


def filter_name(each: Any) -> str:
    """The parameter of an entry of `list_filter`: a filter of ours, (field, filter) or a field."""
    if isinstance(each, type):
        return re.escape(str(getattr(each, "parameter_name", "")))
    return re.escape(str(each[0] if isinstance(each, tuple) else each))


def valid_keys(field: "Field[Any, Any]", text: str) -> list[Any]:
    """`text` as a value of the primary key, or nothing."""
    try:
        key = field.to_python(text)
    except ValidationError:
        return []
    fits = not isinstance(key, int) or abs(key) <= BIGGEST_ID
    return [key] if fits and "\x00" not in text else []


def choice_filter(*, name: str, words: str, options: Iterable[tuple[str, str]], field: str = "") -> type:
    """A filter with fixed options over a column; Django's own would look through the whole table for them."""

    class Filter(admin.SimpleListFilter):
        title = words
        parameter_name = name

        def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
            return list(options)

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            value = self.value()
            return queryset.filter(**{field or name: value}) if value else queryset

    return Filter
