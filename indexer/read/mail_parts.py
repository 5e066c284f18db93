"""The parts of a mail as they are, whatever their headers say: mended, unpacked, taken out of what is around them."""

from __future__ import annotations

import binascii
import email
import email.policy
import re
from email.message import Message

from indexer.read.charset import decode
from labse_search.errors import Unreadable

_ENVELOPE = re.compile(rb"\A>?From [^\r\n:]*(?:\d\d?:\d\d[^\r\n]*|\d{4}[^\r\n]*)\r?\n(?=[!-9;-~]{1,76}:)")
_FIRST_BOUNDARY = re.compile(r"^--([^\r\n\"]{1,200}?)[ \t]*\r?\n(?:[!-9;-~]{1,76}:|\r?\n)", re.M)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{2,}={0,2}[ \t]*(?:\r?\n|$))+")


def from_headers_on(content: bytes) -> bytes:
    """Without what programs left above the headers: empty lines, a mark of the encoding, a mailbox's "From " line."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):  # saved by an editor
        content = decode(content).text.encode()
    content = content.lstrip(b"\xef\xbb\xbf\r\n \t\0")
    return _ENVELOPE.sub(b"", content, count=1)


def mended(part: Message) -> Message:
    """The part with the bare name of its encoding, and taken apart where its headers do not name the boundary."""
    encoding = str(part.get("Content-Transfer-Encoding", ""))
    plain = re.search(r"[\w-]+", encoding)
    if plain and plain[0] != encoding:
        del part["Content-Transfer-Encoding"]
        part["Content-Transfer-Encoding"] = plain[0]
    body = part.get_payload()
    if part.get_content_maintype() == "multipart" and isinstance(body, str):
        boundary = _FIRST_BOUNDARY.search(body)
        if boundary:
            whole = f'Content-Type: {part.get_content_type()}; boundary="{boundary[1]}"\n\n{body}'
            return email.message_from_string(whole, policy=email.policy.compat32)
    return part


def inner_parts(part: Message) -> list[Message]:
    """The parts of a multipart, those that are broken left out."""
    return [inner for inner in part.get_payload() if isinstance(inner, Message)]


def unpacked(part: Message) -> bytes:
    """The content unpacked. Below base64, a mailing list may have added its footer as it is."""
    content = part.get_payload(decode=True)
    packed = part.get_payload()
    if str(part.get("Content-Transfer-Encoding", "")).strip().lower() == "base64" and isinstance(packed, str):
        begin = len(packed) - len(packed.lstrip())
        match = _BASE64.match(packed, begin)
        footer = packed[match.end() :] if match else ""
        if match and footer.strip():
            try:
                return binascii.a2b_base64(match[0]) + b"\n" + footer.encode("ascii", "surrogateescape")
            except binascii.Error:
                pass  # the whole as the library takes it
    return content if isinstance(content, bytes) else b""


def attachment_bytes(part: Message) -> bytes:
    """The decoded content; of a mail inside the mail, the mail itself. Unreadable where it is broken."""
    kind = part.get_content_type()
    if part.is_multipart() and kind.startswith("message/"):
        inner = part.get_payload()
        try:
            if kind == "message/rfc822" or kind == "message/global":
                return _forwarded(part)
            return b"\n".join(one.as_bytes() for one in inner if isinstance(one, Message))
        except (UnicodeError, LookupError, ValueError, KeyError, AttributeError) as error:
            raise Unreadable("damaged", f"forwarded mail: {type(error).__name__}") from None
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _forwarded(part: Message) -> bytes:
    """The mail inside, which some programs wrap in base64 although they must not."""
    inner = part.get_payload(0)
    if not isinstance(inner, Message):
        return b""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    quoted = encoding == "quoted-printable" and _is_quoted(inner)
    if encoding in ("base64", "quoted-printable") and (quoted or not inner.keys()):
        wrapped = Message()
        wrapped["Content-Transfer-Encoding"] = encoding
        wrapped.set_payload(inner.as_string() if inner.keys() else inner.get_payload())
        content = wrapped.get_payload(decode=True)
        return content if isinstance(content, bytes) else b""
    return inner.as_bytes()


def _is_quoted(inner: Message) -> bool:
    """Whether a mail's own headers, or a body that does not say so, are quoted-printable."""
    if any("=3D" in str(value) for value in inner.values()):
        return True
    body = inner.get_payload()
    plain = isinstance(body, str) and "Content-Transfer-Encoding" not in inner
    return plain and re.search("=[0-9A-F]{2}", str(body)) is not None
