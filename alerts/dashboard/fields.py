"""Fields that stand inside a sentence: a number, a span of time, a short text; each says its name to the ear only."""

from typing import Any

from django import forms

UNITS = ((60, "minutes"), (3_600, "hours"), (86_400, "days"))
SECONDS = (1, "seconds")
MAX_NUMBER = 10**9


def say(name: str, **attrs: Any) -> dict[str, Any]:
    """The attributes of a control in a sentence."""
    return {"aria-label": name, "autocomplete": "off", **attrs}


class SpanWidget(forms.MultiWidget):
    """A number and its unit."""

    def __init__(self, name: str, *, units: tuple[tuple[int, str], ...]) -> None:
        self.units = units
        number = forms.NumberInput(attrs=say(name, min="1", step="1", inputmode="numeric"))
        unit = forms.Select(attrs=say(f"{name}, unit"), choices=[(str(size), words) for size, words in units])
        super().__init__({"number": number, "unit": unit})

    def decompress(self, value: Any) -> list[Any]:
        """Seconds in the largest unit that says them exactly."""
        if not isinstance(value, int):
            return ["", str(UNITS[0][0])]
        size = next((size for size, _ in reversed(self.units) if value % size == 0), 1)
        return [value // size, str(size)]


class SpanField(forms.MultiValueField):
    """A span of time in whole seconds, from 1 to `most`."""

    def __init__(self, name: str, *, most: int, in_seconds: bool = True, **options: Any) -> None:
        units = (SECONDS, *UNITS) if in_seconds else UNITS
        self.most = most
        least = 1 if options.get("required", True) else 0
        wrong = f"{name}: a whole number from {least} on."
        messages = {"invalid": wrong, "min_value": wrong, "max_value": wrong}
        fields = (
            forms.IntegerField(min_value=least, max_value=MAX_NUMBER, required=False, error_messages=messages),
            forms.ChoiceField(choices=[(str(size), words) for size, words in units]),
        )
        super().__init__(
            fields=fields,
            widget=SpanWidget(name, units=units),
            require_all_fields=False,
            label=name,
            error_messages={"required": f"{name}: say how long."},
            **options,
        )

    def compress(self, data_list: Any) -> int | None:
        """The seconds, None for an empty field that may be so."""
        if not data_list or data_list[0] is None:
            if self.required:
                raise forms.ValidationError(self.error_messages["required"], code="required")
            return None
        seconds = int(data_list[0]) * int(data_list[1] or 60)
        if seconds > self.most:
            msg = f"{self.label}: at most {self.most // 86_400} days."
            raise forms.ValidationError(msg)
        return seconds


def whole(name: str, *, least: int = 0, most: int = MAX_NUMBER, **options: Any) -> forms.IntegerField:
    """A whole number in a sentence."""
    return forms.IntegerField(
        label=name,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attrs=say(name, inputmode="numeric", step="1")),
        error_messages=messages_of(name, f"from {least:,} to {most:,}"),
        **options,
    )


class PlainNumber(forms.FloatField):
    """A number that shows no zeros behind its point."""

    def prepare_value(self, value: Any) -> Any:
        """10.0 is shown as 10."""
        return int(value) if isinstance(value, float) and value.is_integer() else value


def number(name: str, *, least: float = 0, most: float = MAX_NUMBER, **options: Any) -> forms.FloatField:
    """A number in a sentence."""
    return PlainNumber(
        label=name,
        min_value=least,
        max_value=most,
        widget=forms.NumberInput(attrs=say(name, inputmode="decimal", step="any")),
        error_messages=messages_of(name, f"from {least:g} to {most:,.0f}"),
        **options,
    )


def messages_of(name: str, bounds: str) -> dict[str, str]:
    """What is said of a number that is missing or out of bounds."""
    wrong = f"{name}: a number {bounds}."
    return {"required": f"{name}: say how many.", "invalid": wrong, "min_value": wrong, "max_value": wrong}


def text(name: str, placeholder: str, *, most: int = 512, **attrs: Any) -> forms.CharField:
    """A short text in a sentence, which may stay empty: then it does not matter."""
    given = say(name, placeholder=placeholder, spellcheck="false", autocapitalize="none", dir="auto", **attrs)
    return forms.CharField(
        label=name,
        required=False,
        max_length=most,
        widget=forms.TextInput(attrs=given),
        error_messages={"max_length": f"{name}: at most {most} characters."},
    )
