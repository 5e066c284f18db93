"""One collection of the embedded store, whatever the system refuses at one moment: what is on the disk stays whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labse_search.errors import CollectionDamaged
from labse_search.records import CollectionSpec, Filter, Segment, StoredSegment
from labse_search.similarity import normalize
from labse_search.store.bm25 import document_rows
from labse_search.store.edge.collection import Collection
from labse_search.store.edge.disk import copy_tree
from labse_search.store.edge.state import read_state
from labse_search.store.payload import to_payload

SPEC = CollectionSpec(8, "f" * 64, "labse-mini")

Refuse = Callable[..., None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Let the system's `call` (of os) fail with this error, once, for the file or folder of this name: before anything
    is done, or after all of it."""

    def refuse(call: str, name: str, error: int, *, after: bool = False) -> None:
        real, left = getattr(os, call), [error]

        def refusing(*arguments: Any, **named: Any) -> Any:
            paths = [Path(one).name for one in arguments if isinstance(one, str | os.PathLike)]
            refused = left.pop() if left and name in paths else 0
            done = real(*arguments, **named) if after or not refused else None
            if refused:
                raise OSError(refused, os.strerror(refused), name)
            return done

        monkeypatch.setattr(os, call, refusing)

    return refuse


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Two hundred segments, at rest."""
    Collection.create(tmp_path / "notes", SPEC)
    collection = Collection(tmp_path / "notes", reserve_mb=0, scan_mb=0)
    put(collection, 0, 200)
    collection.rest()
    yield collection
    collection.release()


def put(collection: Collection, first: int, end: int) -> None:
    segments = [
        StoredSegment(f"{i}", (f"{i}.txt",), (), "txt", 1.0, Segment(0, 0, 3, "cat", "en", {}))
        for i in range(first, end)
    ]
    vectors = np.stack([normalize(np.random.default_rng(i).normal(size=8)) for i in range(first, end)])
    payloads = [to_payload(one) | {"point": one.point} for one in segments]
    words = document_rows([one.segment.text for one in segments])
    collection.upsert(payloads, vectors.astype(np.float32), words, SPEC.fingerprint)


def count_on_disk(collection: Collection, tmp_path: Path) -> int:
    """As after a kill -9 just now: what the next process finds."""
    copy_tree(collection.folder, tmp_path / "found")
    found = Collection(tmp_path / "found", reserve_mb=0)
    try:
        return found.shard.count(Filter())
    finally:
        found.release()


def shards(collection: Collection) -> list[str]:
    return sorted(path.name for path in collection.folder.glob("shard-*"))


def test_an_optimised_copy_serves_where_the_old_one_cannot_be_removed(
    collection: Collection, refuse: Refuse, tmp_path: Path
) -> None:
    """The copy was removed for it, though it served already, and the old one by the next opening."""
    refuse("rmdir", "shard-1", errno.ENOTEMPTY)  # as on a network drive, while somebody has a file open
    collection.optimize()
    assert read_state(collection.folder).shard == "shard-2" and shards(collection) == ["shard-1", "shard-2"]
    put(collection, 200, 201)
    assert count_on_disk(collection, tmp_path) == 201
    assert [path.name for path in (tmp_path / "found").glob("shard-*")] == ["shard-2"]
    put(collection, 201, 202)
    collection.optimize()
    assert shards(collection)[-1] == "shard-3" and collection.shard.count(Filter()) == 202


def test_a_disk_that_is_full_when_the_copy_takes_over_leaves_the_old_one_serving(
    collection: Collection, refuse: Refuse, tmp_path: Path
) -> None:
    """The state in memory named the copy, which was removed; the next write told the file so."""
    refuse("replace", "state.json", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        collection.optimize()
    assert shards(collection) == ["shard-1"]
    put(collection, 200, 201)
    assert read_state(collection.folder).shard == "shard-1"
    assert count_on_disk(collection, tmp_path) == 201
    collection.optimize()
    assert shards(collection) == ["shard-2"] and collection.shard.count(Filter()) == 201


def test_what_was_written_counts_where_only_its_flush_failed(
    collection: Collection, refuse: Refuse, tmp_path: Path
) -> None:
    refuse("replace", "state.json", errno.EIO, after=True)
    collection.optimize()
    assert shards(collection) == [collection.state.shard] == [read_state(collection.folder).shard] == ["shard-2"]
    put(collection, 200, 201)
    assert count_on_disk(collection, tmp_path) == 201


def test_a_disk_that_is_full_at_the_first_write_does_not_condemn_what_is_written_next(
    collection: Collection, refuse: Refuse, tmp_path: Path
) -> None:
    """The file said 200 segments at rest while more were written: a kill then left a "damaged" collection."""
    refuse("replace", "state.json", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        put(collection, 200, 210)
    put(collection, 200, 210)
    assert read_state(collection.folder).segments is None
    assert count_on_disk(collection, tmp_path) == 210


def test_a_copy_that_could_not_be_made_is_made_by_the_next_try(collection: Collection, refuse: Refuse) -> None:
    """What was there of it stopped every later one."""
    refuse("mkdir", "segments", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        collection.optimize()
    assert shards(collection) == ["shard-1"]
    collection.optimize()
    assert shards(collection) == ["shard-2"] and collection.shard.count(Filter()) == 200


def test_nothing_is_removed_where_the_shard_that_counts_is_missing(collection: Collection, tmp_path: Path) -> None:
    """Its copy may be all that is left of the collection."""
    copy_tree(collection.folder, tmp_path / "found")
    (tmp_path / "found" / "shard-1").rename(tmp_path / "found" / "shard-2")
    with pytest.raises(CollectionDamaged, match="shard-1 is missing"):
        Collection(tmp_path / "found")
    assert (tmp_path / "found" / "shard-2").is_dir()
