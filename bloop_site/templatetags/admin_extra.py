"""What the templates of the Django admin need beside Django's own tags."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django import template
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.utils.html import escape, strip_tags
from django.utils.safestring import SafeString, mark_safe

from bloop_site.lib.admin import when

register = template.Library()
CELL = re.compile(r"<(th|td)\b")


@register.filter
def labelled(cells: Iterable[str], headers: list[dict[str, Any]]) -> Iterator[SafeString]:
    """The cells of a row, as Django made them, each with its header's words: on a phone the headers are gone."""
    for cell, header in zip(cells, headers, strict=True):
        words = escape(strip_tags(str(header["text"])).capitalize())
        yield mark_safe(CELL.sub(rf'<\1 data-label="{words}"', cell, count=1))  # noqa: S308  escaped just above


@register.simple_tag
def list_page(changes: ChangeList, step: int) -> str:
    """The address of the list's page before (-1) or after (1) this one."""
    return changes.get_query_string({PAGE_VAR: changes.page_num + step})


@register.simple_tag
def instant(at: datetime) -> SafeString | str:
    """A point in time as the rest of the site writes it."""
    return when(at)
