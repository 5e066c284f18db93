"""Numbers of a spreadsheet as its reader sees them: percentages, dates and times, currencies."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

# The formats that XLSX knows by number alone.
_BUILT_IN = {
    1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 14: "iso", 15: "iso", 16: "iso", 17: "iso",
    18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss", 22: "iso h:mm", 45: "mm:ss", 46: "[h]:mm:ss",
    47: "mm:ss.0",
    **dict.fromkeys(range(27, 37), "iso"), **dict.fromkeys(range(50, 59), "iso"),
}  # fmt: skip
_QUOTED = re.compile(r'"([^"]*)"|\\(.)|_.|\*.')
_CURRENCY = re.compile(r"\[\$([^\]\-]*)(?:-[0-9A-Fa-f]+)?\]")
_BRACKETS = re.compile(r"\[(?!h+\]|m+\]|s+\])[^\]]*\]", re.I)
_TOKEN = re.compile(
    r"yyyy|yy|mmmmm|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|ss|s|AM/PM|A/P|\[h+\]|\[m+\]|\[s+\]|\.0+|.", re.I | re.S
)


class Format(NamedTuple):
    """How a spreadsheet shows a number."""

    kind: str  # "number", "percent", "date", "text"
    decimals: int = 0
    code: str = ""  # of a date
    before: str = ""
    after: str = ""
    thousands: int = 0  # how often a thousand is left away: 12000 is shown as 12 k
    places: tuple[int, ...] = ()  # digits between signs of their own: 12-345; leading zeros are shown
    signs: tuple[str, ...] = ()  # between them


def built_in(number: int) -> Format:
    """The format of Excel's own number for it."""
    return parse(_BUILT_IN.get(number, ""))


@lru_cache(maxsize=1000)
def parse(code: str) -> Format:
    """What a number format does to a number that is not negative."""
    first = code.split(";")[0]
    if not first or first.lower() == "general":
        return Format("number", -1)
    shown = _CURRENCY.sub(lambda match: f'"{match[1]}"', first)
    bare = _BRACKETS.sub("", _QUOTED.sub("", shown))
    if "%" in bare:
        return Format("percent", len(re.search(r"\.(0*)", bare)[1]) if "." in bare else 0)  # type: ignore[index]
    if first.startswith("iso") or re.search(r"[ymdhs]", re.sub(r"(?i)general|e[+-]", "", bare), re.I):
        return Format("date", code=_BRACKETS.sub("", shown))
    digits = re.search(r"[#0?][#0?,.\u00a0 ]*", _QUOTED.sub(lambda match: "\x01" * len(match[0]), shown))
    if digits is None:
        return Format("number", -1)
    before, after = shown[: digits.start()], shown[digits.end() :]
    fixed = _fixed(shown)
    if fixed is not None:
        return fixed
    thousands = len(digits[0].rstrip()) - len(digits[0].rstrip().rstrip(","))
    if thousands:
        return Format("number", -1, before=_literal(before), after=_literal(after), thousands=thousands)
    return Format("number", -1, before=_literal(before), after=_literal(after))


def _fixed(code: str) -> Format | None:
    """Numbers that are names: postcodes, telephone and article numbers, with their leading zeros and signs."""
    pieces = re.findall(r'(0+)|"([^"]*)"|\\\\(.)|([-/ ()+.])|(.)', code)
    if any(rest for *_, rest in pieces) or sum(len(zeros) for zeros, *_ in pieces) < 2:
        return None
    places: list[int] = []
    signs = [""]
    for zeros, quoted, single, bare, _ in pieces:
        if zeros:
            places.append(len(zeros))
            signs.append("")
        else:
            signs[-1] += quoted or single or bare
    if "." in "".join(signs[1:-1]) or (len(places) == 1 and places[0] < 2):
        return None  # a decimal point
    return Format("name", places=tuple(places), signs=tuple(signs))


def _named(value: float, form: Format) -> str:
    digits = str(abs(int(value))).zfill(sum(form.places))
    first = len(digits) - sum(form.places[1:])
    parts, at = [digits[:first]], first
    for count in form.places[1:]:
        parts.append(digits[at : at + count])
        at += count
    text = "".join(sign + part for sign, part in zip(form.signs, parts, strict=False)) + form.signs[-1]
    return f"-{text}" if value < 0 else text


def _literal(code: str) -> str:
    """The words and signs in a piece of a format."""
    plain = _BRACKETS.sub("", code)
    words = "".join((quoted[1] or quoted[2] or "") for quoted in _QUOTED.finditer(plain))
    signs = "".join(character for character in _QUOTED.sub("", plain) if character in "$€£¥₽")
    return (words + signs).strip()


def shown(value: float, form: Format, *, from_1904: bool = False) -> str:
    """The number as the format shows it."""
    if form.kind == "percent":
        return f"{_rounded(value, form.decimals)}%"
    if form.kind == "date":
        moment = _moment(value, from_1904)
        return _dated(moment, value, form.code) if moment is not None else plain(value)
    if form.kind == "name":
        return _named(value, form) if value.is_integer() else plain(value)
    text = plain(value / 1000**form.thousands)
    separated = [part for part in (form.before, text, form.after) if part]
    return " ".join(separated)


