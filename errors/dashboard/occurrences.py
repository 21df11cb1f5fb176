"""The occurrences of an issue, one by one."""

import json
from typing import Any

from accounts.http import PageRequest
from bloop_site.lib.links import with_query
from errors.models import Issue
from errors.queries import events


def sample_context(request: PageRequest, issue: Issue) -> dict[str, Any]:
    """The sample that `?sample=` (1 = newest) asks for, and its neighbours."""
    samples = events.samples_of(issue)
    wanted = request.GET.get("sample", "1")
    number = int(wanted) if wanted.isascii() and wanted.isdecimal() and 1 <= int(wanted[:9]) <= len(samples) else 1
    sample = samples[number - 1] if samples else None
    metadata = json.loads(sample.metadata) if sample and sample.metadata else None
    return {
        "sample": sample,
        "metadata": metadata,
        "metadata_json": json.dumps(metadata, indent=2, ensure_ascii=False) if metadata is not None else "",
        "sample_number": number,
        "sample_count": len(samples),
        "newer_url": with_query(request.GET, sample=str(number - 1)) if number > 1 else None,
        "older_url": with_query(request.GET, sample=str(number + 1)) if number < len(samples) else None,
    }
