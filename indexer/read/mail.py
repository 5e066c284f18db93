"""One mail in: its subject, its body as a mail program shows it, and every attachment that holds text out."""

from __future__ import annotations

import email
import email.errors
import email.policy
import email.utils
import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message

from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.mail_body import body_units, unflowed
from indexer.read.mail_encoded import without_files
from indexer.read.mail_parts import attachment_bytes, from_headers_on, inner_parts, mended, unpacked
from indexer.read.nesting import Inside
from indexer.read.signed import name_inside, signed_content
from indexer.read.web import Page
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note, Unit

_HEADERS = ("Subject", "From", "To", "Cc", "Date")
_SHOWN = frozenset(("text/plain", "text/html", "text/enriched", "text/richtext"))
_PARTS = 2000  # of one mail that are looked at
_SEALED = frozenset(("application/pkcs7-mime", "application/x-pkcs7-mime"))
_DRESS = frozenset("text/css text/javascript application/javascript application/x-javascript".split())  # of saved pages
# Machinery around the content: keys, parts that only sign, the other half of a file from an old Macintosh.
_MACHINERY = frozenset(
    ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature",
     "application/applefile", "application/pgp-encrypted")
)  # fmt: skip


def read_mail(source: Source) -> Extraction:
    """Of the forms of an alternative the plain text, or the HTML where there is no plain text or it is much shorter;
    everything else that stands side by side is read in its order."""
    if source.depth >= source.account.limits.depth:
        raise Unreadable("archive_too_deep", f"{source.depth} mails or archives around it")
    # compat32: the newer policy raises on malformed headers, which strangers' mail is full of
    message = email.message_from_bytes(from_headers_on(source.content), policy=email.policy.compat32)
    if not message.keys():
        raise Unreadable("damaged", "no mail headers")
    subject = one_line(_header(message, "Subject"))
    heads = [f"{name}: {text}" for name in _HEADERS if (text := " ".join(clean(_header(message, name)).split()))]
    letter = _Letter(source)
    letter.follow(message)
    inside = letter.inside
    units = ([Unit("\n".join(heads), {"part": "headers"})] if heads else []) + letter.units
    if subject:  # as in a mailbox: a card says what the mail is about, which its file's name seldom does
        units = [Unit(unit.text, {"title": subject, **unit.place}, unit.headings) for unit in units]
    units += inside.units
    holds = {"attachments": letter.attachments, **inside.holds} if letter.attachments else dict(inside.holds)
    return Extraction(tuple(units), "eml", subject or None, notes=(*letter.notes, *inside.notes), holds=holds)


