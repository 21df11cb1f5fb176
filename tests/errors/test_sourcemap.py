"""Reading source maps and looking positions up; hostile ones in a process of their own, which must survive them."""

import gzip
import json
import random
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from errors.originals import Context
from errors.sourcemap import (
    CONTEXT_LINES,
    MAX_BYTES,
    MAX_LINE,
    MAX_MAPPINGS,
    MAX_NESTING,
    MAX_SECTIONS,
    MAX_SOURCES,
    SourceMapInvalid,
    cut,
    packed,
    read_map,
    unpacked,
)
from tests.maps import CHECKOUT_MAP, big_map, encoded, index_map, mappings, source_map, vlq

ROOT = Path(__file__).resolve().parent.parent.parent


def read(content: Any) -> Any:
    return read_map(content if isinstance(content, bytes) else encoded(content))


# --- What a map says --------------------------------------------------------------------------------------------------


def test_a_position_is_looked_up_from_one_and_answered_with_the_line_from_one_and_the_column_from_zero():
    found = read(source_map([(4, 0, 9, 6)])).original(line=1, column=5)

    assert (found.file, found.line, found.column, found.name, found.context) == ("src/a.ts", 10, 6, None, None)


def test_the_closest_mapping_at_or_before_the_position_is_taken():
    parsed = read(source_map([(4, 0, 9, 6), (20, 0, 30, 0)], [(0, 0, 50, 0)]))

    assert parsed.original(line=1, column=4) is None
    assert [parsed.original(line=1, column=column).line for column in (5, 20, 21, 9_999)] == [10, 10, 31, 31]
    assert parsed.original(line=2, column=1).line == 51


@pytest.mark.parametrize(("line", "column"), [(0, 1), (-1, 5), (2**31 + 1, 1), (2**40, 1), (1, -1), (1, 2**40)])
def test_a_position_that_no_bundle_has_is_not_looked_up(line: int, column: int):
    assert read(source_map([(0, 0, 0, 0)])).original(line=line, column=column) is None


def test_a_mapping_that_names_no_source_says_nothing():
    parsed = read(source_map([(0, 0, 0, 0), (5,)]))

    assert parsed.original(line=1, column=3) is not None
    assert parsed.original(line=1, column=6) is None
    assert read(source_map([(0, 0, 0, 0)], sources=[None])).original(line=1, column=1) is None


def test_the_original_name_and_the_root_of_the_sources_are_told():
    content = source_map([(0, 0, 0, 0, 1)], names=["no", "loadUser"], sourceRoot="/src", sources=["user.ts"])

    found = read(content).original(line=1, column=1)

    assert (found.file, found.name) == ("/src/user.ts", "loadUser")


def test_a_map_that_a_real_bundler_made_leads_to_the_line_that_threw():
    found = read(CHECKOUT_MAP).original(line=1, column=90)

    assert (found.file, found.line, found.column) == ("cart.ts", 14, 10)
    assert found.context.line == "    throw new RangeError(`quantity of ${line.sku} is negative`);"
    assert found.context.before[-1] == "  if (line.quantity < 0) {"
    assert found.context.after == ("  }", "  return line.price * line.quantity;", "}", "")
    assert read(CHECKOUT_MAP).original(line=1, column=46).name == "priceOf"


def test_an_index_map_is_read_section_by_section():
    first, second = source_map([(0, 0, 0, 0)], sources=["a.ts"]), source_map([(0, 0, 7, 0)], sources=["b.ts"])

    parsed = read(index_map((0, 0, first), (0, 100, index_map((0, 0, second))), (3, 10, second)))

    assert parsed.original(line=1, column=100).file == "a.ts"
    assert [parsed.original(line=line, column=column).file for line, column in ((1, 101), (4, 11))] == ["b.ts"] * 2
    assert parsed.original(line=4, column=11).line == 8


def test_an_index_map_embeds_the_sources_of_each_section():
    sections = [
        (number, 0, source_map([(0, 0, 0, 0)], sources=[f"{number}.ts"], sourcesContent=[f"text {number}"]))
        for number in range(3)
    ]

    parsed = read(index_map(*sections))

    assert [parsed.original(line=n + 1, column=1).context.line for n in range(3)] == ["text 0", "text 1", "text 2"]


# --- Context ----------------------------------------------------------------------------------------------------------


def embedded(text: str, line: int, column: int = 0) -> Context | None:
    found = read(source_map([(0, 0, line, column)], sourcesContent=[text])).original(line=1, column=1)
    context: Context | None = found.context
    return context


