"""Outlook's own forms of a mail: winmail.dat (TNEF), and .msg through the extra package extract-msg."""

from __future__ import annotations

import io
import logging
from typing import Any

from indexer.read.charset import decode
from indexer.read.clean import clean, one_line
from indexer.read.limits import Source
from indexer.read.mail_body import body_units
from indexer.read.nesting import Inside
from indexer.read.web import Page
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Unit


def read_tnef(source: Source) -> Extraction:
    """The body and the attachments inside a winmail.dat; what reads it is tnefparse."""
    import tnefparse

    logging.getLogger("tnefparse").setLevel(logging.CRITICAL)  # it logs what it read
    try:
        tnef = tnefparse.TNEF(source.content)
        attachments = [
            (one_line(text_of(one.long_filename() or "")), bytes(one.data or b"")) for one in tnef.attachments
        ]
        body, page, rich = tnef.body, tnef.htmlbody, tnef.rtfbody
    except Unreadable:
        raise
    except Exception as error:  # it trusts every length in the file: any of a dozen kinds of error
        raise Unreadable("damaged", f"winmail.dat: {type(error).__name__}") from None
    inside = Inside(source)
    for number, (name, content) in enumerate(attachments, 1):
        inside.add(name or f"attachment {number}", content)
    units = body_of(source, text_of(body or ""), text_of(page or ""), bytes(rich or b""))
    return Extraction(
        (*units, *inside.units),
        "tnef",
        notes=tuple(inside.notes),
        holds={"attachments": len(attachments), **inside.holds},
    )


def read_msg(source: Source) -> Extraction:
    """A message that was dragged out of Outlook. Unreadable("needs_package") where extract-msg is not installed."""
    try:
        import extract_msg
    except ImportError:
        raise Unreadable("needs_package", "pip install extract-msg==0.57.0") from None
    logging.getLogger("extract_msg").setLevel(logging.CRITICAL)
    try:
        with extract_msg.openMsg(io.BytesIO(source.content), delayAttachments=True) as message:
            return _message(source, message)
    except Unreadable:
        raise
    except (MemoryError, RecursionError):
        raise
    except Exception as error:  # it has dozens of its own, and olefile's
        raise Unreadable("damaged", f"Outlook message: {type(error).__name__}") from None


def _message(source: Source, message: Any) -> Extraction:
    heads = {"Subject": "subject", "From": "sender", "To": "to", "Cc": "cc", "Date": "date"}
    found = {name: " ".join(clean(str(getattr(message, key, None) or "")).split()) for name, key in heads.items()}
    lines = [f"{name}: {value}" for name, value in found.items() if value]
    units = [Unit("\n".join(lines), {"part": "headers"})] if lines else []
    page = message.htmlBody if hasattr(message, "htmlBody") else None
    units += body_of(source, str(message.body or ""), text_of(page or b""), b"")
    inside = Inside(source)
    attachments = getattr(message, "attachments", [])
    for number, one in enumerate(attachments, 1):
        name = one_line(str(one.longFilename or one.shortFilename or "")) or f"attachment {number}"
        content = one.data
        if isinstance(content, bytes):
            inside.add(name, content)
        elif content is None:
            inside.leave_out(name, "unsupported")
        else:  # a message inside the message
            inside.take(name if name.endswith(".msg") else "message.msg", _message(source, content))
    holds = {"attachments": len(attachments), **inside.holds} if attachments else dict(inside.holds)
    return Extraction(
        (*units, *inside.units), "msg", one_line(found["Subject"]) or None, notes=tuple(inside.notes), holds=holds
    )


def body_of(source: Source, plain: str, page: str, rich: bytes) -> list[Unit]:
    """The plain text, or the HTML or the RTF where there is none or it is much shorter."""
    found = Page(page, {"part": "body"}, of_mail=True).units() if page.strip() else ()
    if found and len(plain.strip()) * 4 < sum(len(unit.text) for unit in found):
        return list(found)
    if not plain.strip() and rich:
        from indexer.read.rich import read_rtf

        return [Unit(unit.text, {"part": "body"}) for unit in read_rtf(Source("body.rtf", rich, source.account)).units]
    return body_units(plain.replace("\r\n", "\n"))


def text_of(value: str | bytes) -> str:
    """A property's text: bytes are decoded by what they look like, NULs at the end are left out."""
    if isinstance(value, str):
        return clean(value).rstrip("\0")
    value = value.rstrip(b"\0")
    try:
        return decode(value).text
    except Unreadable:
        return clean(value.decode("latin-1"))
