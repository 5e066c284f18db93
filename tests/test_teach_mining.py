"""Mining a collection as a job: what it finds is on the review list, and a pause, a cancel and a kill lose nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from indexer.worker import WORKER, do_job, lock_beside, waiting, worker_of
from labse_search.encoder import load_encoder
from labse_search.errors import UserError
from labse_search.library import JobRow, Library
from labse_search.library.records import FileOutcome
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.settings import Settings
from labse_search.store import Store, open_store
from labse_search.teach import Teaching
from labse_search.teach.mining import Mining, add_mine_job

LANGUAGES = ("en", "de", "fr")
SENTENCES = 60


@dataclass
class Bench:
    library: Library
    settings: Settings
    store: Store
    teaching: Teaching

    def job(self, *languages: str) -> JobRow:
        return self.library.job(add_mine_job(self.library, self.store, "papers", languages))

    def found(self) -> dict[str, int]:
        """Pairs on the list by their languages."""
        counts: dict[str, int] = {}
        for row in self.teaching.pairs.all("papers"):
            name = f"{row.pair.source_language}-{row.pair.target_language}"
            counts[name] = counts.get(name, 0) + 1
        return counts


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lexicon_model(tmp_path_factory.mktemp("models") / "lexicon", dimension=128)


@pytest.fixture
def bench(tmp_path: Path, model: Path) -> Iterator[Bench]:
    """Sixty sentences in each of three languages, one document a language."""
    encoder = load_encoder(str(model))
    settings = Settings(home=tmp_path / "home", model=str(model))
    library = Library(settings.home)
    store = open_store("", home=settings.home)
    store.create("papers", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    for language in LANGUAGES:
        texts = [sentence(language, one) for one in random_concepts(SENTENCES, seed=1, length=9)]
        stored = [
            StoredSegment(language, (f"{language}.txt",), (), "txt", 0.0, Segment(i, 0, len(text), text, language, {}))
            for i, text in enumerate(texts)
        ]
        store.upsert("papers", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    yield Bench(library, settings, store, Teaching(settings.home))
    store.close()


def test_all_languages_are_mined_and_what_is_found_is_on_the_list(bench: Bench) -> None:
    job = bench.job()
    assert worker_of(job) != WORKER and bench.job().id == job.id  # one at a time
    done = do_job(bench.library, bench.settings, job)
    assert done is not None and (done.state, done.files_done) == ("done", 3)
    found = bench.found()
    assert found.keys() == {"de-en", "de-fr", "en-fr"} and min(found.values()) >= 50
    assert done.segments == sum(found.values())
    row = bench.teaching.pairs.all("papers")[0]
    assert row.pair.source[2:] and row.pair.score > 1 and row.verdict == ""


def test_two_languages_that_were_named_are_mined_alone(bench: Bench) -> None:
    do_job(bench.library, bench.settings, bench.job("fr", "en"))
    assert bench.found().keys() == {"fr-en"}
    with pytest.raises(UserError, match="between two"):
        bench.job("fr")


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_pause_and_a_cancel_are_heard_and_what_was_found_stays(bench: Bench, action: str, state: str) -> None:
    job = bench.job()

    def report(row: JobRow) -> None:
        if row.files_done == 1:
            bench.library.ask(job.id, action)  # type: ignore[arg-type]

    mining = Mining(bench.library, bench.store, job, teaching=bench.teaching, report=report)
    bench.library.ledger.jobs.start(job.id)
    assert mining.run().state == state
    assert len(bench.found()) == 1
    if state == "paused":
        bench.library.ask(job.id, "")
        done = do_job(bench.library, bench.settings, bench.library.job(job.id))
        assert done is not None and done.state == "done" and done.segments == sum(bench.found().values())
        assert len(bench.found()) == 3


def test_a_killed_job_goes_on_where_it_was_and_waits_for_no_other_kind(bench: Bench) -> None:
    job = bench.job()
    jobs = bench.library.ledger.jobs
    jobs.start(job.id)  # a process that died then: nobody holds the job's lock
    jobs.set_outcome(job.id, 0, FileOutcome("added"))
    assert [one.id for one in waiting(bench.library)] == [job.id]
    lock = bench.library.lock(lock_beside(bench.library.job(job.id)))
    assert lock is not None and do_job(bench.library, bench.settings, bench.library.job(job.id)) is None
    lock.release()
    done = do_job(bench.library, bench.settings, bench.library.job(job.id))
    assert done is not None and done.state == "done" and len(bench.found()) == 2
    assert done.finished is not None and done.finished <= time.time()