def test_up_to_five_lines_before_and_after_are_shown():
    text = "\n".join(f"line {number}" for number in range(20))

    assert embedded(text, 10) == Context(
        tuple(f"line {n}" for n in range(5, 10)), "line 10", tuple(f"line {n}" for n in range(11, 16))
    )
    assert embedded(text, 0) == Context((), "line 0", tuple(f"line {n}" for n in range(1, 6)))
    assert embedded(text, 19) == Context(tuple(f"line {n}" for n in range(14, 19)), "line 19", ())
    assert CONTEXT_LINES == 5


@pytest.mark.parametrize("content", [None, [None], [], ["a\nb"]])
def test_without_the_line_in_an_embedded_source_there_is_no_context(content: Any):
    found = read(source_map([(0, 0, 5, 0)], sourcesContent=content)).original(line=1, column=1)

    assert (found.line, found.context) == (6, None)


def test_lines_end_as_they_do_on_any_system_and_any_alphabet_is_shown():
    assert embedded("eins\r\nzwölf 🍵\r\ndrei", 1) == Context(("eins",), "zwölf 🍵", ("drei",))


def test_a_line_that_is_too_long_is_cut_around_the_column():
    long = "x" * 1_000 + "HERE" + "y" * 1_000

    context = embedded("a" * 3_000 + "\n" + long, 1, 1_000)

    assert context
    assert "HERE" in context.line
    assert (context.line[0], context.line[-1], len(context.line)) == ("…", "…", MAX_LINE + 2)
    assert context.before == ("a" * MAX_LINE + "…",)
    assert cut(long, around=0).startswith("xxx")
    assert cut(long, around=99_999).endswith("yyy")
    assert cut("y" * MAX_LINE) == "y" * MAX_LINE


# --- What is refused --------------------------------------------------------------------------------------------------

SAID = {"version": 3, "sources": ["a"], "names": ["n"], "mappings": "AAAA"}
REFUSED: list[tuple[str, Any, str]] = [
    ("nothing", b"", "truncated"),
    ("no JSON", b"//# sourceMappingURL=app.js.map", "malformed"),
    ("a list", b"[]", "expected `object`"),
    ("a text", b'"map"', "expected `object`"),
    ("truncated", encoded(SAID)[:-9], "truncated"),
    ("two of them", encoded(SAID) * 2, "trailing"),
    ("version 2", SAID | {"version": 2}, "version is not 3"),
    ("version as text", SAID | {"version": "3"}, "version"),
    ("version 3.5", SAID | {"version": 3.5}, "version"),
    ("version true", SAID | {"version": True}, "version"),
    ("no version", {key: value for key, value in SAID.items() if key != "version"}, "version is not 3"),
    ("no sources", {key: value for key, value in SAID.items() if key != "sources"}, "sources"),
    ("no mappings", {key: value for key, value in SAID.items() if key != "mappings"}, "mappings"),
    ("names that are numbers", SAID | {"names": [1, 2]}, "expected `str`, got `int` - at `$.names[0]`"),
    ("sources that are objects", SAID | {"sources": [{}]}, "$.sources"),
    ("mappings that are a list", SAID | {"mappings": []}, "$.mappings"),
    ("content that is a number", SAID | {"sourcesContent": [1]}, "$.sourcesContent"),
    ("a root that is a number", SAID | {"sourceRoot": 1}, "invalid type"),
    ("mappings of no base 64", SAID | {"mappings": "AAAA,!!!!"}, "vlq"),
    ("mappings in another alphabet", SAID | {"mappings": "ÄÄÄÄ"}, "vlq"),
    ("an unfinished mapping", SAID | {"mappings": "AAAg"}, "vlq"),
    ("a number without end", SAID | {"mappings": "g" * 100 + "A"}, "overflow"),
    ("mappings of two numbers", SAID | {"mappings": "AA"}, "segments"),
    ("mappings of six numbers", SAID | {"mappings": "AAAAAA"}, "segments"),
    ("a source that is not there", SAID | {"mappings": "ACAA"}, "bad reference to source"),
    ("a source below none", SAID | {"mappings": "ADAA"}, "bad reference to source"),
    ("a name that is not there", SAID | {"mappings": "AAAAE"}, "bad reference to name"),
    ("half a character", b'{"version":3,"sources":["\\ud800"],"mappings":""}', "hex escape"),
    ("bytes of no UTF-8", b'{"version":3,"sources":["\xff"],"mappings":""}', "utf-8"),
    ("a field twice", b'{"version":3,"sources":[],"mappings":"","mappings":""}', "duplicate"),
    ("depth", b'{"version":3,"x":' + b"[" * 200_000, "too deep"),
    ("sections elsewhere", {"version": 3, "sections": [{"offset": {"line": 0, "column": 0}, "url": "a"}]}, "no map"),
    ("a section at no place", {"version": 3, "sections": [{"map": SAID}]}, "offset"),
    ("a section before the first line", index_map((-1, 0, SAID)), "-1"),
    ("a bad map in a section", index_map((0, 0, SAID | {"version": 1})), "version is not 3"),
]


