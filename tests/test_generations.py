"""A collection by another model: built beside the one that answers, switched to and back in one step, dropped."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench import Bench
from library_case import MODEL, Home, encoder
from qdrant_client import QdrantClient

from indexer.archive import backup, restore
from indexer.check import check
from indexer.documents import remove_documents, restore_documents
from indexer.generations import delete_collection, drop, finish_switch, switch
from indexer.job import Job
from indexer.reembed import BATCH, FIRST_BATCH, Reembedding, add_reembed_job, next_batch
from indexer.repair import rebuild_ledger, repair
from indexer.sandbox import ReaderPool
from indexer.worker import REEMBEDDING_WORKER, WORKER, reembedding_lock, waiting, worker_of
from labse_search.encoder import Encoder, Task
from labse_search.errors import UserError
from labse_search.home import home_id
from labse_search.library import JobRow, Library
from labse_search.naming import generation_name
from labse_search.records import Filter
from labse_search.search import Searcher
from labse_search.similarity import Vectors
from labse_search.store import Store, open_store
from labse_search.store.qdrant_server import ServerStore


class Turned:
    """Another model in the test's eyes: the same vectors, turned about. `asked`: called before each batch."""

    model = "turned"
    max_concurrent_calls = 1

    def __init__(self, asked: Callable[[], None] = lambda: None) -> None:
        self._encoder = encoder()
        self._asked = asked
        self.dimension = self._encoder.dimension
        self.languages = self._encoder.languages
        self.tokenizer = self._encoder.tokenizer
        self.fingerprint = "f" * 64

    def encode(self, texts: Sequence[str], task: Task = "text", *, check_cancelled: object = None) -> Vectors:
        self._asked()
        return np.ascontiguousarray(self._encoder.encode(texts)[:, ::-1])

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> None:
        return None


