"""Archives: each member is read by the reader that is for it, archives inside included. ZIP and tar hold many files,
gzip, bzip2 and xz one. Nothing is written to disk, no link is followed."""

from __future__ import annotations

import bz2
import io
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable
from typing import Protocol

from indexer.read.archive import Archive, is_link, is_skipped_silently, label, member_name
from indexer.read.limits import MEGABYTE, Source
from indexer.read.nesting import Inside
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note

_LZMA_MEMORY = 128 * MEGABYTE  # xz -9 asks for 65


def read_zip(source: Source) -> Extraction:
    """Every member, folders and archives inside included; what can't be read is noted with its reason."""
    _check_depth(source)
    archive = Archive(source)
    source.account.spend_members(len(archive.members))
    inside = Inside(source, "member")
    for member in archive.members:
        name = member_name(member)
        if member.filename.endswith("/") or is_skipped_silently(name):
            continue
        if is_link(member):
            _leave_out(inside, name, "link")
        else:
            _add(inside, name, lambda member=member: archive.read(member))  # type: ignore[misc]
    return _all(inside, "zip")


def read_tar(source: Source) -> Extraction:
    """The same of a tar."""
    _check_depth(source)
    inside = Inside(source, "member")
    notes: tuple[Note, ...] = ()
    try:
        with tarfile.open(fileobj=io.BytesIO(source.content), mode="r:") as archive:
            for member in archive:
                source.account.spend_members(1)
                name = label(member.name)
                if member.isdir() or is_skipped_silently(name):
                    continue
                if member.isfile():
                    _add(inside, name, lambda member=member: _tar_bytes(source, archive, member))  # type: ignore[misc]
                else:
                    _leave_out(inside, name, "link" if member.issym() or member.islnk() else "special")
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        if not inside.count:
            raise Unreadable("damaged", f"tar: {error}") from None
        notes = (Note("member_skipped", "the rest of the archive: damaged"),)
    return _all(inside, "tar", notes)


def _tar_bytes(source: Source, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if member.size > source.account.limits.unpacked_bytes - source.account.unpacked_bytes:  # a file full of holes
        raise Unreadable("archive_bomb", f"unpacks to more than {source.account.limits.unpacked_bytes} bytes")
    opened = archive.extractfile(member)
    content = opened.read() if opened else b""
    source.account.spend_bytes(len(content))
    return content


def _add(inside: Inside, name: str, content: Callable[[], bytes]) -> None:
    try:
        inside.add(name, content())
    except Unreadable as error:
        _leave_out(inside, name, error.code)


def _leave_out(inside: Inside, name: str, reason: str) -> None:
    inside.count += 1
    inside.leave_out(name, reason)


def _all(inside: Inside, kind: str, notes: tuple[Note, ...] = ()) -> Extraction:
    found = (*inside.notes, *notes)
    if not inside.units:
        raise Unreadable(_overall(inside.reasons), "; ".join(f"{note.code} {note.detail}" for note in found[:5]))
    return Extraction(tuple(inside.units), kind, notes=found, holds={"members": inside.count, **inside.holds})


def _check_depth(source: Source) -> None:
    if source.depth >= source.account.limits.depth:
        raise Unreadable("archive_too_deep", f"{source.depth} archives around it")


def _overall(reasons: list[str]) -> str:
    """Why a whole archive gives no text: the reason that all its members share."""
    if not reasons:
        return "empty"
    return reasons[0] if len(set(reasons)) == 1 and not re.fullmatch("link|crashed", reasons[0]) else "no_text"


class _Unpacker(Protocol):
    """What zlib, bz2 and lzma have alike."""

    @property
    def unused_data(self) -> bytes: ...
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_PACKERS: dict[bytes, tuple[str, Callable[[], _Unpacker]]] = {
    b"\x1f\x8b": ("gz", lambda: zlib.decompressobj(31)),
    b"BZh": ("bz2", bz2.BZ2Decompressor),
    b"\xfd7zXZ\0": ("xz", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)),
}
_BROKEN = (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError)


def read_packed(source: Source) -> Extraction:
    """The one file inside a gzip, bzip2 or xz, under its name without their extension."""
    mark = next(mark for mark in _PACKERS if source.content.startswith(mark))
    extension, opened = _PACKERS[mark]
    limits = source.account.limits
    most = min(limits.unpacked_bytes, max(MEGABYTE, limits.ratio * len(source.content)))
    pieces, size, rest, whole = [], 0, source.content, True
    try:
        while rest.startswith(mark):  # archives of the web hold one such stream a page
            unpack = opened()
            piece = unpack.decompress(rest, most + 1 - size)
            size += len(piece)
            if size > most:
                raise Unreadable("archive_bomb", f"unpacks to more than {most} bytes")
            pieces.append(piece)
            rest, whole = unpack.unused_data, unpack.eof
    except _BROKEN as error:
        if not pieces:
            raise Unreadable("damaged", f"{extension}: {error}") from None
        whole = False
    if not whole and not size:
        raise Unreadable("damaged", f"{extension}: cut off")
    read = source.read_inside(_name_inside(source.name, extension), b"".join(pieces))
    return read if whole else _cut_off(read)


def _cut_off(read: Extraction) -> Extraction:
    notes = (*read.notes, Note("member_skipped", "the rest of the file: damaged"))
    return Extraction(read.units, read.kind, read.title, read.encoding, notes, read.reader, read.holds)


def _name_inside(name: str, extension: str) -> str:
    """`notes.txt.gz` holds `notes.txt`, `notes.tgz` holds `notes.tar`."""
    stem, dot, given = name.rpartition("/")[2].rpartition(".")
    if not dot:
        return name.rpartition("/")[2]
    if given.lower() == extension:
        return stem
    return f"{stem}.tar" if given.lower() in ("tgz", "tbz", "tbz2", "txz") else f"{stem}.{given}"
