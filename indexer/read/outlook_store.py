"""Outlook's own mailboxes (.pst, .ost): each message of each folder, through the extra package libpff-python."""

from __future__ import annotations

import email.parser
import email.policy
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.nesting import Inside
from indexer.read.outlook import body_of, text_of
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_MESSAGES = 200_000  # of one store that are read


def read_store(source: Source) -> Extraction:
    """Unreadable("needs_package") where libpff-python is not installed."""
    try:
        import pypff
    except ImportError:
        raise Unreadable("needs_package", "pip install libpff-python==20260926, or readpst of pst-utils") from None
    store = pypff.file()
    try:
        store.open_file_object(io.BytesIO(source.content))
    except (OSError, ValueError) as error:
        raise Unreadable("damaged", f"Outlook data file: {type(error).__name__}") from None
    try:
        return folder_messages(source, store.get_root_folder())
    finally:
        store.close()


def folder_messages(source: Source, root: Any) -> Extraction:
    """What a folder and those inside it hold: "message" in a place is a number, "title" the subject, "section" the
    folders. `root`: a folder as libpff gives it."""
    units: list[Unit] = []
    notes: list[Note] = []
    holds: Counter[str] = Counter()
    for number, (path, message) in enumerate(_messages(root), 1):
        if number > _MESSAGES:
            notes.append(Note("message_skipped", f"more than {_MESSAGES}"))
            break
        holds["messages"] += 1
        try:
            found = _message(source, message)
        except (OSError, ValueError, UnicodeError, Unreadable) as error:  # libpff's errors are OSErrors
            notes.append(Note("message_skipped", f"{number}: {getattr(error, 'code', 'damaged')}"))
            continue
        around: dict[str, str | int] = {"message": number, **({"title": found.title} if found.title else {})}
        folders = {"section": path} if path else {}
        units += [Unit(unit.text, {**around, **unit.place, **folders}, unit.headings) for unit in found.units]
        notes += [Note(note.code, f"message {number}: {note.detail}".rstrip(": ")) for note in found.notes]
        holds.update(found.holds)
    return Extraction(tuple(units), "pst", notes=tuple(notes), holds=dict(holds))


def _messages(root: Any) -> Iterator[tuple[str, Any]]:
    """Each message with the names of its folders, without recursion; a folder that is broken ends with what it gave."""
    waiting = [("", root)]
    while waiting:
        path, folder = waiting.pop(0)
        for at in range(folder.number_of_sub_messages):
            yield path, folder.get_sub_message(at)
        for at in range(folder.number_of_sub_folders):
            inner = folder.get_sub_folder(at)
            waiting.append((" › ".join(part for part in (path, one_line(inner.name or "")) if part), inner))


def _message(source: Source, message: Any) -> Extraction:
    sent = email.parser.HeaderParser(policy=email.policy.compat32).parsestr(message.transport_headers or "")
    subject = one_line(message.subject or "")
    heads = {"Subject": subject, "From": message.sender_name or sent["From"], "To": sent["To"], "Cc": sent["Cc"],
             "Date": message.client_submit_time or sent["Date"]}  # fmt: skip
    lines = [f"{name}: {' '.join(clean(str(value)).split())}" for name, value in heads.items() if value]
    units = [Unit("\n".join(lines), {"part": "headers"})] if lines else []
    plain, page = text_of(message.plain_text_body or b""), text_of(message.html_body or b"")
    units += body_of(source, plain, page, bytes(message.rtf_body or b""))
    inside = Inside(source)
    for at in range(message.number_of_attachments):
        attached = message.get_attachment(at)
        name = one_line(getattr(attached, "long_filename", None) or "") or f"attachment {at + 1}"
        if attached.size > source.account.limits.file_bytes:
            inside.leave_out(name, "too_large")
        else:
            inside.add(name, bytes(attached.read_buffer(attached.size)) if attached.size else b"")
    holds = {"attachments": inside.count, **inside.holds} if inside.count else dict(inside.holds)
    return Extraction((*units, *inside.units), "pst", subject or None, notes=tuple(inside.notes), holds=holds)
