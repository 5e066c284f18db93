"""Files wrapped in a signature (PKCS #7, CMS: .p7m, S/MIME mail that only signs): what was signed, read as what it is.

The signature itself is not checked. Only as much of ASN.1 is read as leads to the content (RFC 5652, section 5)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple

from indexer.read.limits import Source
from labse_search.errors import Unreadable
from labse_search.records import Extraction

_PKCS7 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"  # 1.2.840.113549.1.7; a byte more says what it is
_SIGNED = 2
_HEAD = 64  # bytes in which that stands
_DEEPEST = 12  # elements inside each other; a content in pieces needs six
_OCTETS, _EXPLICIT = 0x04, 0xA0
_ARMOUR = re.compile(rb"\s*-----BEGIN (?:PKCS7|CMS|PKCS #7 SIGNED DATA)-----([^-]+)-----END ")
_BASE64 = re.compile(rb"M[A-Za-z0-9+/=\s]{60}")
_MIME = re.compile(rb"(?:content-[a-z-]+|mime-version):", re.I)


def is_sealed(content: bytes) -> bool:
    """Whether a file is a PKCS #7 wrapper, signed or encrypted."""
    return content[:1] == b"\x30" and _PKCS7 in content[:_HEAD] or _armoured(content[:400]) is not None


def read_signed(source: Source) -> Extraction:
    """The file inside, under its name without .p7m. Unreadable("encrypted") if it is more than signed."""
    content, name = signed_content(source.content), source.name.rpartition("/")[2]
    return source.read_inside(name_inside(name, content), content)


def name_inside(name: str, content: bytes) -> str:
    """What the signed content is to be called: a mail has no name of its own."""
    if _MIME.match(content.lstrip()):
        return "message.eml"
    return re.sub(r"\.(?:p7m|p7s|p7b|p7c|pkcs7)$", "", name, flags=re.I)


def signed_content(content: bytes) -> bytes:
    """What was signed. Unreadable("encrypted") if it is no mere signature, ("no_text") if the signature stands alone,
    ("damaged") if it is cut off."""
    armoured = _armoured(content)
    if armoured is not None:
        content = armoured
    at = content.find(_PKCS7, 0, _HEAD)
    kind = content[at + len(_PKCS7)] if 0 <= at < len(content) - len(_PKCS7) else 0
    if kind != _SIGNED:
        raise Unreadable("encrypted", "PKCS #7")
    try:
        wrapper = next(_elements(content, 0, len(content)))
        data = _child(content, _child(content, wrapper, _EXPLICIT), 0x30)
        inner = _child(content, data, 0x30)  # after the version and the set of digests
        octets = next(_elements(content, *_inside(_child(content, inner, _EXPLICIT))))
        return b"".join(_pieces(content, octets))
    except StopIteration:
        raise Unreadable("no_text", "a signature without what it signs") from None
    except (IndexError, ValueError) as error:
        raise Unreadable("damaged", f"PKCS #7: {error}") from None


def _armoured(content: bytes) -> bytes | None:
    """What stands in base64, None if it does not."""
    match = _ARMOUR.match(content)
    packed = match[1] if match else content if _BASE64.match(content) else b""
    if not packed:
        return None
    try:
        found = base64.b64decode(b"".join(packed.split())[: len(packed) // 4 * 4])
    except (binascii.Error, ValueError):
        return None
    return found if found[:1] == b"\x30" and _PKCS7 in found[:_HEAD] else None


class _Element(NamedTuple):
    tag: int
    start: int
    end: int  # of the content
    depth: int


def _inside(element: _Element) -> tuple[int, int, int]:
    return element.start, element.end, element.depth + 1


def _child(content: bytes, element: _Element, tag: int) -> _Element:
    """The first child with this tag; StopIteration if there is none."""
    return next(child for child in _elements(content, *_inside(element)) if child.tag == tag)


def _pieces(content: bytes, element: _Element) -> Iterator[bytes]:
    """A string of octets, whole or in pieces."""
    if element.tag == _OCTETS:
        yield content[element.start : element.end]
    elif element.tag == _OCTETS | 0x20:
        for child in _elements(content, *_inside(element)):
            yield from _pieces(content, child)


def _elements(content: bytes, at: int, end: int, depth: int = 0) -> Iterator[_Element]:
    while at < end:
        element, at = _element(content, at, depth)
        yield element


def _element(content: bytes, at: int, depth: int) -> tuple[_Element, int]:
    """One element and where the next begins; one without a length ends where its children do."""
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    tag, length, start = content[at], content[at + 1], at + 2
    if length == 0x80:
        end = start
        while content[end : end + 2] != b"\0\0":
            _, end = _element(content, end, depth + 1)
        return _Element(tag, start, end, depth), end + 2
    if length > 0x80:
        start += length & 0x7F
        length = int.from_bytes(content[at + 2 : start])
    if start + length > len(content):
        raise ValueError("cut off")
    return _Element(tag, start, start + length, depth), start + length
