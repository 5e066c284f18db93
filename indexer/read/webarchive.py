"""Saved web pages: MHTML, one page with all its parts in a mail, and WARC, what a crawler was answered."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from dataclasses import replace
from typing import NamedTuple

from indexer.read.limits import Source
from indexer.read.mail import read_mail
from indexer.read.nesting import Inside
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note

_RECORD = re.compile(rb"WARC/\d\.\d+\r?\n")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
_PAGES = ("text/html", "application/xhtml+xml", "text/plain", "application/pdf", "text/markdown", "application/rss+xml",
          "application/atom+xml", "application/xml", "text/xml")  # fmt: skip


def read_mhtml(source: Source) -> Extraction:
    """The page as a browser shows it; style sheets and pictures that it was saved with are counted."""
    mail = read_mail(source)
    pages = tuple(unit for unit in mail.units if unit.place.get("part") != "headers")
    machinery = re.compile(r".*: (?:unsupported|binary|no_text|empty)")
    notes = tuple(
        note for note in mail.notes if not (note.code == "attachment_skipped" and machinery.fullmatch(note.detail))
    )
    kept = tuple(unit for unit in pages if not str(unit.place.get("attachment", "")).lower().endswith((".css", ".js")))
    return replace(mail, units=kept or pages, kind="mhtml", notes=notes)


def read_warc(source: Source) -> Extraction:
    """Every page that was answered with success, under its address; other answers are counted by what they were."""
    inside = Inside(source, "member")
    left_out: Counter[str] = Counter()
    content, at, records = source.content, 0, 0
    while match := _RECORD.search(content, at):
        end = _END_OF_HEADERS.search(content, match.end())
        if end is None:
            break
        headers = _headers(content[match.end() : end.start()])
        length = headers.get("content-length", "")
        at = end.end() + (int(length) if length.isdigit() else 0)
        body = content[end.end() : at] if length.isdigit() else b""
        kind = headers.get("warc-type", "")
        address = headers.get("warc-target-uri", "").strip("<>")
        if kind in ("response", "resource", "conversion"):
            records += 1
            _page(inside, _Record(address, kind, body, headers), left_out)
    for what, count in left_out.items():
        inside.notes.append(Note("member_skipped", f"{count} {what}"))
    if not inside.units:
        raise Unreadable("no_text" if records else "damaged", "no page in the archive")
    return Extraction(
        tuple(inside.units), "warc", notes=tuple(inside.notes), holds={"answers": records, **inside.holds}
    )


class _Record(NamedTuple):
    address: str
    kind: str  # of the record: "response", ...
    body: bytes
    headers: dict[str, str]


def _page(inside: Inside, record: _Record, left_out: Counter[str]) -> None:
    address, kind, body, headers = record
    declared = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "response" and body.startswith(b"HTTP/"):
        end = _END_OF_HEADERS.search(body)
        if end is None:
            return
        status = body[:80].split(b" ", 2)[1:2]
        answered = _headers(body[: end.start()].partition(b"\n")[2])
        declared = answered.get("content-type", "").partition(";")[0].strip().lower()
        body = _unpacked(body[end.end() :], answered)
        if status != [b"200"]:
            left_out["answers without success"] += 1
            return
    if declared not in _PAGES:
        left_out[declared.partition("/")[0] or "answers of unknown type"] += 1
        return
    name = re.sub(r"[\\\x00-\x1f]", "", address) or "page"
    inside.add(name if declared != "text/html" else f"{name}", body, declared)


def _headers(block: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in block.decode("latin-1").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip().lower(), value.strip())
    return found


def _unpacked(body: bytes, headers: dict[str, str]) -> bytes:
    """Without the packing that the answer travelled in."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        pieces, at = [], 0
        while match := re.compile(rb"\r?\n?([0-9a-fA-F]{1,8})[^\r\n]*\r?\n").match(body, at):
            size = int(match[1], 16)
            if not size:
                break
            pieces.append(body[match.end() : match.end() + size])
            at = match.end() + size
        body = b"".join(pieces) or body
    packing = headers.get("content-encoding", "").lower()
    if packing in ("gzip", "x-gzip", "deflate"):
        try:
            return zlib.decompressobj(47 if "gzip" in packing else 15).decompress(body, 64 << 20)
        except zlib.error:
            return body  # crawlers often keep the header of a packing that they undid
    return body
