"""Source maps for tests and the bench, made from mappings in plain numbers."""

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden"
CHECKOUT_MAP = (GOLDEN / "checkout.js.map").read_bytes()  # of two TypeScript files, by esbuild --bundle --minify
CHECKOUT_STACK = (GOLDEN / "checkout.stack.txt").read_text()  # what V8 said of the bundle, under an address
DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

Segment = Sequence[int]  # column; then source, line, column of it; then name. All zero-based


def vlq(number: int) -> str:
    """A number as source maps write it: base 64 digits of five bits, the sign last."""
    rest = abs(number) << 1 | (number < 0)
    text = ""
    while True:
        digit, rest = rest & 31, rest >> 5
        text += DIGITS[digit | 32 if rest else digit]
        if not rest:
            return text


def mappings(lines: Iterable[Iterable[Segment]]) -> str:
    """The segments of each line of a bundle; columns restart with each line, the rest runs on."""
    before, written = [0, 0, 0, 0], []
    for line in lines:
        column, segments = 0, []
        for segment in line:
            digits = vlq(segment[0] - column)
            column = segment[0]
            for place, value in enumerate(segment[1:]):
                digits += vlq(value - before[place])
                before[place] = value
            segments.append(digits)
        written.append(",".join(segments))
    return ";".join(written)


def source_map(*lines: Sequence[Segment], sources: Sequence[str | None] = ("src/a.ts",), **more: Any) -> dict[str, Any]:
    """A regular map; by default one that says that column 4 of the first line is src/a.ts:10:6."""
    said = mappings(lines or [[(4, 0, 9, 6)]])
    return {"version": 3, "sources": list(sources), "names": [], "mappings": said, **more}


def index_map(*sections: tuple[int, int, Any]) -> dict[str, Any]:
    """An index map of (line, column, map)."""
    parts = [{"offset": {"line": line, "column": column}, "map": inner} for line, column, inner in sections]
    return {"version": 3, "sections": parts}


def encoded(content: Any) -> bytes:
    """As a file."""
    return json.dumps(content, ensure_ascii=False).encode()


def big_map(size: int, *, seed: int = 1) -> bytes:
    """A believable map of about `size` bytes, half of it embedded sources: 200 of them, on one bundled line."""
    rng, word = random.Random(seed), "abcdefghijklmnopqrstuvwxyz"
    names = ["".join(rng.choices(word, k=8)) for _ in range(5_000)]
    lines = 25 + size // 2 // 200 // 50
    texts = [
        "\n".join(
            f"  const {rng.choice(names)} = {rng.choice(names)}({rng.choice(names)}, {number});"
            for number in range(lines)
        )
        for _ in range(200)
    ]
    each = size // 2 // 6 // 200
    segments, column = [], 0
    for source in range(200):
        for number in range(each):
            column += rng.randrange(2, 9)
            name = (rng.randrange(len(names)),) if number % 4 == 0 else ()
            segments.append((column, source, number * lines // each, rng.randrange(40), *name))
    sources = [f"../src/part{number}.ts" for number in range(200)]
    return encoded(source_map(segments, sources=sources, names=names, sourcesContent=texts))


def stack_of(frames: int, *, file: str = "https://shop.example/static/app.js", width: int = 2_000_000) -> str:
    """A V8 stack of so many frames, spread over the first line of a bundle."""
    places = [100 + width * number // frames for number in range(frames)]
    return "TypeError: x is undefined\n" + "\n".join(f"    at f{at} ({file}:1:{at})" for at in places)
