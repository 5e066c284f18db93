"""ZIP files: opened with care, and read member by member. Nothing is ever written to disk."""

from __future__ import annotations

import io
import posixpath
import re
import stat
import zipfile
import zlib

from indexer.read.charset import decode
from indexer.read.clean import one_line
from indexer.read.limits import MEGABYTE, Source
from labse_search.errors import Unreadable
from labse_search.records import Place

_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError)
_UTF8_NAME = 0x800
_ENCRYPTED = 0x1


class Archive:
    """A ZIP whose size is within the account's limits. Members are read into memory, one at a time, and paid for."""

    def __init__(self, source: Source) -> None:
        self._account = source.account
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(source.content))
        except _BROKEN as error:
            raise Unreadable("damaged", f"ZIP: {error}") from None
        self.members = self._zip.infolist()
        for member in self.members:
            if "\\" in member.filename and "/" not in member.filename:  # some programs write Windows' own separators
                self._zip.NameToInfo.setdefault(member.filename.replace("\\", "/"), member)
        limits = self._account.limits
        if len(self.members) > limits.members:
            raise Unreadable("archive_too_many_files", f"{len(self.members)} members, the limit is {limits.members}")
        if self._account.unpacked_bytes + sum(member.file_size for member in self.members) > limits.unpacked_bytes:
            raise Unreadable("archive_bomb", f"unpacks to more than {limits.unpacked_bytes} bytes")
        for member in self.members:
            if member.file_size > MEGABYTE and member.file_size > limits.ratio * max(1, member.compress_size):
                raise Unreadable("archive_bomb", f"packed more than {limits.ratio} times")

    def __contains__(self, name: str) -> bool:
        return name in self._zip.NameToInfo

    def names(self, pattern: str) -> list[str]:
        """Members whose whole name matches, each once, sorted by the numbers in them: slide2 before slide10."""
        found = {member.filename for member in self.members if re.fullmatch(pattern, member.filename)}
        return sorted(found, key=lambda name: ([int(digits) for digits in re.findall(r"\d+", name)], name))

    def read(self, member: str | zipfile.ZipInfo) -> bytes:
        """Unreadable("damaged") if it is missing or broken, ("encrypted"), ("unsupported") for a rare packing."""
        info = self._zip.NameToInfo.get(member) if isinstance(member, str) else member
        if info is None:
            raise Unreadable("damaged", f"no member {member}")
        if info.flag_bits & _ENCRYPTED:
            raise Unreadable("encrypted", "a member is encrypted")
        try:
            with self._zip.open(info) as opened:
                content = opened.read(self._account.limits.unpacked_bytes + 1)
        except NotImplementedError as error:
            raise Unreadable("unsupported", f"ZIP: {error}") from None
        except _BROKEN as error:
            raise Unreadable("damaged", f"ZIP: {error}") from None
        except Exception as error:  # lzma and bz2 raise classes of their own, of modules that may be missing
            raise Unreadable("damaged", f"ZIP: {type(error).__name__}") from None
        self._account.spend_bytes(len(content))
        return content

    def relations(self, part: str) -> dict[str, tuple[str, str]]:
        """Of an Office part: relation id → (last word of the type, member it points to)."""
        from indexer.read.xml import events

        folder, _, base = part.rpartition("/")
        name = f"{folder}/_rels/{base}.rels".lstrip("/")
        if name not in self:
            return {}
        found = {}
        for event in events(self.read(name)):
            target = event.attributes.get("Target")
            if event.kind == "start" and target and event.attributes.get("TargetMode") != "External":
                path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                kind = event.attributes.get("Type", "").rpartition("/")[2]
                found[event.attributes.get("Id", "")] = (kind, path)
        return found


def member_name(member: zipfile.ZipInfo) -> str:
    """The path inside a ZIP, as a label, whatever was declared."""
    name = member.orig_filename
    if not member.flag_bits & _UTF8_NAME:
        try:
            name = decode(name.encode("cp437")).text  # zipfile read the bytes as cp437; old tools wrote their own
        except (UnicodeEncodeError, Unreadable):
            pass  # the name as zipfile has it is a label too
    return label(name)


def label(name: str) -> str:
    """A path that an archive declares, with "/" between folders, no drive and no ".."."""
    parts = [part for part in re.split(r"[\\/]+", name.partition("\0")[0]) if part not in ("", ".", "..")]
    if parts and re.fullmatch(r"[A-Za-z]:", parts[0]):
        parts = parts[1:]
    return one_line("/".join(parts)) or "unnamed"


def is_skipped_silently(name: str) -> bool:
    """Folders' own data that systems put beside a person's files: no content of anybody's."""
    parts = name.split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def is_link(member: zipfile.ZipInfo) -> bool:
    """Whether a member of a ZIP is a symbolic link, which is never followed."""
    return stat.S_ISLNK(member.external_attr >> 16)


def nested_place(key: str, name: str, place: Place) -> Place:
    """The place of a unit inside a member or attachment; of nested ones the path runs from the outermost."""
    inner = dict(place)
    if key in inner:
        name = f"{name}/{inner.pop(key)}"
    return {key: name, **inner}
