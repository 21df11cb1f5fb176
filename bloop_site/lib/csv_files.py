"""Tables as CSV files to download."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from django.http import HttpResponse

from bloop_site.lib.clock import from_ms

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run when a cell begins with it


def csv_file(name: str, header: Sequence[str], rows: Iterable[Sequence[object]], *, at_ms: int) -> HttpResponse:
    """A download `bloop-<name>-<date>.csv`, UTF-8. Text that a spreadsheet would take for a formula is quoted."""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([plain_cell(cell) for cell in row] for row in rows)
    disposition = f'attachment; filename="bloop-{name}-{from_ms(at_ms):%Y-%m-%d}.csv"'
    return HttpResponse(
        text.getvalue(), content_type="text/csv; charset=utf-8", headers={"Content-Disposition": disposition}
    )


def plain_cell(cell: object) -> object:
    """The cell, with an apostrophe before text that begins like a formula."""
    if isinstance(cell, str):
        cell = cell.encode(errors="replace").decode()
        return f"'{cell}" if cell.startswith(FORMULA) else cell
    return "" if cell is None else cell


def iso(ms: int | None) -> str | None:
    """An instant for a CSV file: ISO 8601, UTC; nothing of none."""
    return None if ms is None else from_ms(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
