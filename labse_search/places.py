"""The words for where something stands, as people read them and put them in citations."""

from __future__ import annotations

from labse_search.records import Place

_INSIDE = " › "  # between an archive's member or a mail's attachment and what is in it
_BETWEEN = " · "


def describe_place(place: Place) -> str:
    """A place as a person cites it: "p. 12 of 80 · Methods", "Sheet1, row 17", "notes/a.txt › line 3"; "" for none.

    The order is the same for every format: container, chapter, page or slide, sheet and row, time, heading, line.
    """
    containers = [str(place[key]) for key in ("member", "attachment") if place.get(key)]
    inside = _BETWEEN.join(part for part in _parts(place) if part)
    return _INSIDE.join([*containers, inside] if inside else containers)


def cite(name: str, place: Place) -> str:
    """A document's name with the place in it: "report.pdf, p. 12", "mail.zip › notes/a.txt › line 3"."""
    where = describe_place(place)
    if not where:
        return name
    return f"{name}{_INSIDE if place.get('member') or place.get('attachment') else ', '}{where}"


def _parts(place: Place) -> list[str]:
    """What is known of the place inside its file, widest first."""
    chapter = _numbered("chapter", place.get("chapter"))
    sheet, row = place.get("sheet"), _numbered("row", place.get("row"))
    headings = [str(place[key]) for key in ("title", "section") if place.get(key)]
    part = str(place.get("part", ""))
    return [
        _numbered("message", place.get("message")),
        chapter,
        _counted("p.", place.get("page"), place.get("pages")),
        _counted("slide", place.get("slide"), place.get("slides")),
        f"{sheet}, {row}" if sheet and row else str(sheet or "") or row,
        str(place.get("time", "")),
        *[heading for i, heading in enumerate(headings) if heading not in headings[:i]],
        "" if part == "body" else part,  # the body is what a person expects
        _numbered("paragraph", place.get("paragraph")),
        _numbered("line", place.get("line")),
        str(place.get("path", "")),
    ]


def _numbered(word: str, value: str | int | None) -> str:
    """ "chapter 2", but a name as it stands: "Prologue"."""
    if value is None or value == "":
        return ""
    return f"{word} {value}" if str(value).isdecimal() else str(value)


def _counted(word: str, number: str | int | None, of: str | int | None) -> str:
    if number is None or number == "":
        return ""
    return f"{word} {number} of {of}" if of else f"{word} {number}"
