"""Making a map as a job: a step counts as a file of it. It outlives the page; a killed one begins again, and what was
there before stays until the new map is whole.

A map is computed anew, or the passages that came since are added to it: theirs are the only positions that are new.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing

import numpy as np

from indexer.job import Job, run_to_end
from labse_search.errors import UserError
from labse_search.library import JobRow, Library, Source
from labse_search.library.records import FileOutcome
from labse_search.map.file import Column, PassageMap, load_map, save_map
from labse_search.map.layout import ROUNDS, Positions, lay_out, lay_out_more
from labse_search.map.neutral import Basis, fit_basis
from labse_search.map.passages import Passages, read_passages
from labse_search.map.topics import find_groups, name_topics
from labse_search.naming import generation_name
from labse_search.settings import Settings
from labse_search.similarity import Vectors
from labse_search.store import Store, open_store

KIND = "map"
FEWEST = 20  # passages: of fewer, a list says more
# Steps with their share of the time: a guess; `python -m benchmarks.mapping cost` measures it.
READ, NEIGHBOURS, LAYOUT, ADD, TOPICS = "reading", "neighbours", "layout", "adding", "topics"
ANEW = ((READ, 10), (NEIGHBOURS, 10), *[(f"{LAYOUT} {one}/{ROUNDS}", 5) for one in range(1, ROUNDS + 1)], (TOPICS, 10))
MORE = ((READ, 10), (ADD, 20), (TOPICS, 10))


def add_map_job(library: Library, store: Store, collection: str, *, anew: bool) -> str:
    """A job that makes the map, or adds to the one that is there. Returns its id; that of the one at work where there
    is one. UserError where the collection has too few passages."""
    for job in library.ledger.jobs.unfinished():
        if job.kind == KIND and job.collection == collection:
            return job.id
    info = store.info(collection)
    if info.segments < FEWEST:
        raise UserError(
            f"Collection {collection!r} has {info.segments} passages; a map needs at least {FEWEST}. "
            "Add more documents."
        )
    known = None if anew else load_map(library.home, collection)
    steps = ANEW if known is None or known.generation != info.generation else MORE
    sources = [Source("", name, share) for name, share in steps]
    return library.ledger.jobs.add(KIND, collection, info.spec.model, sources)


def make_map(library: Library, settings: Settings, job: JobRow, report: Callable[[JobRow], None]) -> JobRow:
    """Do the job, in this process. Its row at the end."""
    with closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store:
        return MapJob(Job(job.id, job.collection, library, store), report=report).run()


class MapJob:
    """One job, in the thread that calls `run`."""

    def __init__(self, job: Job, *, report: Callable[[JobRow], None] = lambda job: None) -> None:
        self._job = job
        self._library = job.library
        self._report = report
        self._steps = [file.source for file in self._library.job_files(job.id)]
        self._done = 0
        self._began = time.monotonic()
        self._passages = 0

    def run(self) -> JobRow:
        """The job's row at its end: done, cancelled, or failed with one sentence."""
        return run_to_end(self._library, self._job.id, self._make, segments=lambda: self._passages)

    def _make(self) -> None:
        for position in range(len(self._steps)):  # of a run that was killed
            self._library.ledger.jobs.set_outcome(self._job.id, position, FileOutcome(""))
        self._tell()
        store, collection = self._job.store, self._job.collection
        info = self._job.patiently(lambda: store.info(collection))
        # The generation by its number: another one may begin to answer meanwhile.
        own = generation_name(collection, info.generation)
        digests = {row.document: row.digest for row in self._library.documents(collection) if row.state == "stored"}
        passages, vectors = self._job.patiently(
            lambda: read_passages(store, own, tell=lambda done, total: self._job.check_requested())
        )
        if len(passages) < FEWEST:
            raise UserError(f"Only {len(passages)} passages can be shown; a map needs at least {FEWEST}.")
        self._passages = len(passages)
        self._next()
        known = load_map(self._library.home, collection) if self._steps[1].name == ADD else None
        if known is not None and known.generation != info.generation:
            known = None
        if known is None:
            basis = fit_basis(vectors, passages.languages)
            reduced = basis.reduce(vectors, passages.languages)
            positions, added = self._laid_out(reduced), 0
        else:
            basis = known.basis
            reduced = basis.reduce(vectors, passages.languages)
            positions, added = self._laid_out_more(known, passages, reduced, digests)
        self._keep(info.generation, info.segments, digests, passages, positions, added, reduced, basis)

    def _laid_out(self, reduced: Vectors) -> Positions:
        def tell(rounds: int) -> None:
            while self._done < 1 + rounds:
                self._next()

        positions = lay_out(reduced, tell=tell)
        tell(ROUNDS + 1)
        return positions

    def _laid_out_more(
        self, known: PassageMap, passages: Passages, reduced: Vectors, digests: dict[str, str]
    ) -> tuple[Positions, int]:
        """All positions, and how many were added since the map was laid out."""
        rows = [
            known.rows.get((document, index), -1) if known.digests.get(document) == digests.get(document) else -1
            for document, index in zip(passages.documents, passages.indexes, strict=True)
        ]
        old = np.array(rows)
        positions = known.positions[old]
        new = old < 0
        if new.any():
            positions[new] = lay_out_more(known.reduced.astype(np.float32), known.positions, reduced[new])
        self._next()
        return positions, known.added + int(new.sum())

    def _keep(
        self, generation: int, segments: int, digests: dict[str, str], passages: Passages, positions: Positions,
        added: int, reduced: Vectors, basis: Basis,
    ) -> None:  # fmt: skip
        groups = find_groups(positions)
        topics = name_topics(positions, groups, passages.texts, passages.languages)
        self._job.check_requested()
        columns = {
            name: Column.made_of(getattr(passages, name)) for name in ("documents", "languages", "kinds", "folders")
        }
        save_map(
            self._library.home,
            PassageMap(
                self._job.collection, generation, time.time(), segments, added, digests, positions=positions,
                indexes=np.array(passages.indexes, np.int32), groups=groups, topics=topics,
                reduced=reduced.astype(np.float16), basis=basis, **columns,
            ),
        )  # fmt: skip
        self._next()

    def _next(self) -> None:
        """A step is done."""
        if self._done < len(self._steps):
            jobs = self._library.ledger.jobs
            jobs.set_outcome(self._job.id, self._done, FileOutcome("added"))
            self._done += 1
        self._tell()

    def _tell(self) -> None:
        """How long it will take, by the shares of the steps."""
        self._job.check_requested()
        done, all_of_it = (sum(step.size for step in steps) for steps in (self._steps[: self._done], self._steps))
        left = (all_of_it - done) * (time.monotonic() - self._began) / done if done else None
        current = self._steps[self._done].name if self._done < len(self._steps) else ""
        self._library.ledger.jobs.set(self._job.id, current=current, seconds_left=left)
        self._report(self._library.job(self._job.id))