@pytest.mark.parametrize(("content", "reason"), [each[1:] for each in REFUSED], ids=[each[0] for each in REFUSED])
def test_what_is_no_map_is_refused_with_a_reason(content: Any, reason: str):
    with pytest.raises(SourceMapInvalid) as refusal:
        read(content)

    assert reason in str(refusal.value)


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = SAID
    for _ in range(depth):
        inner = index_map((0, 0, inner))
    return inner


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (SAID | {"sources": [""] * 1_000_000}, "more than 100000 sources"),
        (index_map(*[(n, 0, SAID | {"sources": ["x"] * 60_000}) for n in range(2)]), "more than 100000 sources"),
        (SAID | {"names": [""] * 1_000_001}, "more than 1000000 names"),
        (SAID | {"mappings": "," * MAX_MAPPINGS}, "more than 4000000 mappings"),
        (SAID | {"mappings": ";" * MAX_MAPPINGS}, "more than 4000000 mappings"),
        (index_map(*[(n, 0, SAID) for n in range(MAX_SECTIONS + 1)]), "more than 10000 sections"),
        (nested(MAX_NESTING + 1), "nested more than 3 deep"),
        (b'{"version":3,"sections":[{"offset":{"line":0,"column":0},"map":' * 100_000, "deep|truncated"),
        (b" " * (MAX_BYTES + 1), "larger than 33554432 bytes"),
    ],
)
def test_what_is_too_much_is_refused(content: Any, reason: str):
    with pytest.raises(SourceMapInvalid, match=reason):
        read(content)


def test_as_much_as_is_allowed_is_read():
    assert read(SAID | {"sources": ["x"] * MAX_SOURCES}).original(line=1, column=1).file == "x"
    assert read(nested(MAX_NESTING)).original(line=1, column=1).file == "a"
    assert read(index_map(*[(n, 0, SAID) for n in range(MAX_SECTIONS)])).original(line=MAX_SECTIONS, column=1)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + encoded(SAID),
        b")]}'\n" + encoded(SAID),
        SAID | {"names": None, "file": 5, "x_google_ignoreList": [9], "ignoreList": [9], "extra": [[[{}]]]},
        SAID | {"sourcesContent": ["a", "b", "c"]},
        SAID | {"sourcesContent": None},
    ],
)
def test_what_real_tools_write_is_read(content: Any):
    assert read(content).original(line=1, column=1).file == "a"


def test_a_line_or_column_below_zero_is_no_place():
    parsed = read(SAID | {"mappings": "AADA,CAAA"})

    assert parsed.original(line=1, column=1) is None
    assert read(SAID | {"mappings": "DAAA"}).original(line=1, column=1) is None


@pytest.mark.parametrize("path", ["../../etc/passwd", "C:\\x", "//host/share", "\x00", "\u202egnp.exe", "<script>"])
def test_a_path_is_a_text_and_nothing_else(path: str):
    assert read(SAID | {"sources": [path]}).original(line=1, column=1).file == path


def test_an_empty_map_knows_nothing():
    assert read({"version": 3, "sources": [], "mappings": ""}).original(line=1, column=1) is None
    assert read({"version": 3, "sections": []}).original(line=1, column=1) is None


# --- Packing ----------------------------------------------------------------------------------------------------------


def test_what_is_packed_is_the_same_for_the_same_bytes_and_comes_out_again():
    assert packed(CHECKOUT_MAP) == packed(CHECKOUT_MAP)
    assert unpacked(packed(CHECKOUT_MAP)) == CHECKOUT_MAP
    assert unpacked(CHECKOUT_MAP) == CHECKOUT_MAP


