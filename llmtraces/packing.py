"""Counts of buckets in a few bytes: as one row holds all durations of an hour or a day. Pure."""

from collections.abc import Mapping

import msgspec

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, int])


def packed(counts: Mapping[int, int]) -> bytes:
    """The counts that are not zero, by bucket; equal counts are equal bytes."""
    return _encoder.encode({bucket: counts[bucket] for bucket in sorted(counts) if counts[bucket]})


def unpacked(stored: bytes | memoryview) -> dict[int, int]:
    """What `packed` made; nothing of no bytes. SQLite answers bytes, PostgreSQL a memoryview."""
    return _decoder.decode(stored) if stored else {}
