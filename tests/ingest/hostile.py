"""Bodies no well-behaved client sends: those that must be refused, and those that are odd but welcome."""

import gzip
import json
import random
import zlib
from dataclasses import dataclass, field
from typing import Any

from tests.factories import event_json

GOOD = json.dumps(event_json(timestamp=1_760_000_000_000, metadata={"cart": [1, 2.5, None, "é"]})).encode()
BATCH = b'{"events":[' + GOOD + b"]}"
TEN_MB = 10 * 1024 * 1024
BOM = b"\xef\xbb\xbf"
GZIP = {"Content-Encoding": "gzip"}


@dataclass(frozen=True)
class Case:
    """A body as sent, and headers beside the signature."""

    id: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def with_message(json_text: bytes) -> bytes:
    """An event whose message is this piece of JSON."""
    return b'{"error_type":"E","message":' + json_text + b"}"


def prefixes() -> list[Case]:
    """A good event and a good batch cut off at every third byte."""
    return [
        Case(f"{name} cut at byte {length}", whole[:length])
        for name, whole in (("event", GOOD), ("batch", BATCH))
        for length in range(0, len(whole) - 1, 9)
    ]


def broken_json() -> list[Case]:
    pieces = {
        "NaN": b"NaN",
        "Infinity": b"Infinity",
        "minus Infinity": b"-Infinity",
        "undefined": b"undefined",
        "1e400": b"1e400",
        "-1e400": b"-1e400",
        "a number that starts with zero": b"01",
        "a plus sign": b"+1",
        "a hex number": b"0x10",
        "a number that ends in a dot": b"1.",
        "a number that starts with a dot": b".5",
        "a number without exponent": b"1e",
        "two dots": b"1.2.3",
        "5,000 digits and an exponent": b"9" * 5000 + b"e1",
        "single quotes": b"'x'",
        "a string without end": b'"x',
        "an escape that is none": rb'"\x41"',
        "a short unicode escape": rb'"\u12"',
        "an unicode escape without hex": rb'"\uZZZZ"',
        "half a surrogate escape": rb'"\ud8"',
        "a surrogate and a broken escape": rb'"\ud800\u12"',
        "a raw newline in a string": b'"a\nb"',
        "a raw NUL in a string": b'"a\x00b"',
        "a raw escape character in a string": b'"\x1b[31m"',
        "Python's None": b"None",
        "Python's True": b"True",
        "a comment": b"1 /* x */",
        "a trailing comma": b'["x",]',
        "a missing comma": b'["x" "y"]',
        "a missing colon": b'{"a" 1}',
        "a key without quotes": b"{a:1}",
        "a number as key": b"{1:1}",
        "a list without end": b"[1,2",
        "brackets that do not match": b"[1}",
    }
    return [
        *(Case(f"JSON with {name}", with_message(piece)) for name, piece in pieces.items()),
        *(Case(f"metadata with {name}", GOOD[:-1] + b',"metadata":' + piece + b"}") for name, piece in pieces.items()),
        Case("two documents", GOOD + GOOD),
        Case("JSON lines", GOOD + b"\n" + GOOD + b"\n"),
        Case("garbage after the document", GOOD + b"x"),
        Case("NUL after the document", GOOD + b"\x00"),
    ]


