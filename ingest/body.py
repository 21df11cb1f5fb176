"""Reads a request's body within its limit and undoes its Content-Encoding (contract 1.6 L9)."""

import zlib

from django.http import HttpRequest
from django.http.request import RawPostDataException, UnreadablePostError

from bloop_site.lib.api import ApiError

GZIP_WBITS = 16 + zlib.MAX_WBITS
MAX_MEMBERS = 256  # each costs a copy of what follows it; bgzip makes 80 of 5 MiB


def refuse_long(request: HttpRequest, *, limit: int) -> int:
    """The announced length of the body, before any of it is read. Raises ApiError 413 when over `limit`, or 400."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or len(length) > 18:
        raise ApiError("invalid Content-Length")
    if int(length) > limit:
        raise ApiError(f"body exceeds {limit} bytes", status=413)
    return int(length)


def read_raw(request: HttpRequest, *, limit: int) -> bytes:
    """The bytes as sent, at most `limit` of them. Raises ApiError 413 or 400."""
    length = refuse_long(request, limit=limit)
    try:
        body = request.body
    except (UnreadablePostError, RawPostDataException, OSError):
        raise ApiError("failed to read body") from None
    if len(body) < length:
        raise ApiError("failed to read body")
    return body


def decode(body: bytes, *, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes of it. Raises ApiError 400, 413 or 415."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise ApiError("unsupported Content-Encoding; send gzip or none", status=415)
    return gunzip(body, limit=limit)


def gunzip(body: bytes, *, limit: int) -> bytes:
    """Unpack gzip, possibly of several members, never holding more than `limit` + 1 bytes. Raises ApiError."""
    parts: list[bytes] = []
    room = limit + 1
    rest = body
    while rest and room > 0:
        unpacker = zlib.decompressobj(GZIP_WBITS)
        try:
            part = unpacker.decompress(rest, room)
        except zlib.error:
            raise ApiError("body is not valid gzip") from None
        parts.append(part)
        room -= len(part)
        if not unpacker.eof and room > 0:
            raise ApiError("gzip body is truncated")
        rest = unpacker.unused_data
        if len(parts) == MAX_MEMBERS and rest:
            raise ApiError(f"gzip body has more than {MAX_MEMBERS} members")
    if room <= 0:
        raise ApiError(f"decompressed body exceeds {limit} bytes", status=413)
    return b"".join(parts)
