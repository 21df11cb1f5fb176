"""Secrets shown once: kept in the server-side session until the page that shows them, never in a URL or a cookie.

They are sealed with the session's key, of which only the browser has more than a hash: a copy of the database does not
tell them.
"""

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.http import HttpRequest

from bloop_site.lib.clock import MINUTE_MS

SESSION_KEY = "shown_once"
LIFETIME_MS = 10 * MINUTE_MS  # for a page that never came


def keep_once(request: HttpRequest, *, name: str, value: Any, now_ms: int) -> None:
    """Keep `value` (JSON) for the next page that asks for `name`; what was kept too long ago is dropped."""
    held = request.session.get(SESSION_KEY, {})
    fresh = {each: item for each, item in held.items() if now_ms - item["at_ms"] < LIFETIME_MS}
    sealed = seal_of(request).encrypt(json.dumps(value).encode()).decode()
    request.session[SESSION_KEY] = {**fresh, name: {"value": sealed, "at_ms": now_ms}}


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
    return opened(request, item["value"]) if now_ms - item["at_ms"] < LIFETIME_MS else None


def seal_of(request: HttpRequest) -> Fernet:
    """What seals and opens, for this session alone."""
    key = hashlib.sha256(f"shown once:{request.session.session_key}".encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def opened(request: HttpRequest, sealed: str) -> Any:
    """The value; None when the session has had a new key since, which no page that keeps something gives it."""
    try:
        return json.loads(seal_of(request).decrypt(sealed.encode()))
    except InvalidToken:
        return None
