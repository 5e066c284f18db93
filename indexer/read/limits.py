"""How much one file may cost, and the account that is kept while it is read."""

from __future__ import annotations

from dataclasses import dataclass

from labse_search.errors import Unreadable

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    file_bytes: int = 200 * MEGABYTE  # as it lies on disk
    unpacked_bytes: int = 300 * MEGABYTE  # everything unpacked out of one file, nested archives included
    ratio: int = (
        200  # unpacked : packed of one member over a megabyte; honest XML stays under 100, deflate's top is 1032
    )
    members: int = 5000  # files inside one file, nested archives included
    depth: int = 3  # archives, or messages, inside each other


DEFAULT_LIMITS = Limits()


@dataclass
class Account:
    """What is left of the limits; one for a file and everything nested in it."""

    limits: Limits
    unpacked_bytes: int = 0
    members: int = 0

    def spend_bytes(self, count: int) -> None:
        self.unpacked_bytes += count
        if self.unpacked_bytes > self.limits.unpacked_bytes:
            raise Unreadable("archive_bomb", f"unpacks to more than {self.limits.unpacked_bytes} bytes")

    def spend_members(self, count: int) -> None:
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

    @property
    def extension(self) -> str:
        """Lower case, without the dot; "" if there is none. A leading dot alone (".bashrc") makes no extension."""
        base = self.name.replace("\\", "/").rpartition("/")[2]
        stem, dot, extension = base.rpartition(".")
        return extension.lower() if dot and stem else ""
