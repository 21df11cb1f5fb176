"""How large a body each path takes (contract 9.4): asked before any of it is read."""

import re

from django.conf import settings

from bloop_site.lib.api import API_PREFIXES, is_ingest
from bloop_site.lib.parsers import MAX_BODY, MAX_PAGE_UPLOAD, MAX_UPLOAD

MAX_FORM = 1024 * 1024  # the forms of the pages: a few fields
# Paths that take more than their neighbours. A new one is a line here.
ALLOWANCES = (
    (re.compile(r"/v1/projects/[^/]+/sourcemaps(?:/|$)"), MAX_UPLOAD),
    (re.compile(r"/settings/projects/[^/]+/sourcemaps(?:/|$)"), MAX_PAGE_UPLOAD),
)


def body_limit(path: str) -> int:
    """The most bytes of body a request to `path` may have. For signed paths what the largest takes; views know more."""
    if is_ingest(path):
        return largest_body()
    allowed = next((limit for pattern, limit in ALLOWANCES if pattern.match(path)), None)
    return allowed or (MAX_BODY if path.startswith(API_PREFIXES) else MAX_FORM)


def largest_body() -> int:
    """The most bytes any signed path takes."""
    traces = settings.BLOOP.llm_tracing
    return max(settings.BLOOP.ingest.max_batch_bytes, traces.max_payload_bytes, traces.max_batch_bytes, MAX_BODY)
