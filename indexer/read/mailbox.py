"""Files that hold mail as programs keep it: mbox, many mails one after the other, and Apple Mail's .emlx."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

from indexer.read.kinds import ENVELOPE
from indexer.read.limits import Source
from indexer.read.mail import read_mail
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_FROM = re.compile(rf"^{ENVELOPE}(?=[!-9;-~]{{1,76}}:|>?From )".encode(), re.M)
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.M)


def read_mbox(source: Source) -> Extraction:
    """ "message" in a place is the number of the mail in the box, "title" its subject."""
    separators = _separators(source.content)
    if not separators:
        raise Unreadable("damaged", "no mail in the mailbox")
    starts = [match.end() for match in separators]
    ends = [match.start() for match in separators][1:] + [len(source.content)]
    units: list[Unit] = []
    notes: list[Note] = []
    holds: Counter[str] = Counter(messages=len(starts))
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        content = _QUOTED_FROM.sub(rb"\1", source.content[start:end])
        try:
            mail = read_mail(replace(source, content=content))
        except Unreadable as error:
            notes.append(Note("message_skipped", f"{number}: {error.code}"))
            continue
        around: dict[str, str | int] = {"message": number, **({"title": mail.title} if mail.title else {})}
        units += [Unit(unit.text, {**around, **unit.place}, unit.headings) for unit in mail.units]
        notes += [Note(note.code, f"message {number}: {note.detail}".rstrip(": ")) for note in mail.notes]
        holds.update(mail.holds)
    if not units:
        raise Unreadable("damaged", "no mail in the mailbox")
    return Extraction(tuple(units), "mbox", notes=tuple(notes), holds=holds)


def _separators(content: bytes) -> list[re.Match[bytes]]:
    """Each "From " line that follows an empty line, or begins the file."""
    begin = len(content) - len(content.lstrip())
    return [
        match
        for match in _FROM.finditer(content)
        if match.start() <= begin or content[max(0, match.start() - 3) : match.start()].endswith((b"\n\n", b"\n\r\n"))
    ]


def read_emlx(source: Source) -> Extraction:
    """A line with the mail's length, the mail, and Apple's own property list, which no person reads."""
    first, _, rest = source.content.lstrip().partition(b"\n")
    end = int(first) if first.strip().isdigit() and len(first) < 12 else len(rest)
    if not rest[end : end + 40].lstrip().startswith((b"<?xml", b"<plist")):  # the length is wrong
        end = rest.rfind(b"<?xml") if b"<plist" in rest[rest.rfind(b"<?xml") :] else len(rest)
    mail = read_mail(replace(source, content=rest[:end]))
    partial = source.name.lower().endswith(".partial.emlx")
    notes = (
        *mail.notes,
        *([Note("attachment_skipped", "kept beside this file by the mail program")] if partial else []),
    )
    return replace(mail, kind="emlx", notes=notes)
