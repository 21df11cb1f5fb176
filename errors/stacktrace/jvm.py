"""Java, Kotlin and whatever else runs on the JVM or on Android: `at pkg.Class.method(File.kt:12)`."""

import re
from collections.abc import Iterator
from typing import Final

from errors.stacktrace.model import Frame, Note, holds_any, number_of

_FOREIGN_CALLS: Final = (
    *(
        "java.",
        "javax.",
        "jdk.",
        "sun.",
        "com.sun.",
        "jakarta.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "groovy.",
        "clojure.",
    ),
    *("android.", "androidx.", "com.android.", "com.google.", "dalvik.", "libcore.", "dagger.", "com.squareup."),
    *("okhttp3.", "okio.", "retrofit2.", "rx.", "io.reactivex.", "io.ktor.", "com.facebook.react.", "coil.", "coil3."),
    *(
        "org.springframework.",
        "org.apache.",
        "org.hibernate.",
        "org.eclipse.",
        "org.jboss.",
        "org.gradle.",
        "org.aspectj.",
    ),
    *("org.junit.", "junit.", "org.testng.", "org.mockito.", "org.slf4j.", "ch.qos.logback.", "org.postgresql."),
    *(
        "io.netty.",
        "io.undertow.",
        "io.micronaut.",
        "io.quarkus.",
        "io.vertx.",
        "io.grpc.",
        "reactor.",
        "akka.",
        "play.",
    ),
    *(
        "com.zaxxer.",
        "com.mysql.",
        "com.fasterxml.",
        "org.codehaus.",
        "net.bytebuddy.",
        "net.sf.cglib.",
        "com.amazonaws.",
    ),
    *("software.amazon.", "io.sentry.", "io.opentelemetry.", "redis.clients.", "io.lettuce.", "org.jetbrains."),
)
_GENERATED: Final = ("$$Lambda", "$$FastClass", "$$Enhancer", "$$SpringCGLIB", "$Proxy", "$$ExternalSynthetic")
# Test names of Kotlin may hold spaces; V8 alone puts one before the parenthesis.
_FRAME: Final = re.compile(r"at ([^(]*[^\s(])\(([^()]*+)\)")
_PLACE: Final = re.compile(r"([^:]+\.\w++|SourceFile|Unknown Source|<generated>|Native Method|\w*+)(?::(\d++))?+")
# `java.base/…`, `app//…`, `java.base@17.0.1/…`; not the slash of `Main$$Lambda/0x0000000800c03000`.
_MODULE: Final = re.compile(r"(?:[\w.@-]*+/)++")
_MORE: Final = re.compile(
    r"\.\.\. \d++ (?:more|common frames|filtered)|- (?:locked|waiting|sleeping|eliminated) |at \["
)


def read(lines: list[str]) -> Iterator[Frame | Note]:
    """Every line that is no frame opens a section: `Caused by: …`, `Suppressed: …`, a thread's name, a message."""
    was_own = True
    for line in lines:
        text = line.strip()
        if frame := _frame(line, text):
            was_own = frame.in_app
            yield frame
        elif _MORE.match(text):
            yield Frame(line, in_app=was_own)
        else:
            yield Note(line, opens=bool(text))


def _frame(raw: str, text: str) -> Frame | None:
    match = _FRAME.match(text)
    if not match or "." not in match[1]:
        return None
    place = _PLACE.fullmatch(match[2])
    if not place:
        return None
    module = _MODULE.match(match[1])
    call = match[1][module.end() :] if module else match[1]
    in_app = not call.startswith(_FOREIGN_CALLS) and not holds_any(call, _GENERATED)
    return Frame(raw, call, place[1] or None, number_of(place[2] or ""), in_app=in_app)
