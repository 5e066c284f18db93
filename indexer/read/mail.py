"""One mail in: its subject, its body, and every attachment that holds text out."""

from __future__ import annotations

import email
import email.errors
import email.policy
import email.utils
import re
from collections.abc import Callable, Iterator
from email.header import decode_header
from email.message import Message

from indexer.read.archive import nested_place
from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.web import Page
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_HEADERS = ("Subject", "From", "To", "Cc", "Date")


def read_mail(source: Source, read_nested: Callable[[Source], Extraction]) -> Extraction:
    """The body is the plain text, or the HTML where there is no plain text or it is much shorter than the HTML."""
    limits = source.account.limits
    if source.depth >= limits.depth:
        raise Unreadable("archive_too_deep", f"{source.depth} mails or archives around it")
    # compat32: the newer policy raises on malformed headers, which strangers' mail is full of
    message = email.message_from_bytes(source.content, policy=email.policy.compat32)
    if not message.keys():
        raise Unreadable("damaged", "no mail headers")
    subject = one_line(_header(message, "Subject"))
    heads = [f"{name}: {text}" for name in _HEADERS if (text := " ".join(clean(_header(message, name)).split()))]
    units = [Unit("\n".join(heads), {"part": "headers"})] if heads else []
    bodies, attachments = _parts(message)
    body_units, notes = _body(bodies)
    units += body_units
    source.account.spend_members(len(attachments))
    for number, part in enumerate(attachments, 1):
        name = one_line(_filename(part)) or f"attachment {number}"
        try:
            content = _attachment_bytes(part)
            source.account.spend_bytes(len(content))
            read = read_nested(Source(name, content, source.account, source.depth + 1))
        except Unreadable as error:
            notes.append(Note("attachment_skipped", f"{name}: {error.code}"))
            continue
        units += [Unit(unit.text, nested_place("attachment", name, unit.place)) for unit in read.units]
        notes += [Note(note.code, f"{name}: {note.detail}") for note in read.notes]
    return Extraction(tuple(units), "eml", subject or None, notes=tuple(notes))


def _parts(message: Message) -> tuple[list[Message], list[Message]]:
    """(texts of the body, attachments), without recursion: parts can be nested a thousand deep."""
    bodies, attachments = [], []
    waiting = [message]
    while waiting:
        part = waiting.pop()
        kind = part.get_content_type()
        if kind.startswith("multipart/") and part.is_multipart():
            waiting += reversed([inner for inner in part.get_payload() if isinstance(inner, Message)])
        elif kind in ("text/plain", "text/html") and not _is_attached(part):
            bodies.append(part)
        else:
            attachments.append(part)
    return bodies, attachments


def _is_attached(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment") or bool(_filename(part))


def _body(parts: list[Message]) -> tuple[list[Unit], list[Note]]:
    plain, rich, notes = [], [], []
    for part in parts:
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes) or not content.strip():
            continue
        try:
            decoded = decode(content, str(part.get_content_charset() or "") or None)
        except Unreadable as error:
            notes.append(Note("body_skipped", error.code))
            continue
        notes += decoded.notes
        if part.get_content_type() == "text/html":
            page = Page(decoded.text)
            rich += [unit.text for unit in page.units()]
            notes += page.notes()
        else:
            plain.append(decoded.text.strip())
    # A plain part that only says "your program can't show this message" is no stand-in for the HTML.
    chosen = plain if sum(map(len, plain)) * 4 >= sum(map(len, rich)) else rich
    text = clean("\n\n".join(chosen)).strip()
    return ([Unit(text, {"part": "body"})] if text else []), notes


def _attachment_bytes(part: Message) -> bytes:
    if part.get_content_type() == "message/rfc822" and part.is_multipart():
        inner = part.get_payload(0)
        try:
            return inner.as_bytes() if isinstance(inner, Message) else b""
        except (UnicodeError, LookupError, ValueError, KeyError, AttributeError) as error:
            raise Unreadable("damaged", f"forwarded mail: {type(error).__name__}") from None
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _filename(part: Message) -> str:
    if part.get_content_type() == "message/rfc822":
        return "message.eml"
    for header, parameter in (("Content-Disposition", "filename"), ("Content-Type", "name")):
        try:
            value = part.get_param(parameter, header=header)
            if value:
                return "".join(_words(email.utils.collapse_rfc2231_value(value)))
        except (UnicodeError, LookupError, ValueError, TypeError):
            continue  # a name that can't be decoded: the attachment is read under a number
    return ""


def _header(message: Message, name: str) -> str:
    # Not message.get: it gives raw bytes, which old mail has, as U+FFFD.
    values = (value for key, value in message.raw_items() if key.lower() == name.lower())
    unfolded = re.sub(r"\r?\n[ \t]+", " ", str(next(values, "")))
    return "".join(_words(unfolded))


def _words(value: str) -> Iterator[str]:
    """The text of a header that may hold =?charset?…?= words, or raw bytes in any charset."""
    try:
        parts = decode_header(value)
    except (ValueError, LookupError, UnicodeError, email.errors.HeaderParseError):
        parts = [(value, None)]
    for word, charset in parts:
        raw = word if isinstance(word, bytes) else word.encode("ascii", "surrogateescape") if _is_raw(word) else None
        if raw is None:
            yield str(word)
            continue
        try:
            yield decode(raw, charset if charset != "unknown-8bit" else None).text
        except Unreadable:
            yield raw.decode("latin-1")


def _is_raw(word: str) -> bool:
    return all(character < "\x80" or "\udc80" <= character <= "\udcff" for character in word)
