"""Calendars (.ics) and address books (.vcf): one unit for each event, task, note or person."""

from __future__ import annotations

import datetime
import quopri
import re
from collections.abc import Iterator
from typing import NamedTuple

from indexer.read.charset import decode
from indexer.read.clean import clean
from indexer.read.limits import Source
from indexer.read.markup import without_markup
from indexer.read.plain import text_extraction
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

# Lines are folded by bytes, and some programs do so inside of a letter of UTF-8.
_FOLDED_LETTER = re.compile(rb"(?<=[\x80-\xff])\r?\n[ \t](?=[\x80-\xbf])")
_FOLD = re.compile(r"\n[ \t]")
_SOFT_BREAK = re.compile(r"(?im)^([^:\n]*;(?:encoding=)?quoted-printable[^:\n]*:(?:.*=\n)+.*)$")
_ESCAPE = re.compile(r"\\([nN,;:\\])")
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)\d\d(Z)?)?")
_MOMENTS = frozenset(("DTSTART", "DTEND", "DUE", "BDAY", "ANNIVERSARY"))  # of what is shown; numbers are no dates
_EVENTS = frozenset(("VEVENT", "VTODO", "VJOURNAL"))
_EVENT_LABELS = {
    "SUMMARY": "", "STATUS": "Status", "DTSTART": "Start", "DTEND": "End", "DURATION": "Duration", "DUE": "Due",
    "RRULE": "Repeats", "LOCATION": "Location", "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee", "CATEGORIES": "Categories", "DESCRIPTION": "", "X-ALT-DESC": "",
    "COMMENT": "Comment", "CONTACT": "Contact",
    "URL": "URL", "RESOURCES": "Resources",
}  # fmt: skip
_CARD_LABELS = {
    "FN": "", "NICKNAME": "Nickname", "ORG": "Organization", "TITLE": "Title", "ROLE": "Role", "ADR": "Address",
    "LABEL": "Address", "TEL": "Telephone", "EMAIL": "Mail", "BDAY": "Birthday", "ANNIVERSARY": "Anniversary",
    "URL": "URL", "CATEGORIES": "Categories", "IMPP": "Messenger", "RELATED": "Related", "NOTE": "Note",
    "X-ABRELATEDNAMES": "Related", "X-PHONETIC-FIRST-NAME": "Spoken", "X-PHONETIC-LAST-NAME": "Spoken",
}  # fmt: skip
_DAYS = {"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday",
         "SU": "Sunday"}  # fmt: skip
