"""Keeps parsed source maps in the memory of a process, the least recently used going first. Pure."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from errors.sourcemap import ParsedMap

Key = tuple[int, str]  # the row, and the hash of what was uploaded: another upload is another key


class MapCache:
    """At most `max_bytes` of parsed maps, by their own estimate; one that is larger is handed out and not kept."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.kept: OrderedDict[Key, ParsedMap] = OrderedDict()
        self.coming: dict[Key, Future[ParsedMap]] = {}
        self.lock = Lock()

    def get(self, key: Key, load: Callable[[], ParsedMap]) -> ParsedMap:
        """The map of `key`, loaded by whoever wants it first; the others wait for it. Raises what `load` raises."""
        with self.lock:
            if kept := self.kept.get(key):
                self.kept.move_to_end(key)
                return kept
            coming = self.coming.get(key)
            mine: Future[ParsedMap] = Future()
            if coming is None:
                self.coming[key] = mine
        if coming is not None:
            return coming.result()
        try:
            loaded = load()
        except BaseException as error:
            with self.lock:
                del self.coming[key]
            mine.set_exception(error)
            raise
        with self.lock:
            self.keep(key, loaded)
            del self.coming[key]
        mine.set_result(loaded)
        return loaded

    def keep(self, key: Key, loaded: ParsedMap) -> None:
        """Keep a map if it fits at all, in the place of the ones not used for longest. Call with the lock held."""
        if loaded.bytes > self.max_bytes:
            return
        self.kept[key] = loaded
        self.bytes += loaded.bytes
        while self.bytes > self.max_bytes:
            _, gone = self.kept.popitem(last=False)
            self.bytes -= gone.bytes

    def has(self, key: Key) -> bool:
        """Whether the map need not be loaded."""
        with self.lock:
            return key in self.kept

    def clear(self) -> None:
        """Forget all of them."""
        with self.lock:
            self.kept.clear()
            self.bytes = 0
