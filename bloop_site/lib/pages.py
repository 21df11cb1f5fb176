"""Pages that are read: how they answer, and what they read of their address."""

from collections.abc import Callable, Collection
from typing import cast

from django.http import HttpRequest, HttpResponseBase, QueryDict
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

from bloop_site.lib.links import number_in
from bloop_site.lib.pagination import clamp

View = Callable[..., HttpResponseBase]


def read_only(view: View) -> View:
    """A page of GET and HEAD; whole or, to htmx, in part; asked for again before it is shown again."""
    return require_safe(cache_control(private=True, no_cache=True)(vary_on_headers("HX-Request")(view)))


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx asks for the part `results` of the page."""
    htmx = cast("HtmxDetails", vars(request)["htmx"])
    return bool(htmx and not htmx.history_restore_request)


def wants_csv(request: HttpRequest) -> bool:
    """Whether the address asks for the table as CSV."""
    return request.GET.get("format") == "csv"


def whole_in(query: QueryDict, name: str, *, usual: int, most: int) -> int:
    """The number asked for, held within 1 and `most`; nonsense means the usual one."""
    number = number_in(query.get(name))
    return usual if number is None else clamp(number, 1, most)


def kept_fields(query: QueryDict, own: Collection[str]) -> list[tuple[str, str]]:
    """What a form of filters keeps of the address: all but its own controls."""
    return [(name, query.get(name, "")) for name in query if name not in own]