def _rounded(value: float, decimals: int) -> str:
    """A hundred times the number, a half rounded up: 0.285 is a little less in binary, and a spreadsheet shows 29."""
    if abs(value) >= 1e15 or decimals > 10 or not math.isfinite(value):
        return f"{value * 100:.{decimals}f}"
    exact = Decimal(f"{value:.15g}").scaleb(2)  # the digits that a spreadsheet keeps
    return f"{exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP) + 0:f}"  # zero has no sign


def plain(value: float) -> str:
    """A number without a format: up to 15 digits, no exponent for whole numbers below 10^15."""
    if value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}"  # what a spreadsheet keeps: 0.1 + 0.2 is 0.3


def _moment(serial: float, from_1904: bool) -> datetime.datetime | None:
    if not 0 <= serial < 2_958_466:  # the year 9999
        return None
    begin = datetime.datetime(1904, 1, 1) if from_1904 else datetime.datetime(1899, 12, 31 if serial < 60 else 30)
    return begin + datetime.timedelta(seconds=round(serial * 86400))


def _dated(moment: datetime.datetime, serial: float, code: str) -> str:
    if code.startswith("iso"):
        return moment.date().isoformat() + (f" {_clock(moment)}" if serial % 1 else "")
    layout = _layout(code.split(";")[0])
    if layout.in_words:
        day = moment.date().isoformat()
        return f"{day} {_clock(moment)}" if layout.has_hours else day
    hour = (moment.hour % 12 or 12) if layout.is_half else moment.hour
    parts = []
    for meaning, written in layout.pieces:
        if meaning in _FIELDS:
            parts.append(_FIELDS[meaning](moment, hour))
        elif meaning in _ELAPSED:
            parts.append(str(int(serial * _ELAPSED[meaning] + 1e-6)))
        else:
            parts.append(written)
    return "".join(parts).strip()


def _clock(moment: datetime.datetime) -> str:
    return moment.strftime("%H:%M:%S").removesuffix(":00")


class _Layout(NamedTuple):
    """How a date is put together."""

    in_words: bool  # with names of months or days, of some language
    has_hours: bool
    is_half: bool  # hours up to twelve
    pieces: tuple[tuple[str, str], ...]  # meaning ("M" and "MM" are minutes, "" is a word in quotes), as written


@lru_cache(maxsize=1000)
def _layout(code: str) -> _Layout:
    tokens = _TOKEN.findall(_QUOTED.sub(lambda match: f"\x00{(match[1] or match[2] or ' ')}\x00", code))
    lowered = [token.lower() for token in tokens]
    pieces, literal = [], False
    for at, token in enumerate(lowered):
        if token == "\x00":
            literal = not literal
        elif literal:
            pieces.append(("", tokens[at]))
        elif token in ("m", "mm") and _is_minutes(lowered, at):
            pieces.append((token.upper(), tokens[at]))
        elif not token.startswith(".0"):
            pieces.append((token[:2] if token[0] == "[" else token, tokens[at]))
    known = set(lowered)
    return _Layout(
        in_words=bool(known & {"mmm", "mmmm", "mmmmm", "ddd", "dddd"}),
        has_hours=bool(known & {"h", "hh"}),
        is_half=bool(known & {"am/pm", "a/p"}),
        pieces=tuple(pieces),
    )


_FIELDS: dict[str, Callable[[datetime.datetime, int], str]] = {
    "yyyy": lambda moment, _: f"{moment.year}",
    "yy": lambda moment, _: f"{moment.year % 100:02}",
    "m": lambda moment, _: f"{moment.month}",
    "mm": lambda moment, _: f"{moment.month:02}",
    "d": lambda moment, _: f"{moment.day}",
    "dd": lambda moment, _: f"{moment.day:02}",
    "h": lambda _, hour: f"{hour}",
    "hh": lambda _, hour: f"{hour:02}",
    "M": lambda moment, _: f"{moment.minute}",
    "MM": lambda moment, _: f"{moment.minute:02}",
    "s": lambda moment, _: f"{moment.second}",
    "ss": lambda moment, _: f"{moment.second:02}",
    "am/pm": lambda moment, _: "AM" if moment.hour < 12 else "PM",
    "a/p": lambda moment, _: "A" if moment.hour < 12 else "P",
    "@": lambda *_: "",
}
_ELAPSED = {"[h": 24, "[m": 1440, "[s": 86400}  # of a day


def _is_minutes(tokens: list[str], at: int) -> bool:
    """An m behind hours or before seconds."""
    before = next((t for t in reversed(tokens[:at]) if t[0] in "hsydm["), "")
    after = next((t for t in tokens[at + 1 :] if t[0] in "hsydm["), "")
    return before.startswith(("h", "[h")) or after.startswith("s")
