"""Swift and Objective-C: crash reports, `Thread.callStackSymbols`, and the backtraces of Swift on Linux."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, number_of, split_position

_FOREIGN_IMAGES: Final = (
    *("UIKit", "CoreFoundation", "Foundation", "SwiftUI", "QuartzCore", "GraphicsServices", "CFNetwork", "CoreData"),
    *("AttributeGraph", "AppKit", "HIToolbox", "CoreGraphics", "CoreImage", "CoreText", "CoreAnimation", "CoreML"),
    *("CoreLocation", "CoreMedia", "CoreAudio", "CoreAutoLayout", "AVFoundation", "AVFAudio", "AVFCore", "WebKit"),
    *("WebCore", "JavaScriptCore", "StoreKit", "MapKit", "Metal", "Combine", "Network", "Security", "SpriteKit"),
    *("SceneKit", "UserNotifications", "BackgroundTasks", "RunningBoard", "BoardServices", "BaseBoard", "FrontBoard"),
    *("XCTest", "libdispatch", "libsystem", "libobjc", "libswift", "libc++", "libc.so", "libxpc", "libsqlite"),
    *("dyld", "???", "ld-linux", "XPCService", "swift-", "Swift runtime"),
)
_FOREIGN_PLACES: Final = ("/swift-corelibs-", "/usr/lib/swift/", "/.build/checkouts/", "/SourcePackages/checkouts/")
# Swift on Linux says behind the index how it knows the call, and of which ones it is sure they are not yours.
_INDEX: Final = re.compile(r"\d++((?:[ \t]++\[[a-z]++\])*+)[ \t]++")
_ADDRESS: Final = re.compile(r"(?<![^ \t])0x[0-9a-fA-F]++(?![^\s])")
_OFFSET: Final = re.compile(r" \+ \d++\Z")
_OPENINGS: Final = (
    *("Thread ", "Last Exception Backtrace", "Binary Images", "Current stack trace", "Registers", "Exception Type"),
    *("*** First throw call", "*** Terminating"),
)


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """Threads and the parts of a crash report are sections of their own."""
    for line in lines:
        text = line.strip()
        yield _frame(line, text) or Note(line, opens=text.startswith(_OPENINGS))


def _frame(raw: str, text: str) -> Frame | None:
    index = _INDEX.match(text)
    if not index:
        return None
    address = _ADDRESS.search(text, index.end())
    if not address:
        return None
    image, symbol = text[index.end() : address.start()].strip(), text[address.end() :].strip()
    if not image and not symbol:
        return None
    function, image, file, line, column = _symbol(symbol, image)
    is_foreign = image.startswith(_FOREIGN_IMAGES) or "[system]" in index[1] or holds_any(file or "", _FOREIGN_PLACES)
    if not symbol:
        function = address[0]
    return Frame(raw, function, file or image or None, line, column, not is_foreign)


def _symbol(symbol: str, image: str) -> tuple[str, str, str | None, int | None, int | None]:
    """What a symbol says: (function, image, file, line, column).

    `f() + 44`, `f() + 44 (A.swift:31)`, `f() (in Shop) (A.swift:31)`, `A.f line 67` as some SDKs write; and without
    an image before it `f() + 12 in shop at /srv/a.swift:3:15`.
    """
    symbol, file, line, column = _without_place(symbol)
    symbol = symbol.removesuffix(f" (in {image})")
    if not image:
        name, inside, last = symbol.rpartition(" in ")
        if inside and "(" not in last:  # not `closure #1 in total(_:)`
            symbol, image = name, last
    if not symbol.startswith("0x"):  # `0x102f0000 + 16536` is all that is known
        symbol = _OFFSET.sub("", symbol)
    return symbol, image, file, line, column


def _without_place(symbol: str) -> tuple[str, str | None, int | None, int | None]:
    """The symbol and, where one stands behind it, its (file, line, column)."""
    head, _, words = symbol.rpartition(" line ")
    if head and (line := number_of(words)) is not None:
        return head, None, line, None
    if symbol.endswith(")"):
        head, _, place = symbol[:-1].rpartition(" (")
    else:
        head, _, place = symbol.rpartition(" at ")
    file, line, column = split_position(place)
    return (head, file, line, column) if head and line is not None else (symbol, None, None, None)
