"""What commands print for scripts: one JSON object on standard output (design.md 3)."""

import json
from typing import Any, Protocol


class Writes(Protocol):
    def write(self, text: str) -> Any: ...


def print_json(out: Writes, **fields: Any) -> None:
    """Write `fields` as one line of JSON."""
    out.write(json.dumps(fields))
