"""Secrets shown once: kept in the server-side session until the page that shows them, never in a URL or a cookie."""

from typing import Any

from django.http import HttpRequest

from bloop_site.lib.clock import MINUTE_MS

SESSION_KEY = "shown_once"
LIFETIME_MS = 10 * MINUTE_MS  # for a page that never came


def keep_once(request: HttpRequest, *, name: str, value: Any, now_ms: int) -> None:
    """Keep `value` (JSON) for the next page that asks for `name`; what was kept too long ago is dropped."""
    held = request.session.get(SESSION_KEY, {})
    fresh = {each: item for each, item in held.items() if now_ms - item["at_ms"] < LIFETIME_MS}
    request.session[SESSION_KEY] = {**fresh, name: {"value": value, "at_ms": now_ms}}


def take_once(request: HttpRequest, *, name: str, now_ms: int) -> Any:
    """What was kept under `name`, and forget it; None when there is nothing, or it is too old to be shown.

    A HEAD request shows nothing, so it takes nothing.
    """
    held = request.session.get(SESSION_KEY, {})
    if request.method != "GET" or name not in held:
        return None
    item = held.pop(name)
    if held:
        request.session[SESSION_KEY] = held
    else:
        del request.session[SESSION_KEY]
    return item["value"] if now_ms - item["at_ms"] < LIFETIME_MS else None
