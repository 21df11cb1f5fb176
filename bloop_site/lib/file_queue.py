"""Kombu's filesystem transport, made safe for a reader that is quicker than the writer.

Kombu writes a message in place under its final name, so a worker that lists the folder at that moment reads half a
message, fails to decode it, and dies (seen under load here with kombu 5.7). A message written under another name and
renamed is there whole or not at all.
"""

import uuid
from pathlib import Path
from time import monotonic
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.encoding import str_to_bytes
from kombu.utils.json import dumps

SCHEME = "bloop-files"


class Channel(filesystem.Channel):
    """Messages appear by rename."""

    def _put(self, queue: str, payload: Any, **_: Any) -> None:  # type: ignore[override]  # kombu disagrees with itself
        name = f"{round(monotonic() * 1000)}_{uuid.uuid4()}"
        folder = Path(self.data_folder_out)
        draft = folder / f"{name}.draft"
        try:
            draft.write_bytes(str_to_bytes(dumps(payload)))
            draft.replace(folder / f"{name}.{queue}.msg")
        except OSError as error:
            msg = f"cannot write a message into {folder}"
            raise ChannelError(msg) from error


class Transport(filesystem.Transport):
    """The transport of `bloop-files://`."""

    Channel = Channel


def register() -> None:
    """Make kombu know the scheme."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"