_UNITS = {"DAILY": "days", "WEEKLY": "weeks", "MONTHLY": "months", "YEARLY": "years", "HOURLY": "hours"}
_DAY = re.compile(r"([+-]?\d*)(MO|TU|WE|TH|FR|SA|SU)")
_DURATION = re.compile(r"\+?P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_PICTURES = frozenset(("PHOTO", "LOGO", "SOUND", "KEY", "ATTACH"))
_STRUCTURED = frozenset(("ADR", "ORG", "N"))


class _Property(NamedTuple):
    name: str
    parameters: str
    value: str


def read_calendar(source: Source) -> Extraction:
    """iCalendar (.ics): a unit for each event, task or note."""
    return _read(source, "ics", _EVENTS, _EVENT_LABELS)


def read_contacts(source: Source) -> Extraction:
    """vCard (.vcf): a unit for each person."""
    return _read(source, "vcf", frozenset(("VCARD",)), _CARD_LABELS)


def _read(source: Source, kind: str, wanted: frozenset[str], labels: dict[str, str]) -> Extraction:
    decoded = decode(_FOLDED_LETTER.sub(b"", source.content))
    units: list[Unit] = []
    pictures = 0
    inside: list[str] = []
    lines: list[str] = []
    name = ""
    for number, one in enumerate(_properties(decoded.text)):
        if one.name == "BEGIN":
            inside.append(one.value.strip().upper())
            if inside[-1] in wanted:
                lines, name = [], ""
        elif one.name == "END":
            if inside and inside.pop() in wanted and (lines or name):
                units.append(_unit(name, lines, len(units) + 1))
        elif inside and inside[-1] in wanted:
            attached = "base64" in one.parameters.lower() or one.parameters.upper().endswith("ENCODING=B")
            if one.name in _PICTURES or attached:
                pictures += attached or one.value.startswith("data:")
                continue
            value = _beside(one, lines)
            if one.name == "N":
                name = name or value[:200]
            if not value or one.name not in labels:
                continue
            name = value.split("\n")[0][:200] if one.name in ("SUMMARY", "FN") else name
            lines.append(f"{labels[one.name]}: {value}" if labels[one.name] else value)
        elif number > 200_000 and not units:
            break
    if not units:
        extraction = text_extraction(decoded, kind)
        return Extraction(extraction.units, kind, None, decoded.encoding, (*decoded.notes, Note("read_as_text")))
    notes = (
        *decoded.notes,
        *([Note("attachment_skipped", f"{pictures} pictures or files inside")] if pictures else []),
    )
    what = "events" if kind == "ics" else "people"
    return Extraction(tuple(units), kind, encoding=decoded.encoding, notes=notes, holds={what: len(units)})


def _unit(name: str, lines: list[str], row: int) -> Unit:
    """Phones of old write the parts of a name only: then it stands in no line yet."""
    lines = lines if any(line.startswith(name) for line in lines) else [name, *lines]
    place: dict[str, str | int] = {"title": name} if name else {}
    return Unit(clean("\n".join(dict.fromkeys(lines))), {**place, "row": row})


def _beside(one: _Property, lines: list[str]) -> str:
    """The value, as it is said behind these lines."""
    value = _value(one)
    if one.name == "X-ALT-DESC":
        return _described(value, lines)
    return _last_day(value, lines) if one.name == "DTEND" and len(one.value.strip()) == 8 else value


def _described(markup: str, lines: list[str]) -> str:
    """The description with a layout, if it does not stand there as plain text already."""
    text = without_markup(markup)
    return "" if " ".join(text.split())[:60] in " ".join(" ".join(lines[-20:]).split()) else text


def _properties(text: str) -> Iterator[_Property]:
    text = _SOFT_BREAK.sub(lambda whole: whole[1].replace("=\n", ""), text)
    for line in _FOLD.sub("", text).split("\n"):
        head, colon, value = _divided(line)
        if colon:
            name, _, parameters = head.partition(";")
            yield _Property(name.rpartition(".")[2].strip().upper(), parameters, value)


def _divided(line: str) -> tuple[str, str, str]:
    """At the first colon outside quotes: a parameter may hold one."""
    quoted = False
    for at, character in enumerate(line[:2000]):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            return line[:at], ":", line[at + 1 :]
    return line, "", ""


def _value(one: _Property) -> str:
    value = one.value
    if "quoted-printable" in one.parameters.lower():
        charset = re.search(r"charset=\"?([\w-]+)", one.parameters, re.I)
        try:
            value = decode(quopri.decodestring(value.encode("utf-8", "replace")), charset[1] if charset else None).text
        except Unreadable:
            pass  # the words around the escapes are there all the same
    if one.name in ("ORGANIZER", "ATTENDEE"):
        named = re.search(r'CN=(?:"([^"]*)"|([^;:]*))', one.parameters, re.I)
        mail = re.sub(r"(?i)^mailto:", "", value)
        return f"{(named[1] or named[2])} ({mail})" if named else mail
    if one.name in ("RRULE", "DURATION", "STATUS"):
        return {"RRULE": _repeated, "DURATION": _lasting, "STATUS": _status}[one.name](value.strip())
    if one.name in _MOMENTS and _STAMP.fullmatch(value.strip()):
        return _moment(value.strip())
    if one.name in _STRUCTURED:
        parts = re.split(r"(?<!\\)[;]", value)
        value = _name(parts) if one.name == "N" else ", ".join(filter(str.strip, parts))
    return _ESCAPE.sub(lambda escape: "\n" if escape[1] in "nN" else escape[1], value).strip()


def _name(parts: list[str]) -> str:
    """As it is said: title, given names, family; in East Asia the family first."""
    family, given, more, before, after = (part.strip() for part in (*parts, "", "", "", "", "")[:5])
    names = (family, given, more) if family > "\u2e7f" else (given, more, family)
    return " ".join(filter(None, (before, *names, after)))


def _moment(value: str) -> str:
    stamp = _STAMP.fullmatch(value)
    if stamp is None:
        return value
    clock = f" {stamp[4]}:{stamp[5]}{' UTC' if stamp[6] else ''}" if stamp[4] else ""
    return f"{stamp[1]}-{stamp[2]}-{stamp[3]}{clock}"


def _last_day(end: str, lines: list[str]) -> str:
    """Whole days end before the day that DTEND names, but for programs that name the only day twice."""
    try:
        last = (datetime.date.fromisoformat(end) - datetime.timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return end
    return end if f"Start: {end}" in lines else last


def _status(value: str) -> str:
    return value.lower().replace("-", " ")


def _lasting(value: str) -> str:
    """ "PT1H30M" is "1 hour 30 minutes"."""
    parts = _DURATION.fullmatch(value)
    if parts is None:
        return value
    counted = zip(parts.groups(), ("weeks", "days", "hours", "minutes", "seconds"), strict=True)
    return " ".join(f"{count} {unit if count != '1' else unit[:-1]}" for count, unit in counted if count)


def _repeated(value: str) -> str:
    """When an event is again: how often, on which days, until when; what else a rule may hold is left out."""
    rule = dict(part.upper().split("=", 1) for part in value.split(";") if "=" in part)
    often = rule.get("FREQ", "")
    if rule.get("INTERVAL", "1") != "1":
        often = f"every {rule['INTERVAL']} {_UNITS.get(often, often)}"
    days = [_weekday(day[1], day[2]) for day in _DAY.finditer(rule.get("BYDAY", ""))]
    shown = {"BYMONTH": "month {}", "BYMONTHDAY": "day {}", "UNTIL": "until {}", "COUNT": "{} times"}
    rest = [form.format(_moment(rule[name])) for name, form in shown.items() if name in rule]
    return ", ".join(filter(None, [often if " " in often else often.lower(), *days, *rest]))


def _weekday(which: str, day: str) -> str:
    number = which.lstrip("+")
    return f"last {_DAYS[day]}" if number == "-1" else f"{number}. {_DAYS[day]}" if number else _DAYS[day]