def other_formats() -> list[Case]:
    rng = random.Random(5332)
    return [
        Case("nothing", b""),
        Case("white space", b" \r\n\t"),
        Case("one NUL", b"\x00"),
        Case("a thousand NULs", b"\x00" * 1000),
        Case("XML", b"<?xml version='1.0'?><event><message>x</message></event>"),
        Case("an XML bomb", b"<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><x>&b;</x>"),
        Case("HTML", b"<!doctype html><script>alert(1)</script>"),
        Case("YAML", b"error_type: E\nmessage: boom\n"),
        Case("a YAML tag", b"!!python/object/apply:os.system ['id']"),
        Case("a form", b"error_type=E&message=boom", {"Content-Type": "application/x-www-form-urlencoded"}),
        Case(
            "a multipart form",
            b'--x\r\nContent-Disposition: form-data; name="error_type"\r\n\r\nE\r\n--x--\r\n',
            {"Content-Type": "multipart/form-data; boundary=x"},
        ),
        Case("multipart without boundary", b"--x--", {"Content-Type": "multipart/form-data"}),
        Case("MessagePack", b"\x82\xaaerror_type\xa1E\xa7message\xa4boom"),
        Case("CBOR", b"\xa2jerror_typeaEgmessagedboom"),
        Case("a pickle", b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s."),
        Case("a PNG", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"),
        Case("a shell command", b"$(reboot)"),
        Case("SQL", b"'; DROP TABLE errors_issue; --"),
        Case("JSONP", b"callback(" + GOOD + b")"),
        Case("an anti-hijacking prefix", b")]}'\n" + GOOD),
        Case("base64", b"eyJlcnJvcl90eXBlIjoiRSJ9"),
        Case("JSON in a JSON string", json.dumps(GOOD.decode()).encode()),
        *(Case(f"random bytes {number}", rng.randbytes(rng.randint(1, 400))) for number in range(20)),
    ]


def encodings() -> list[Case]:
    text = GOOD.decode("unicode_escape")
    wrong = {
        "a lone continuation byte": b"\x80",
        "a byte that is never UTF-8": b"\xff",
        "an overlong slash": b"\xc0\xaf",
        "an overlong NUL": b"\xc0\x80",
        "a surrogate in UTF-8": b"\xed\xa0\x80",
        "a pair of surrogates in UTF-8": b"\xed\xa0\xbd\xed\xb8\x80",
        "a character beyond U+10FFFF": b"\xf4\x90\x80\x80",
        "half an emoji": b"\xf0\x9f\x98",
        "Latin-1": "é".encode("latin-1"),
        "Shift-JIS": "エラー".encode("shift-jis"),
    }
    return [
        *(Case(f"the event in {name}", text.encode(name)) for name in ("utf-16", "utf-16-le", "utf-16-be")),
        *(Case(f"the event in {name}", text.encode(name)) for name in ("utf-32", "utf-32-be", "cp500")),
        Case("a BOM twice", BOM + BOM + GOOD),
        Case("a BOM at the end", GOOD + BOM),
        Case("a BOM alone", BOM),
        *(Case(f"{name} in a value", with_message(b'"a' + raw + b'"')) for name, raw in wrong.items()),
        *(Case(f"{name} in a key", b'{"error_type":"E","' + raw + b'":1}') for name, raw in wrong.items()),
        *(
            Case(f"{name} beside a lone surrogate", with_message(rb'"\ud800' + raw + b'"'))
            for name, raw in wrong.items()
        ),
    ]


def wrong_shapes() -> list[Case]:
    shapes = ("null", "true", "0", "-1", "1e5", '"x"', "[]", "[[]]", "[null]", "{}", '{"":{}}', '{"data":{}}')
    events = ("null", "true", "1", '"x"', '"[]"', "{}", '{"0":{}}', "1.5")
    return [
        *(Case(f"the JSON {shape}", shape.encode()) for shape in shapes),
        *(Case(f"events: {value}", b'{"events":' + value.encode() + b"}") for value in events),
        Case("an event in a list", b"[" + GOOD + b"]"),
        Case("Events with a capital", b'{"Events":[' + GOOD + b"]}"),
        Case("events twice, null last", b'{"events":[' + GOOD + b'],"events":null}'),
    ]


def nested() -> list[Case]:
    cases = []
    for depth in (5_000, 100_000):
        for name, opening, closing in (("lists", b"[", b"]"), ("objects", b'{"a":', b"}")):
            inner = opening * depth + b"1" + closing * depth
            cases += [
                Case(f"{depth} {name}", inner),
                Case(f"{depth} {name} without end", opening * depth),
                Case(f"{depth} {name} in metadata", b'{"error_type":"E","metadata":' + inner + b"}"),
                Case(f"{depth} {name} beside a lone surrogate", rb'{"error_type":"\ud800","x":' + inner + b"}"),
            ]
    return cases


def too_large() -> list[Case]:
    padding = b" " * TEN_MB
    return [
        Case("10 MB of spaces", padding),
        Case("10 MB of spaces before an event", padding + GOOD),
        Case("10 MB of message", with_message(b'"' + b"x" * TEN_MB + b'"')),
        Case("10 MB of digits", with_message(b"9" * TEN_MB)),
        Case("10 MB of brackets", b"[" * TEN_MB),
        Case("10 MB of NULs", b"\x00" * TEN_MB),
    ]


def compressed() -> list[Case]:
    packed = gzip.compress(GOOD, mtime=0)
    flipped = bytes([*packed[:-8], packed[-8] ^ 1, *packed[-7:]])
    bomb = gzip.compress(b" " * TEN_MB, mtime=0)
    return [
        Case("a gzip bomb of 10 MB", bomb, GZIP),
        Case("a gzip bomb of 10 MB around an event", gzip.compress(b" " * TEN_MB + GOOD, mtime=0), GZIP),
        Case("a gzip bomb in two members", bomb[: len(bomb)] + bomb, GZIP),
        Case("a gzip bomb in a gzip bomb", gzip.compress(bomb, mtime=0), GZIP),
        *(Case(f"gzip cut at byte {cut}", packed[:cut], GZIP) for cut in range(0, len(packed) - 1, 16)),
        Case("gzip with a wrong checksum", flipped, GZIP),
        Case("gzip with a wrong length", packed[:-1] + b"\x01", GZIP),
        Case("gzip with garbage after it", packed + b"garbage", GZIP),
        Case("gzip and half a second member", packed + packed[:20], GZIP),
        Case("gzip of 300 members", gzip.compress(b"", mtime=0) * 300 + packed, GZIP),
        Case("gzip of garbage", gzip.compress(b"garbage", mtime=0), GZIP),
        Case("gzip twice", gzip.compress(packed, mtime=0), GZIP),
        Case("gzip that says nothing of it", packed),
        Case("plain JSON that says it is gzip", GOOD, GZIP),
        Case("zlib that says it is gzip", zlib.compress(GOOD), GZIP),
        Case("bare deflate that says it is gzip", zlib.compress(GOOD)[2:-4], GZIP),
        *(
            Case(f"Content-Encoding: {name}", GOOD, {"Content-Encoding": name})
            for name in ("deflate", "br", "zstd", "compress", "gzip, gzip", "gzip;q=1", "utf-8", "x" * 300)
        ),
    ]


def refused_bodies() -> list[Case]:
    """Bodies that both endpoints refuse."""
    return [
        *prefixes(),
        *broken_json(),
        *other_formats(),
        *encodings(),
        *wrong_shapes(),
        *nested(),
        *too_large(),
        *compressed(),
    ]


TEXTS = (
    *("source", "environment", "release", "error_type", "message", "stack", "route_or_procedure", "screen"),
    *("app_version", "build_number", "request_id", "user_id_hash", "device_id_hash", "fingerprint", "event_id"),
)


NO_TEXTS: tuple[Any, ...] = (0, 1.5, True, [], {"a": 1})
NO_TIMES: tuple[Any, ...] = (True, [], {}, "abc", "NaN", "inf", "1e400", "0x10", "1,000", "2026-01-01")
NO_STATUSES: tuple[Any, ...] = (True, [], {}, 404.5)


def refused_events() -> list[tuple[str, Any]]:
    """Values that are no event: a single one is a 400, in a batch each is an entry of `errors` (L8)."""
    deep: Any = 1
    for _ in range(66):
        deep = [deep]
    changed: list[tuple[str, dict[str, Any]]] = [
        *((f"{name} is {value!r}", {name: value}) for name in TEXTS for value in NO_TEXTS),
        *((f"timestamp is {value!r}", {"timestamp": value}) for value in NO_TIMES),
        *((f"http_status is {value!r}", {"http_status": value}) for value in NO_STATUSES),
        *((f"source is {value!r}", {"source": value}) for value in (" ", "a b", "a/b", "é", "api\n", "\x00", "a" * 33)),
        *((f"error_type is {value!r}", {"error_type": value}) for value in ("", None)),
        ("metadata of 4,097 bytes", {"metadata": {"k": "x" * 4089}}),
        ("metadata of 2,100 two-byte characters", {"metadata": ["é" * 2100]}),
        ("metadata 66 deep", {"metadata": deep}),
        ("metadata 66 deep in a string", {"metadata": json.dumps(deep)}),
        ("fingerprint of 257 bytes", {"fingerprint": "f" * 257}),
        ("fingerprint of 86 three-byte characters", {"fingerprint": "€" * 86}),
        ("event_id of 65 characters", {"event_id": "i" * 65}),
    ]
    no_type = event_json()
    del no_type["error_type"]
    others: list[Any] = [None, True, 0, 1.5, "", "x", [], [{}], {}, {"events": []}]
    return [
        *((name, event_json(**fields)) for name, fields in changed),
        *((f"the value {value!r}", value) for value in others),
        ("error_type is missing", no_type),
    ]


def fields(**changed: Any) -> bytes:
    return json.dumps({"error_type": "E", "message": "boom", **changed}, ensure_ascii=False).encode()


REPLACED = "\ufffd"


def welcome() -> list[tuple[str, bytes, dict[str, Any]]]:
    """Odd events that are taken, each with the columns to find in the table ("now" for the receive time)."""
    soup = "مرحبا עולם 👩‍👩‍👧 e\u0301 \u202e\u2066 \u2028\ufeff\uffff"
    return [
        ("a lone high surrogate", with_message(rb'"a\ud83db"'), {"message": f"a{REPLACED}b"}),
        ("a lone low surrogate", with_message(rb'"a\ude00b"'), {"message": f"a{REPLACED}b"}),
        ("surrogates the wrong way round", with_message(rb'"\ude00\ud83d"'), {"message": REPLACED * 2}),
        ("a high surrogate before a pair", with_message(rb'"\ud83d\ud83d\ude00"'), {"message": f"{REPLACED}😀"}),
        ("a pair of surrogates", with_message(rb'"\ud83d\ude00"'), {"message": "😀"}),
        ("an escaped backslash before ud800", with_message(rb'"\\ud800\ud800"'), {"message": rf"\ud800{REPLACED}"}),
        (
            "a lone surrogate in metadata and its keys",
            rb'{"error_type":"E","metadata":{"\udc00":["\ud800"]}}',
            {"metadata": f'{{"{REPLACED}":["{REPLACED}"]}}'},
        ),
        (
            "a lone surrogate in an unknown key",
            rb'{"error_type":"E","\udfff":1}',
            {"metadata": f'{{"_extra":{{"{REPLACED}":1}}}}'},
        ),
        ("NUL in the message", with_message(rb'"a\u0000b"'), {"message": f"a{REPLACED}b"}),
        ("NUL and nothing else", fields(error_type="\x00"), {"error_type": REPLACED}),
        *(
            (f"NUL in {name}", fields(**{name: "a\x00b"}), {column: f"a{REPLACED}b"})
            for name, column in (
                *((name, name) for name in ("environment", "release", "stack", "screen", "app_version")),
                *((name, name) for name in ("build_number", "request_id", "user_id_hash", "device_id_hash")),
                *(("event_id", "event_id"), ("route_or_procedure", "route"), ("fingerprint", "issue__fingerprint")),
            )
        ),
        ("NUL in metadata", fields(metadata={"\x00": "\x00"}), {"metadata": r'{"\u0000":"\u0000"}'}),
        *(
            (f"timestamp {value!r}", fields(timestamp=value), {"timestamp_ms": "now"})
            for value in (2**63, 2**63 - 1, 2**64, -(2**63), 10**30, 1e300, -1e300, -1, 0, -0.0, None, "", " ", "-5")
        ),
        ("timestamp of 4,000 digits", b'{"error_type":"E","timestamp":' + b"9" * 4000 + b"}", {"timestamp_ms": "now"}),
        *(
            (f"http_status {value!r}", fields(http_status=value), {"http_status": None})
            for value in (2**63, 10**30, -1, 65536, "-1", "abc", "99999999999999", "", "²")
        ),
        ("a BOM", BOM + fields(), {"message": "boom"}),
        ("white space around", b" \r\n\t" + fields() + b"\n ", {"message": "boom"}),
        ("keys twice", b'{"error_type":"A","message":"1","error_type":"B","message":"2"}', {"error_type": "B"}),
        ("keys of other alphabets", fields(مفتاح="قيمة"), {"metadata": '{"_extra":{"مفتاح":"قيمة"}}'}),
        ("events as an unknown field", fields(events=None), {"metadata": '{"_extra":{"events":null}}'}),
        ("__proto__", fields(__proto__={"a": 1}), {"metadata": '{"_extra":{"__proto__":{"a":1}}}'}),
        ("text of many kinds", fields(message=soup), {"message": soup}),
        ("a script", fields(message="<script>alert(1)</script>"), {"message": "<script>alert(1)</script>"}),
        ("a template", fields(message="{% load x %}{{ 7*7 }} %s %(a)s {0}"), {}),
        ("line breaks in the error type", fields(error_type="a\r\nb"), {"error_type": "a\r\nb"}),
        ("a message of 30 kB", fields(message="€" * 10_000), {"message": "€" * 682}),
        ("a stack of 30 kB", fields(stack="é" * 12_000), {"stack": "é" * 4096}),
        ("a release of slashes", fields(release="a/b/../c?d#e%2F"), {"release": "a/b/../c?d#e%2F"}),
        ("a huge integer in metadata", fields(metadata={"n": 10**40}), {"metadata": f'{{"n":{10**40}}}'}),
        ("unknown fields that do not fit", fields(blob="x" * 5000), {"metadata": None}),
        ("unknown fields nested too deeply", b'{"error_type":"E","x":' + b"[" * 80 + b"]" * 80 + b"}", {}),
        *(
            (f"fingerprint {name}", fields(fingerprint=name), {"issue__fingerprint": name})
            for name in ("a b", "a/b", "a\nb", "\n", "a?b=c#d", "100%", "%2F", "..", "a\\b", "'\"<>&", "é😀", "\u202e")
        ),
    ]
