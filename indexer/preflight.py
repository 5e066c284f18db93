"""What indexing files would do, before anything is done: how much of what, what is new, what cannot be read.

The page shows it before a drop is started, `python -m indexer --dry-run` prints it. Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, fields, replace
from pathlib import Path

from indexer.estimate import expected_passages
from indexer.private import PrivateFiles
from indexer.read import SUPPORTED, has_reader
from labse_search.library import Library, Source, document_id

SNIFFED = 4096  # bytes; a NUL among them means that a file of unknown type is no text (UTF-16 has a byte order mark)


@dataclass(frozen=True)
class Preflight:
    """Files sorted by what would become of them."""

    new: tuple[Source, ...]
    already: tuple[Source, ...] = ()
    unsupported: tuple[Source, ...] = ()
    too_large: tuple[tuple[str, int], ...] = ()  # (name, bytes): larger files are not even uploaded
    refused: tuple[str, ...] = ()  # names of those that are gone, or that labse-search keeps for itself
    failed: int = 0  # uploads that did not arrive
    passages: int = 0  # to expect of the new ones
    rate: float | None = None  # passages a second; None when nothing is known of it
    passed_over: tuple[Source, ...] = ()  # links and the like, each with its reason

    @property
    def seconds(self) -> float | None:
        """How long it will take, by the rate of the last jobs; None if nothing was measured."""
        return self.passages / self.rate if self.rate else None

    def and_then(self, other: Preflight) -> Preflight:
        """Both in one: what was dropped first, and what after it. The rate of the second, which was looked at last."""
        added = [one.name for one in fields(self) if one.name != "rate"]
        return Preflight(**{name: getattr(self, name) + getattr(other, name) for name in added}, rate=other.rate)

    def without(self, documents: Set[str]) -> Preflight:
        """The same, but what has one of these contents is there already."""
        known = [source for source in self.new if _content(source) in documents]
        new = tuple(source for source in self.new if source not in known)
        return replace(self, new=new, already=(*self.already, *known))

    def outside(self, folder: Path) -> Preflight:
        """The same without the files that lie in this folder; how many passages are to be expected is as before."""

        def rest(sources: tuple[Source, ...]) -> tuple[Source, ...]:
            return tuple(one for one in sources if one.kept or not Path(one.path).is_relative_to(folder))

        return replace(
            self,
            new=rest(self.new),
            already=rest(self.already),
            unsupported=rest(self.unsupported),
            passed_over=rest(self.passed_over),
        )


def preflight(
    library: Library, collection: str, sources: Sequence[Source], *, max_file_bytes: int, rate: float | None = None
) -> Preflight:
    """Sorts the sources. Reads every new file once, to know whether its content is there already. `rate`: passages a
    second, if that is known (estimate.py)."""
    stored = {row.document for row in library.documents(collection)}
    private = PrivateFiles(library.home)
    new, already, unsupported, passed_over = list[Source](), list[Source](), list[Source](), list[Source]()
    too_large, refused = [], []
    for source in sources:
        path = Path(source.path)
        if source.reason:
            passed_over.append(source)
        elif not _may_be_read(path, private, kept=source.kept):
            refused.append(source.name)
        elif source.size > max_file_bytes:
            too_large.append((source.name, source.size))
        else:
            try:
                kind = (
                    unsupported if not _readable(path, source.name) else already if document_id(path) in stored else new
                )
                kind.append(source)
            except OSError:  # this one only: the others may be read
                passed_over.append(replace(source, reason="not_permitted"))
    return Preflight(
        tuple(new),
        tuple(already),
        tuple(unsupported),
        tuple(too_large),
        refused=tuple(refused),
        passages=expected_passages(library, new),
        rate=rate,
        passed_over=tuple(passed_over),
    )


def _content(source: Source) -> str:
    """The id of what the file holds; "" where it cannot be read any more, which its job will tell."""
    try:
        return document_id(Path(source.path))
    except OSError:
        return ""


def extension(name: str) -> str:
    """Lower case, without the dot; "" if there is none."""
    stem, dot, last = name.rpartition("/")[2].rpartition(".")
    return last.lower() if dot and stem and len(last) <= 8 else ""


def _may_be_read(path: Path, private: PrivateFiles, *, kept: bool) -> bool:
    try:
        return not private.forbids(path, path.stat(), kept=kept)
    except OSError:
        return False


def _readable(path: Path, name: str) -> bool:
    """By its extension or its first bytes; a file of another type may still be text."""
    if extension(name) in SUPPORTED:
        return True
    with path.open("rb") as file:
        head = file.read(SNIFFED)
    return b"\0" not in head or has_reader(head)