def test_two_megabytes_that_unpack_to_two_hundred_are_refused_without_unpacking_them(monkeypatch: pytest.MonkeyPatch):
    held = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits: int) -> None:
            self.inner = real(wbits)

        def decompress(self, data: bytes, most: int) -> bytes:
            held.append(self.inner.decompress(data, most))
            return held[-1]

        @property
        def eof(self) -> bool:
            return self.inner.eof

    pattern = random.Random(1).randbytes(100)
    bomb = gzip.compress(pattern * 2_000_000, compresslevel=1)
    assert len(bomb) < 4_000_000
    monkeypatch.setattr("errors.sourcemap.zlib.decompressobj", Watched)

    with pytest.raises(SourceMapInvalid, match="larger than 33554432 bytes unpacked"):
        unpacked(bomb)

    assert [len(part) for part in held] == [MAX_BYTES + 1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(packed(CHECKOUT_MAP)[:-20], "truncated gzip"), (b"\x1f\x8b", "truncated gzip"), (b"\x1f\x8bnonsense", "broken")],
)
def test_broken_gzip_is_refused(data: bytes, reason: str):
    with pytest.raises(SourceMapInvalid, match=reason):
        unpacked(data)


def test_what_the_gzip_says_of_its_length_is_not_believed():
    lying = packed(CHECKOUT_MAP)[:-4] + (2**31).to_bytes(4, "little")

    with pytest.raises(SourceMapInvalid, match="broken gzip"):
        unpacked(lying)


# --- Hostile maps, in a process of their own --------------------------------------------------------------------------

SURVIVE = """
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from errors.sourcemap import SourceMapInvalid, read_map
for line in sys.stdin:
    content = json.loads(line).encode("utf-8", "surrogatepass")
    try:
        parsed = read_map(content)
        for at in (0, 1, 2, 3, 1000, 2**31 - 1, 2**31, 2**32):
            for column in (0, 1, 7, 2**31, 2**32):
                parsed.original(line=at, column=column)
        print("read")
    except SourceMapInvalid as reason:
        assert str(reason) and len(str(reason)) <= 200
        print("refused")
"""


def mutilated(rng: random.Random, text: str) -> str:
    """The text with a few characters changed, dropped, doubled."""
    letters = list(text)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(letters))
        odd = ["g", "D", "/", "A", ",", ";", "-", "9", "\\", '"', "{", "[", "null", "1e999", "\ud800", "é"]
        letters[at : at + rng.randrange(3)] = [rng.choice(odd)] * rng.randrange(3)
    return "".join(letters)


def test_no_map_however_broken_ends_the_process():
    rng = random.Random(20260)
    seeds = [CHECKOUT_MAP.decode(), json.dumps(index_map((0, 0, SAID), (2, 5, SAID))), json.dumps(SAID)]
    cases = [mutilated(rng, rng.choice(seeds)) for _ in range(1_500)]
    cases += [json.dumps(SAID | {"mappings": "".join(rng.choices("ADgC/,;", k=30))}) for _ in range(1_500)]
    cases += [json.dumps(SAID | {"mappings": "A," * 2_000_000}), json.dumps(SAID | {"mappings": ";" * 3_999_999})]
    odd: dict[str, Any] = {"x_facebook_sources": [5, [[{}]], [[{"mappings": "!"}]]], "rangeMappings": [5, "!!", ";;B"]}
    cases += [json.dumps(SAID | {name: value}) for name, values in odd.items() for value in values]

    ended = subprocess.run(
        [sys.executable, "-c", SURVIVE],
        input="".join(f"{json.dumps(case)}\n" for case in cases),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )

    assert (ended.returncode, ended.stderr) == (0, "")
    answers = ended.stdout.split()
    assert len(answers) == len(cases)
    assert answers.count("read") > 100
    assert answers.count("refused") > 1_000


# --- Size -------------------------------------------------------------------------------------------------------------

MEASURE = """
import sys
import psutil
from errors.sourcemap import read_map
from tests.maps import big_map
read_map(big_map(100_000))
data = big_map(5_000_000, seed=2)
before = psutil.Process().memory_info().rss
maps = [read_map(data) for _ in range(6)]
for each in maps:
    for column in range(0, 2_000_000, 1_000):
        each.original(line=1, column=column)
print((psutil.Process().memory_info().rss - before) / sum(each.bytes for each in maps))
"""


def test_what_a_map_is_said_to_take_is_about_what_it_takes():
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout

    assert 0.3 < float(measured) < 1.2


def test_the_makers_of_test_maps_write_what_the_specification_says():
    assert [vlq(number) for number in (0, 1, -1, 15, 16, -16, 123, 2**31 - 1)] == [
        "A",
        "C",
        "D",
        "e",
        "gB",
        "hB",
        "2H",
        "+/////D",
    ]
    assert mappings([[(0, 0, 0, 0), (5, 0, 1, 0, 0)], [], [(2, 1, 0, 4)]]) == "AAAA,KACAA;;ECDI"
    assert 4_500_000 < len(big_map(5_000_000)) < 6_500_000
