"""Money, durations and changes as people read them, short and exact. Pure."""

NO_BREAK_SPACE = "\u00a0"
EN_DASH = "\u2013"
MINUS = "\u2212"
DOLLAR = 1_000_000
THOUSANDS = ((10**9, "B"), (10**6, "M"), (10**3, "K"))
# (size in ms, unit, size of the lesser unit beside it, lesser unit)
LONG = ((86_400_000, "d", 3_600_000, "h"), (3_600_000, "h", 60_000, "min"), (60_000, "min", 1_000, "s"))


def money(micros: float | None) -> str:
    """Microdollars: 2500 -> "$0.0025", 12400000 -> "$12.40", 3100000000 -> "$3.1 K"; none -> an en dash.

    Below a dollar up to four decimals, because a call often costs less than a cent; what is less still is "< $0.0001".
    """
    if micros is None:
        return EN_DASH
    sign, amount = (MINUS if micros < 0 else ""), abs(micros) / DOLLAR
    if 0 < amount < 0.0001:
        return f"{sign}<{NO_BREAK_SPACE}$0.0001"
    if amount < 1:
        return f"{sign}${at_least_cents(f'{amount:.4f}')}"
    if amount < 999.995:
        return f"{sign}${amount:.2f}"
    size, unit = next((size, unit) for size, unit in THOUSANDS if amount / size >= 0.9995)
    scaled = amount / size
    digits = 0 if scaled >= 99.95 else 1
    return f"{sign}${scaled:,.{digits}f}".removesuffix(".0") + NO_BREAK_SPACE + unit


def exact_money(micros: float | None) -> str:
    """Microdollars to the last one: 12431250 -> "$12.43125"; none -> an en dash."""
    if micros is None:
        return EN_DASH
    whole, part = divmod(abs(round(micros)), DOLLAR)
    return f"{MINUS if micros < 0 else ''}${at_least_cents(f'{whole:,}.{part:06d}')}"


def at_least_cents(digits: str) -> str:
    """A decimal number without the zeros at its end, but with two decimals."""
    whole, _, part = digits.partition(".")
    return f"{whole}.{part.rstrip('0').ljust(2, '0')}"


def duration(ms: float | None) -> str:
    """Milliseconds: 850 -> "850 ms", 1240 -> "1.2 s", 125000 -> "2 min 5 s"; none -> an en dash."""
    if ms is None:
        return EN_DASH
    if ms < 0:
        return MINUS + duration(-ms)
    if 0 < ms < 1:
        return f"<{NO_BREAK_SPACE}1{NO_BREAK_SPACE}ms"
    if round(ms) < 1_000:
        return f"{round(ms)}{NO_BREAK_SPACE}ms"
    if ms < 59_950:
        return f"{ms / 1_000:.1f}".removesuffix(".0") + f"{NO_BREAK_SPACE}s"
    seconds = round(ms / 1_000) * 1_000
    size, unit, lesser_size, lesser = next(each for each in LONG if seconds >= each[0])
    words = f"{seconds // size:,}{NO_BREAK_SPACE}{unit}"
    rest = seconds % size // lesser_size
    return f"{words} {rest}{NO_BREAK_SPACE}{lesser}" if rest else words


def exact_duration(ms: float | None) -> str:
    """Milliseconds to at most two decimals: 1240.5 -> "1,240.5 ms"; none -> an en dash."""
    if ms is None:
        return EN_DASH
    digits = f"{ms:,.2f}".rstrip("0").removesuffix(".")
    return f"{digits}{NO_BREAK_SPACE}ms"


def percents(value: float | None) -> str:
    """Percents to at most two decimals: 2.35 -> "2.35 %", 12.0 -> "12 %"; none -> an en dash."""
    if value is None:
        return EN_DASH
    return f"{value:.2f}".rstrip("0").removesuffix(".") + f"{NO_BREAK_SPACE}%"


def change(part: float) -> str:
    """How much something grew, as a part of what it was: 0.12 -> "12 % more", -0.5 -> "50 % less"."""
    percents = round(abs(part) * 100)
    if percents == 0:
        return "as before"
    if part > 9:
        return f"{part + 1:,.0f} times as much"
    return f"{percents}{NO_BREAK_SPACE}% {'more' if part > 0 else 'less'}"
