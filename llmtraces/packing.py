"""Counts of buckets in a few bytes: as one row holds all durations of an hour or a day. Pure.

Few buckets are a map (msgpack). Many that lie close together, as a day's do, are lanes: the first bucket, how many
bytes each count takes, and the counts one after the other. That is a third of the bytes, and the lanes of many rows are
added as one long number each: seven times as fast as bucket by bucket.
"""

import struct
from collections import Counter
from collections.abc import Mapping

import msgspec

WIDTHS = {1: "B", 2: "H", 4: "I", 8: "Q"}  # bytes of a lane, as struct calls them
WIDE = 8  # of a lane while it is summed: no sum of counts comes near 2^64
LOWEST = -1  # the least bucket there is (llmtraces.percentiles.ZERO): the first lane of a sum

Lanes = tuple[int, int, bytes]
_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[dict[int, int] | Lanes] = msgspec.msgpack.Decoder(dict[int, int] | Lanes)


def packed(counts: Mapping[int, int]) -> bytes:
    """The counts that are not zero, by bucket; equal counts are equal bytes."""
    kept = {bucket: count for bucket, count in sorted(counts.items()) if count}
    few = _encoder.encode(kept)
    if not kept:
        return few
    first, last, most = next(iter(kept)), next(reversed(kept)), max(kept.values())
    width = next((width for width in WIDTHS if most < 1 << 8 * width), WIDE)
    if first < LOWEST or min(kept.values()) < 0 or (last - first + 1) * width >= len(few):
        return few
    counted = [kept.get(bucket, 0) for bucket in range(first, last + 1)]
    many = _encoder.encode((first, width, struct.pack(f"<{len(counted)}{WIDTHS[width]}", *counted)))
    return min(few, many, key=len)


def unpacked(stored: bytes | memoryview) -> dict[int, int]:
    """What `packed` made; nothing of no bytes. SQLite answers bytes, PostgreSQL a memoryview."""
    found = _decoder.decode(stored) if stored else {}
    return found if isinstance(found, dict) else counts_in(found)


def counts_in(lanes: Lanes) -> dict[int, int]:
    """The counts that are not zero, by bucket."""
    first, width, held = lanes
    counts = struct.unpack(f"<{len(held) // width}{WIDTHS[width]}", held)
    return {bucket: count for bucket, count in enumerate(counts, first) if count}


class Sum:
    """Packed counts, added up."""

    def __init__(self) -> None:
        self.few: Counter[int] = Counter()
        self.many = 0  # lanes as one number, of which the lowest bucket has the last bytes

    def add(self, stored: bytes | memoryview) -> None:
        """Add what `packed` made."""
        found = _decoder.decode(stored) if stored else {}
        if isinstance(found, dict):
            for bucket, count in found.items():
                self.few[bucket] += count
            return
        first, width, held = found
        wide = bytearray(len(held) // width * WIDE)
        for at in range(width):
            wide[at::WIDE] = held[at::width]
        self.many += int.from_bytes(wide, "little") << 8 * WIDE * (first - LOWEST)

    def counts(self) -> Counter[int]:
        """By bucket."""
        held = self.many.to_bytes(-(-self.many.bit_length() // (8 * WIDE)) * WIDE, "little")
        total = Counter(counts_in((LOWEST, WIDE, held)))
        for bucket, count in self.few.items():
            total[bucket] += count
        return total