@pytest.fixture(params=["edge", "memory"])
def bench(request: pytest.FixtureRequest, tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    library = Library(tmp_path / "home")
    (tmp_path / "files").mkdir()
    store: Store
    if request.param == "edge":
        store = open_store("", home=library.home)
    else:
        store = ServerStore(QdrantClient(":memory:"), ":memory:", home_id(library.home))
    bench = Bench(library, store, readers, tmp_path / "files")
    for number in range(4):
        bench.write(f"{number}.txt", f"The ferry number {number} leaves at noon.")
    assert bench.index().state == "done"
    yield bench
    store.close()


def build(bench: Bench, model: Encoder | None = None) -> JobRow:
    """The job that builds the generation of the other model, done."""
    model = model or Turned()  # type: ignore[assignment]
    assert model is not None
    job = add_reembed_job(bench.library, "notes", model=model.model, fingerprint=model.fingerprint)
    assert job is not None
    return go_on(bench, job, model)


def go_on(bench: Bench, job: str, model: Any) -> JobRow:
    bench.library.ledger.jobs.start(job)
    return Reembedding(Job(job, "notes", bench.library, bench.store), model).run()


def states(bench: Bench) -> list[tuple[int, str]]:
    return [(one.number, one.state) for one in bench.library.ledger.generations.all("notes")]


def vectors(bench: Bench, generation: int) -> dict[str, Vectors]:
    name = generation_name("notes", generation)
    return bench.store.vectors(name, [one.point for one in bench.store.segments(name)])


def test_the_next_generation_has_every_document_and_the_old_one_goes_on_answering(bench: Bench) -> None:
    before = bench.texts()
    row = build(bench)
    assert (row.state, row.outcomes, row.segments) == ("done", {"added": 4}, 4)
    assert states(bench) == [(1, "serving"), (2, "ready")]
    assert bench.store.info("notes").generation == 1 and bench.texts() == before
    old, new = vectors(bench, 1), vectors(bench, 2)
    assert old.keys() == new.keys()
    assert all(np.allclose(old[point][::-1], new[point], atol=1e-3) for point in old)
    assert bench.is_sound()


def test_switching_and_rolling_back_change_what_answers_and_nothing_else(bench: Bench) -> None:
    build(bench)
    before = bench.library.documents("notes")
    assert switch(bench.library, bench.store, "notes", 2) is None
    assert states(bench) == [(1, "ready"), (2, "serving")]
    assert bench.store.info("notes").spec.model == "turned"
    assert bench.library.ledger.collections.all()["notes"] == ("turned", "f" * 64)
    assert bench.library.documents("notes") == before and bench.is_sound()
    assert switch(bench.library, bench.store, "notes", 1) is None
    assert bench.store.info("notes").spec.fingerprint == encoder().fingerprint
    assert bench.library.documents("notes") == before and bench.is_sound()


def test_what_is_added_removed_and_renamed_while_it_is_built_is_so_in_both(bench: Bench) -> None:
    rows = {row.names[0]: row.document for row in bench.library.documents("notes")}

    def meddle() -> None:
        model._asked = lambda: None
        remove_documents(bench.library, bench.store, "notes", [rows["files/0.txt"]])
        (bench.files / "1.txt").rename(bench.files / "moved.txt")
        bench.write("new.txt", "A new ferry leaves at midnight.")
        bench.index(bench.files / "new.txt", bench.files / "moved.txt")

    model = Turned(meddle)
    assert build(bench, model).state == "done"  # type: ignore[arg-type]
    for generation in (1, 2):
        name = generation_name("notes", generation)
        stored = {one.document: one.names for one in bench.store.segments(name)}
        assert stored == {row.document: row.names for row in bench.library.documents("notes")}
        assert rows["files/0.txt"] not in stored and len(stored) == 4
    switch(bench.library, bench.store, "notes", 2)
    assert bench.is_sound()


def two_batches(bench: Bench) -> None:
    """As many documents as are embedded again in two first batches."""
    for number in range(4, 2 * FIRST_BATCH):
        bench.write(f"{number}.txt", f"The ferry number {number} leaves at noon.")
    bench.index()


def test_a_document_that_is_removed_and_put_back_while_it_is_built_comes_back(bench: Bench) -> None:
    """The job went round for ever: the document was missing, and was thought to be there."""
    two_batches(bench)
    batches = []

    def meddle() -> None:
        batches.append(1)
        assert len(batches) < 9, "it goes round and round"
        if len(batches) == 2:
            document = next(iter(bench.library.ledger.generations.segments("notes", 2)))
            remove_documents(bench.library, bench.store, "notes", [document])
            job = restore_documents(bench.library, "notes", str(MODEL), [document])
            assert bench.run(job).state == "done"

    assert build(bench, Turned(meddle)).state == "done"  # type: ignore[arg-type]
    stored = {one.document for one in bench.store.segments(generation_name("notes", 2))}
    assert stored == {row.document for row in bench.library.documents("notes")}
    assert bench.is_sound()


def test_a_process_that_is_killed_soon_gets_on_with_each_start(bench: Bench) -> None:
    """20 kills, each before the first 256 passages were written down, ended the job: it "did not get on"."""
    two_batches(bench)
    done = []

    def killed() -> None:
        done.append(bench.library.job(job).segments)
        if len(done) % 2 == 0:  # at the second batch of every start
            raise SystemExit

    model = Turned(killed)
    job = add_reembed_job(bench.library, "notes", model=model.model, fingerprint=model.fingerprint)
    assert job is not None
    with pytest.raises(SystemExit):
        go_on(bench, job, model)
    assert bench.library.job(job).segments == FIRST_BATCH
    assert len(bench.library.ledger.generations.missing("notes", 2)) == FIRST_BATCH
    model._asked = lambda: None
    assert go_on(bench, job, model).outcomes == {"added": 2 * FIRST_BATCH}
    assert bench.is_sound()


def test_batches_grow_while_they_are_quick_and_shrink_while_they_are_slow() -> None:
    assert next_batch(FIRST_BATCH, 0.1) == 2 * FIRST_BATCH and next_batch(BATCH, 0.1) == BATCH
    assert next_batch(BATCH, 1.5) == BATCH
    assert next_batch(BATCH, 30) == BATCH // 2 and next_batch(FIRST_BATCH, 30) == FIRST_BATCH


@pytest.mark.parametrize(("action", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_a_pause_and_a_cancel_are_heard_and_the_next_job_goes_on(bench: Bench, action: Any, state: str) -> None:
    def ask() -> None:
        (job,) = bench.library.ledger.jobs.unfinished()
        bench.library.ask(job.id, action)

    for number in range(12):
        bench.write(f"more/{number}.csv", "".join(f"Lantern {number} {row}.\n" for row in range(25)))
    assert bench.index().segments > BATCH
    row = build(bench, Turned(ask))  # type: ignore[arg-type]
    assert row.state == state and states(bench)[-1] == (2, "building")
    with pytest.raises(UserError, match="not whole.*reembed"):
        switch(bench.library, bench.store, "notes", 2)
    if action == "pause":
        bench.library.ask(row.id, "")
        assert go_on(bench, row.id, Turned()).state == "done"
    else:
        # What was written down is not encoded again: the first batch, of 32, had one table of 25 at least.
        assert 0 < build(bench).outcomes["added"] <= 4 + 12 - 1
    assert states(bench)[-1] == (2, "ready")
    assert switch(bench.library, bench.store, "notes", 2) is None and bench.is_sound()


def test_what_was_added_since_comes_after_an_instant_way_back(bench: Bench) -> None:
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    bench.write("new.txt", "A new ferry.")
    pipeline = bench.pipeline()
    pipeline.encoder = Turned()  # type: ignore[assignment]
    assert pipeline.run(bench.add()).state == "done"
    job = switch(bench.library, bench.store, "notes", 1)
    assert job is not None and bench.store.info("notes").generation == 1 and len(bench.texts()) == 4
    assert bench.run(job).state == "done"
    assert len(bench.texts()) == 5 and bench.is_sound()


def test_a_switch_that_a_kill_interrupted_is_finished_by_whoever_comes_next(bench: Bench) -> None:
    build(bench)
    bench.library.ledger.generations.set_state("notes", 2, "switching")
    bench.store.serve("notes", 2)  # killed here
    finish_switch(bench.library, bench.store, "notes")
    assert states(bench) == [(1, "ready"), (2, "serving")] and bench.is_sound()
    bench.store.serve("notes", 1)  # as a store does that lost its pointer
    finish_switch(bench.library, bench.store, "notes")
    assert bench.store.info("notes").generation == 2


def test_a_removed_document_is_gone_from_every_generation(bench: Bench) -> None:
    build(bench)
    document = bench.library.documents("notes")[0].document
    remove_documents(bench.library, bench.store, "notes", [document])
    switch(bench.library, bench.store, "notes", 2)
    assert bench.store.count("notes", Filter(documents=(document,))) == 0
    assert len(bench.texts()) == 3 and bench.is_sound()


def test_dropping_frees_what_does_not_answer_and_refuses_what_does(bench: Bench) -> None:
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    with pytest.raises(UserError, match="answers.*Switch"):
        drop(bench.library, bench.store, "notes", 2)
    drop(bench.library, bench.store, "notes", 1)
    assert bench.store.generations("notes") == [2] and states(bench) == [(2, "serving")]
    assert bench.is_sound() and len(bench.texts()) == 4
    assert add_reembed_job(bench.library, "notes", model="turned", fingerprint="f" * 64) is None


def test_a_generation_that_lost_passages_is_not_switched_to_and_repaired(bench: Bench) -> None:
    build(bench)
    document = bench.library.documents("notes")[0].document
    bench.store.delete("notes@2", Filter(documents=(document,)))
    with pytest.raises(UserError, match="1 documents differ"):
        switch(bench.library, bench.store, "notes", 2)
    found = check(bench.library, bench.store, "notes")
    assert [(one.code, one.document) for one in found] == [("generation_damaged", document)]
    (job,) = repair(bench.library, bench.store, "notes", found)
    assert go_on(bench, job, Turned()).state == "done"
    assert bench.is_sound() and switch(bench.library, bench.store, "notes", 2) is None


def lose(bench: Bench, generation: str) -> str:
    """The generation's files damaged, or dropped by a server's operator: what the check says."""
    if isinstance(bench.store, ServerStore):
        bench.store._client.delete_collection(generation)
        return "collection_missing"
    bench.store.stop()  # type: ignore[attr-defined]
    (bench.library.home / "store" / "collections" / generation / "state.json").write_text("garbage")
    return "collection_damaged"


def run_by(model: Any, bench: Bench, jobs: Sequence[str]) -> None:
    pipeline = bench.pipeline()
    pipeline.encoder = model
    for job in jobs:
        row = pipeline.run(job)
        assert row.state == "done", row.error


def test_the_generation_that_answers_is_built_again_and_not_another_one_instead(bench: Bench) -> None:
    """The one beside it was written to, whose model is another: the job failed, and the check found nothing."""
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    before = vectors(bench, 1)
    expected = lose(bench, "notes@2")
    found = check(bench.library, bench.store, "notes")
    assert expected in [one.code for one in found]
    run_by(Turned(), bench, repair(bench.library, bench.store, "notes", found))
    assert bench.store.info("notes").generation == 2 and bench.store.info("notes").spec.model == "turned"
    assert bench.is_sound() and len(bench.texts()) == 4
    assert vectors(bench, 1).keys() == before.keys()
    assert switch(bench.library, bench.store, "notes", 1) is None and bench.is_sound()


def test_what_is_kept_beside_a_lost_generation_can_be_switched_to_and_not_dropped(bench: Bench) -> None:
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    if isinstance(bench.store, ServerStore):
        bench.store._client.delete_collection("notes@2")
    else:
        bench.store.put_aside("notes@2")
    assert [one.code for one in check(bench.library, bench.store, "notes")] == ["collection_missing"]
    with pytest.raises(UserError, match="lost generation 2.*--repair"):
        drop(bench.library, bench.store, "notes", 1)
    assert switch(bench.library, bench.store, "notes", 1) is None
    assert bench.store.info("notes").generation == 1 and len(bench.texts()) == 4
    assert {one.code for one in check(bench.library, bench.store, "notes")} == {"generation_damaged"}
    (job,) = repair(bench.library, bench.store, "notes", check(bench.library, bench.store, "notes"))
    assert go_on(bench, job, Turned()).state == "done" and bench.is_sound()


def test_a_damaged_generation_that_does_not_answer_is_built_again_and_not_the_one_that_does(bench: Bench) -> None:
    """The whole one was put aside, and the damaged one stayed."""
    build(bench)
    lose(bench, "notes@2")
    found = check(bench.library, bench.store, "notes")
    assert {one.code for one in found} == {"generation_damaged"}
    before = vectors(bench, 1)
    (job,) = repair(bench.library, bench.store, "notes", found)
    assert vectors(bench, 1).keys() == before.keys()
    assert go_on(bench, job, Turned()).state == "done"
    assert bench.is_sound() and switch(bench.library, bench.store, "notes", 2) is None


def test_a_store_that_answers_by_another_generation_than_the_ledger_says_is_told(bench: Bench) -> None:
    build(bench)
    bench.store.serve("notes", 2)
    assert [one.code for one in check(bench.library, bench.store, "notes")] == ["generation_other"]
    found = check(bench.library, bench.store, "notes")
    assert repair(bench.library, bench.store, "notes", found) == []
    assert bench.store.info("notes").generation == 1 and bench.is_sound()


def test_a_rebuilt_ledger_knows_the_generations_as_the_store_has_them(bench: Bench) -> None:
    """It had the one that answers as the first one: the next switch then served the first one's vectors as its own."""
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    before = [(row.document, row.names) for row in bench.library.documents("notes")]
    bench.library.close()
    for path in bench.library.home.glob("ledger.sqlite3*"):
        path.unlink()
    bench.library = Library(bench.library.home)
    run_by(Turned(), bench, rebuild_ledger(bench.library, bench.store))
    assert states(bench) == [(1, "building"), (2, "serving")]
    assert [one.fingerprint for one in bench.library.ledger.generations.all("notes")] == [
        encoder().fingerprint,
        "f" * 64,
    ]
    assert sorted((row.document, row.names) for row in bench.library.documents("notes")) == sorted(before)
    assert bench.store.info("notes").generation == 2 and bench.is_sound()
    with pytest.raises(UserError, match="not whole.*reembed"):
        switch(bench.library, bench.store, "notes", 1)
    assert build(bench, encoder()).state == "done"
    assert switch(bench.library, bench.store, "notes", 1) is None and bench.is_sound()
    drop(bench.library, bench.store, "notes", 2)
    assert bench.store.generations("notes") == [1] and bench.is_sound()


def test_a_ledger_that_was_rebuilt_without_its_generations_is_told_of_them(bench: Bench) -> None:
    """As versions before this one left it."""
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    with bench.library.ledger.write() as database:
        database.execute("DELETE FROM generations")
        database.execute("DELETE FROM generation_documents")
    found = check(bench.library, bench.store, "notes")
    assert [one.code for one in found] == ["generation_other"]
    assert repair(bench.library, bench.store, "notes", found) == []
    assert states(bench) == [(1, "building"), (2, "serving")] and bench.is_sound()


def test_no_question_fails_while_it_is_built_switched_and_rolled_back(bench: Bench) -> None:
    models: dict[str, Any] = {encoder().fingerprint: encoder(), "f" * 64: Turned()}
    answered, failures, stop = [0], list[BaseException](), threading.Event()

    def ask() -> None:
        """As the app does it: the generation is looked up, then stays that question's."""
        while not stop.is_set():
            try:
                info = bench.store.info("notes")
                name = generation_name("notes", info.generation)
                hits = Searcher(bench.store, models[info.spec.fingerprint], name).search("ferry at noon").hits
                assert len(hits) == 4
                answered[0] += 1
            except BaseException as error:
                failures.append(error)

    questioner = threading.Thread(target=ask)
    questioner.start()
    try:
        build(bench)
        for number in (2, 1, 2, 1, 2):
            switch(bench.library, bench.store, "notes", number)
            seen = answered[0]
            while answered[0] < seen + 3 and not failures:
                stop.wait(0.01)
    finally:
        stop.set()
        questioner.join()
    assert failures == [] and answered[0] >= 15


def test_a_backup_has_all_generations_and_which_of_them_answers(bench: Bench, tmp_path: Path) -> None:
    build(bench)
    switch(bench.library, bench.store, "notes", 2)
    counts = backup(bench.library, bench.store, tmp_path / "a.tar")
    assert counts == {"notes": 4, "notes@2": 4}
    assert restore(tmp_path / "a.tar", tmp_path / "restored") == counts
    library, store = Library(tmp_path / "restored"), open_store("", home=tmp_path / "restored")
    assert store.info("notes").generation == 2
    again = Bench(library, store, bench.readers, bench.files)
    assert again.is_sound()
    assert switch(library, store, "notes", 1) is None and again.is_sound()
    store.stop()  # type: ignore[attr-defined]


def test_each_kind_of_job_has_a_worker_of_its_own(bench: Bench) -> None:
    """So that adding documents does not wait for hours until a collection is embedded again."""
    job = add_reembed_job(bench.library, "notes", model="turned", fingerprint="f" * 64)
    assert job is not None
    indexing = bench.add()
    assert {row.id: worker_of(row) for row in waiting(bench.library)} == {job: REEMBEDDING_WORKER, indexing: WORKER}
    lock = bench.library.lock(reembedding_lock("notes"))
    assert lock is not None and bench.run(indexing).state == "done"  # one does not keep the other from its collection
    lock.release()


def test_a_deleted_collection_leaves_nothing_behind(bench: Bench) -> None:
    build(bench)
    assert delete_collection(bench.library, bench.store, "notes") == 4
    assert bench.store.collections() == [] and bench.library.ledger.collections.all() == {}
    assert list(bench.library.originals.documents()) == []
    assert bench.index().outcomes == {"added": 4} and bench.is_sound()
    assert states(bench) == [(1, "serving")]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_commands_build_switch_and_drop_through_kills(tmp_path: Path, tiny_labse: Path) -> None:
    """With a model that has another tokenizer, so that texts are cut again."""
    home, generator = Home(tmp_path / "home"), random.Random(5)
    files = tmp_path / "files"
    files.mkdir()
    for number in range(30):
        (files / f"{number}.txt").write_text(f"The ferry number {number} leaves. " * 20, encoding="utf-8")
    home.index(files)
    for _ in range(3):
        process = home.start("labse_search.library", "reembed", "--model", str(tiny_labse))
        try:
            process.communicate(timeout=generator.uniform(1.0, 4.0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        home.kill_store()
    done = home.command("labse_search.library", "reembed", "--model", str(tiny_labse))
    assert "switch 2" in done.stdout
    home.command("labse_search.library", "switch", "2")
    assert home.problems() == []
    listed = home.command("labse_search.library", "generations").stdout.splitlines()
    assert [line.split()[:2] for line in listed] == [["1", "ready"], ["2", "serving"]]
    found = home.command("labse_search.search", "ferry", "--json").stdout
    assert "ferry number" in found
    home.command("labse_search.library", "switch", "1")
    home.command("labse_search.library", "drop", "2")
    assert home.problems() == []
    home.stop_store()
