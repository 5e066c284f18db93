"""Searches that a person saved: one JSON file a collection in the home, with what each found when it was last opened.

What is found now and was not then is new, whether the document is new, changed, or became closer by another model.
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from labse_search.errors import UserError
from labse_search.files import changing, written_aside

MOST = 50  # searches of one collection: all are asked when somebody looks whether there is anything new
MOST_SEEN = 5_000  # passages remembered of one search, the latest


@dataclass(frozen=True)
class SavedSearch:
    """A question with its filters, and the passages that it had found."""

    id: str
    address: str  # the part of the page's address after the question mark, without the collection
    question: str
    seen: tuple[str, ...] = ()  # DOCUMENT.INDEX of what was found until it was last opened
    new: tuple[str, ...] = ()  # of these, what was found then for the first time
    saved: float = 0.0  # seconds since the epoch
    opened: float = 0.0


class SavedSearches:
    """Those of all collections of one home. Every call raises UserError for a file that was damaged."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._folder = home / "searches"

    def all(self, collection: str) -> list[SavedSearch]:
        """The newest first."""
        return sorted(self._read(collection), key=lambda one: -one.saved)

    def keep(self, collection: str, address: str, question: str, found: Sequence[str]) -> None:
        """Save a search with what it finds now. UserError when there are too many."""
        now = time.time()
        one = SavedSearch(uuid.uuid4().hex[:12], address, question, tuple(found), saved=now, opened=now)

        def add(searches: list[SavedSearch]) -> list[SavedSearch]:
            if any(other.address == address for other in searches):
                return searches
            if len(searches) >= MOST:
                raise UserError(f"A collection keeps at most {MOST} searches. Remove some.")
            return [*searches, one]

        self._change(collection, add)

    def open(self, collection: str, wanted: str, found: Sequence[str]) -> None:
        """What is found now counts as seen from the next time on."""

        def seen(one: SavedSearch) -> SavedSearch:
            known = set(one.seen)
            new = tuple(passage for passage in found if passage not in known)
            return replace(one, seen=(*new, *one.seen)[:MOST_SEEN], new=new, opened=time.time())

        self._change(collection, lambda searches: [seen(one) if one.id == wanted else one for one in searches])

    def drop(self, collection: str, wanted: str) -> None:
        """Forget the search with this id."""
        self._change(collection, lambda searches: [one for one in searches if one.id != wanted])

    def move(self, collection: str, to: str) -> None:
        """The searches of a collection that got another name, or was merged into another one."""
        self.add(to, self.all(collection))
        with changing(self._home, "searches"):
            self._file(collection).unlink(missing_ok=True)

    def add(self, collection: str, searches: Sequence[SavedSearch]) -> None:
        """Saved searches of another collection or home; one that asks the same here stays as it is."""

        def joined(there: list[SavedSearch]) -> list[SavedSearch]:
            known = {one.address for one in there}
            return [*there, *(one for one in searches if one.address not in known)]

        if searches:
            self._change(collection, joined)

    def _change(self, collection: str, act: Callable[[list[SavedSearch]], list[SavedSearch]]) -> None:
        with changing(self._home, "searches"):
            searches = act(self._read(collection))
            with written_aside(self._file(collection)) as lines:
                value = {"collection": collection, "searches": [asdict(one) for one in searches]}
                json.dump(value, lines, ensure_ascii=False, indent=1)

    def _file(self, collection: str) -> Path:
        # Names of collections may hold any letters; names of files may not everywhere.
        return self._folder / f"{hashlib.sha256(collection.encode()).hexdigest()[:32]}.json"

    def _read(self, collection: str) -> list[SavedSearch]:
        file = self._file(collection)
        try:
            return [_search(row) for row in json.loads(file.read_text(encoding="utf-8"))["searches"]]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise UserError(f"The searches in {file.name} are damaged. Restore the file, or move it away.") from error


def _search(row: dict[str, Any]) -> SavedSearch:
    """TypeError for one that is not whole; what a later version wrote beside is passed over."""
    known = {field.name: row[field.name] for field in fields(SavedSearch) if field.name in row}
    return SavedSearch(**known | {"seen": tuple(row["seen"]), "new": tuple(row["new"])})