class _Letter:
    """Follows the parts of a mail."""

    def __init__(self, source: Source) -> None:
        self.units: list[Unit] = []
        self.notes: list[Note] = []
        self.inside = Inside(source)
        self.attachments = 0
        self._seen = 0

    def follow(self, message: Message) -> None:
        """Without recursion: parts can be nested a thousand deep."""
        waiting = [message]
        while waiting:
            part = mended(waiting.pop())
            self._seen += 1
            if self._seen > _PARTS:
                raise Unreadable("archive_too_many_files", f"more than {_PARTS} parts in one mail")
            kind = part.get_content_type()
            if kind == "multipart/alternative" and part.is_multipart():
                waiting += reversed(self._chosen(inner_parts(part)))
            elif kind == "multipart/encrypted":
                self._attach(part, "encrypted")
            elif kind.startswith("multipart/") and part.is_multipart():
                waiting += reversed(inner_parts(part))
            elif kind in _SHOWN and not _is_attached(part):
                self._body(part)
            elif kind not in _MACHINERY and not (kind in _DRESS and not _is_attached(part)):
                self._attach(part)

    def _chosen(self, forms: list[Message]) -> list[Message]:
        """The form that is read, and what is no form of the text: an invitation, an attachment in the wrong place."""
        plain = [form for form in forms if form.get_content_type() == "text/plain"]
        rich = [form for form in forms if form not in plain and (_first_text(form, "text/html") is not None)]
        others = [form for form in forms if form not in plain and form not in rich]
        extra = [part for form in rich for part in _attached(form)] if plain else []
        if not plain or not rich:
            return [*(plain or rich), *others]
        # A plain part that only says "your program can't show this message" is no stand-in for the HTML.
        page = _first_text(rich[-1], "text/html")
        words = sum(len(unit.text) for unit in Page(_decoded(page)[0]).units()) if page is not None else 0
        said = sum(len(_decoded(form)[0].strip()) for form in plain)
        return [*plain, *extra, *others] if said * 4 >= words and said else [rich[-1], *others]

    def _body(self, part: Message) -> None:
        content = unpacked(part)
        if not content.strip():
            return
        rich = part.get_content_type() == "text/html"
        content, files = (content, []) if rich else without_files(content)
        try:
            text, notes = _decoded(part, content)
        except Unreadable as error:
            self.notes.append(Note("body_skipped", error.code))
            return
        self.notes += notes
        if rich:
            page = Page(text, {"part": "body"}, of_mail=True)
            self.units += _joined(page.units())
            self.notes += page.notes()
        else:
            if str(part.get_param("format", "")).lower() == "flowed":
                text = unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes")
            if part.get_content_type() in ("text/enriched", "text/richtext"):
                text = re.sub(r"<param>.*?</param>|</?\w[^<>]*>", "", text, flags=re.S).replace("<<", "<")
            self.units += body_units(text)
        for number, file in enumerate(files, 1):
            self.attachments += 1
            name = one_line(_text_of(file.name)) or f"file {number}"
            if file.content is None:
                self.inside.leave_out(name, "damaged")
            else:
                self.inside.add(name, file.content)

    def _attach(self, part: Message, reason: str = "") -> None:
        self.attachments += 1
        kind = part.get_content_type()
        name = one_line(_filename(part)) or f"attachment {self.attachments}"
        try:
            content = attachment_bytes(part)
        except Unreadable as error:
            self.inside.leave_out(name, error.code)
            return
        if reason:
            self.inside.leave_out(name, reason)
        elif kind in _SEALED:
            self._unseal(name, content)
        elif kind == "message/external-body":
            self.inside.leave_out(name, "link")
        else:
            self.inside.add(name, content, kind)

    def _unseal(self, name: str, content: bytes) -> None:
        try:
            content = signed_content(content)
        except Unreadable as error:
            self.inside.leave_out(name, error.code)
        else:
            name = name_inside(name, content)
            self.inside.add(name, content, "message/rfc822" if name == "message.eml" else "")


def _attached(form: Message) -> list[Message]:
    """Attachments inside a form that is not shown; its pictures belong to it."""
    found, waiting = [], [form]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            waiting += inner_parts(part)
        elif (part.get_content_type() not in _SHOWN or _is_attached(part)) and part.get_content_maintype() != "image":
            found.append(part)
    return found


def _first_text(form: Message, kind: str) -> Message | None:
    waiting = [form]
    while waiting:
        part = waiting.pop()
        if part.get_content_type() == kind and not _is_attached(part):
            return part
        if part.is_multipart() and part.get_content_maintype() == "multipart":
            waiting += reversed(inner_parts(part))
    return None


def _decoded(part: Message, content: bytes | None = None) -> tuple[str, tuple[Note, ...]]:
    if content is None:
        payload = part.get_payload(decode=True)
        content = payload if isinstance(payload, bytes) else b""
    try:
        charset = str(part.get_content_charset() or "")
    except (UnicodeError, LookupError, ValueError, TypeError):
        charset = ""
    decoded = decode(content, charset or None)
    return decoded.text, decoded.notes


def _joined(units: tuple[Unit, ...]) -> list[Unit]:
    """The sections of an HTML mail as one unit for each stretch of the same part."""
    joined: list[Unit] = []
    for unit in units:
        part = unit.place.get("part", "body")
        if joined and joined[-1].place["part"] == part:
            before = joined.pop()
            at = len(before.text) + 2
            headings = (*before.headings, *((start + at, end + at) for start, end in unit.headings))
            joined.append(Unit(f"{before.text}\n\n{unit.text}", {"part": part}, headings))
        else:
            joined.append(Unit(unit.text, {"part": part}, unit.headings))
    return joined


def _is_attached(part: Message) -> bool:
    return str(part.get("Content-Disposition", "")).strip().lower().startswith("attachment") or bool(_filename(part))


def _filename(part: Message) -> str:
    if part.get_content_type() in ("message/rfc822", "message/global"):
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


def _text_of(raw: bytes) -> str:
    try:
        return decode(raw).text
    except Unreadable:
        return raw.decode("latin-1")


def _is_raw(word: str) -> bool:
    return all(character < "\x80" or "\udc80" <= character <= "\udcff" for character in word)
