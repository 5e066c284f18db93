"""How much one file may cost, and the account that is kept while it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labse_search.errors import Unreadable
from labse_search.records import Extraction

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one file may cost to read. Beyond them it is Unreadable, with what was too much."""

    file_bytes: int = 200 * MEGABYTE  # as it lies on disk
    unpacked_bytes: int = 300 * MEGABYTE  # everything unpacked out of one file, nested archives included
    ratio: int = (
        200  # unpacked : packed of one member over a megabyte; honest XML stays under 100, deflate's top is 1032
    )
    members: int = 5000  # files inside one file, nested archives included
    depth: int = 3  # archives, or messages, inside each other
    ocr: str = ""  # text in pictures: "" is not read, "auto", or Tesseract's names of languages ("deu+rus")


DEFAULT_LIMITS = Limits()


@dataclass
class Account:
    """What is left of the limits; one for a file and everything nested in it."""

    limits: Limits
    unpacked_bytes: int = 0
    members: int = 0

    def spend_bytes(self, count: int) -> None:
        """Counts unpacked bytes; Unreadable beyond the limit."""
        self.unpacked_bytes += count
        if self.unpacked_bytes > self.limits.unpacked_bytes:
            raise Unreadable("archive_bomb", f"unpacks to more than {self.limits.unpacked_bytes} bytes")

    def spend_members(self, count: int) -> None:
        """Counts files inside the file; Unreadable beyond the limit."""
        self.members += count
        if self.members > self.limits.members:
            raise Unreadable("archive_too_many_files", f"{self.members} members, the limit is {self.limits.members}")


@dataclass(frozen=True)
class Source:
    """One file, or one member of an archive or message, on its way to a reader."""

    name: str  # with "/" separators; only a label, nothing is ever opened or written by this name
    content: bytes
    account: Account
    depth: int = 0  # how many archives or messages it lies inside
    declared: str = ""  # the media type that the outer file gives it, lower case: "text/csv"
    reader: Callable[[Source], Extraction] | None = None  # of what lies inside it

    def read_inside(self, name: str, content: bytes, declared: str = "") -> Extraction:
        """A file that lies inside this one. Unreadable, too, if it lies inside too many others."""
        if self.reader is None or self.depth >= self.account.limits.depth:
            raise Unreadable("archive_too_deep", f"{self.depth} files around it")
        return self.reader(Source(name, content, self.account, self.depth + 1, declared, self.reader))

    @property
    def extension(self) -> str:
        """Lower case, without the dot; "" if there is none. A leading dot alone (".bashrc") makes no extension."""
        base = self.name.replace("\\", "/").rpartition("/")[2]
        stem, dot, extension = base.rpartition(".")
        return extension.lower() if dot and stem else ""
