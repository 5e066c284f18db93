"""Tuning as a job: what it takes is said first, it survives pauses and kills, and the person's own questions are asked
before and after."""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from indexer.worker import do_job, worker_of
from labse_search.encoder import load_encoder
from labse_search.errors import UserError
from labse_search.evaluate.__main__ import main as evaluate
from labse_search.library import JobRow, Library
from labse_search.records import CollectionSpec, Pair, Segment, StoredSegment
from labse_search.settings import Settings
from labse_search.store import Store, open_store
from labse_search.teach import Teaching, passage_name, split_of
from labse_search.teach.runs import Recipe, Run, find_run, load, plan_run, runs
from labse_search.teach.tuning import TRAINER, add_tune_job, estimate, flags, plan_sentence, stop

ROOT = Path(__file__).resolve().parent.parent
RECIPE = Recipe(epochs=3, processes=2, batch=50, learning_rate=0.02, keep_answers=False)


@dataclass
class Bench:
    library: Library
    settings: Settings
    store: Store
    teaching: Teaching

    def plan(self, recipe: Recipe = RECIPE) -> Run:
        return estimate(plan_run(self.teaching, "papers", base=self.settings.model, recipe=recipe))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of one concept are alike, but so loosely that there is much to learn."""
    return make_lexicon_model(tmp_path_factory.mktemp("models") / "lexicon", dimension=32, noise=2.5)


@pytest.fixture
def bench(tmp_path: Path, model: Path) -> Iterator[Bench]:
    """500 pairs to train on, 100 to measure on, and a passage for each of twelve judged questions."""
    encoder = load_encoder(str(model))
    settings = Settings(home=tmp_path / "home", model=str(model))
    library, teaching = Library(settings.home), Teaching(settings.home)
    said = random_concepts(600, seed=1, length=3)
    pairs = [Pair(sentence("en", one), sentence("de", one), 1.2, "en", "de") for one in said]
    teaching.pairs.add("papers", pairs[:500])
    teaching.pairs.add("papers", pairs[500:], "measure")
    store = open_store("", home=settings.home)
    store.create("papers", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    texts = [sentence("de", one) for one in said[500:]]
    stored = [
        StoredSegment("ab" * 16, ("de.txt",), (), "txt", 0.0, Segment(i, 40 * i, 40 * i + len(text), text, "de", {}))
        for i, text in enumerate(texts)
    ]
    store.upsert("papers", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    for one, passage in list(zip(said[500:], stored, strict=True))[:12]:
        name = passage_name(passage.document, passage.segment.start, passage.segment.end)
        teaching.judgements.put("papers", sentence("en", one), name, passage.segment.text, answers=True)
    library.ledger.collections.put("papers", model=str(model), fingerprint=encoder.fingerprint, store="edge")
    yield Bench(library, settings, store, teaching)
    store.close()


def test_what_is_trained_on_is_written_down_and_never_what_is_measured_on(bench: Bench) -> None:
    run = plan_run(bench.teaching, "papers", base=bench.settings.model, recipe=RECIPE)
    assert (run.pairs, run.known, run.state) == (500, 100, "planned")
    asked = [line.split("\t")[2] for line in (run.folder / "questions.tsv").read_text().splitlines()]
    assert asked and {split_of(question) for question in asked} == {"training"}
    everyday = (run.folder / "everyday.tsv").read_text("utf-8").splitlines()
    assert len(everyday) > 500 and all(len(line.split("\t")) == 4 for line in everyday)
    given = flags(run)
    assert given[given.index("--dev") + 1] == str(run.folder / "known.tsv") and "--teacher" not in given
    assert load(run.folder) == run and [one.name for one in runs(bench.settings.home, "papers")] == [run.name]
    log = (
        "refused, the base stays: no gain\n\nTraceback (most recent call last):\n  ...\nCalledProcessError: status 3\n"
    )
    (run.folder / "output.log").write_text(log)
    assert run.said() == ["refused, the base stays: no gain"] and run.last_line() == run.said()[0]
    with pytest.raises(UserError, match="unseen"):
        add_tune_job(bench.library, run)
    with pytest.raises(UserError, match="no tuning"):
        find_run(bench.settings.home, "../../etc")
    with pytest.raises(UserError, match="no pairs"):
        plan_run(bench.teaching, "others", base=bench.settings.model, recipe=RECIPE)


def test_pairs_that_cannot_be_measured_on_do_not_end_the_tuning_for_good(bench: Bench) -> None:
    pairs = bench.teaching.pairs
    pairs.clear("papers", "measure")
    pairs.add("papers", [Pair("the same", f"the same{'!' * i}") for i in range(25)], "measure")
    pairs.add("papers", [Pair(f"number {i}", f"Number {i}.") for i in range(25)], "measure")
    with pytest.raises(UserError, match="import more, or clear them"):
        bench.plan()
    pairs.clear("papers", "measure")
    pairs.add("papers", [Pair("one", "eins")], "measure")
    run = bench.plan()
    assert run.plan["dev_pairs"] >= 20 and "1 imported pairs to measure on are too few" in plan_sentence(run)


def test_own_questions_are_asked_of_two_models(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABSE_HOME", str(bench.settings.home))
    better = make_lexicon_model(tmp_path / "better", dimension=32, noise=0.1)
    models = ["--model", bench.settings.model, "--model", str(better)]
    assert evaluate(["judgements", "--collection", "papers", *models, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    before, after = found["models"]
    held_out = [one.text for one in bench.teaching.judgements.questions("papers", "verdict")]
    assert [one["question"] for one in after["items"]] == held_out
    assert all((one["rank"] == 1) == (one["right"] is True) for model in (before, after) for one in model["items"])
    assert sum(one["rank"] for one in before["items"]) > sum(one["rank"] for one in after["items"])
    assert found["differences"][0]["difference"] >= 0
    assert evaluate(["judgements", "--collection", "papers", *models]) == 0
    assert "right answer at place 1" in capsys.readouterr().out
    assert evaluate(["judgements", "--collection", "none"]) == 2


@pytest.mark.timeout(90)  # less than a training is given for its checkpoint
@pytest.mark.parametrize("begun", [False, True])
def test_a_training_is_ended_also_before_its_processes_have_begun(bench: Bench, begun: bool) -> None:
    run = plan_run(bench.teaching, "papers", base=bench.settings.model, recipe=RECIPE)
    process = [sys.executable, "-c", "import time; time.sleep(600)", TRAINER, str(run.model)]
    start = f"import subprocess, time; {begun} and subprocess.Popen({process}).wait(); time.sleep(600)"
    launcher = subprocess.Popen([sys.executable, "-c", start])
    while begun and not trainings(run):
        time.sleep(0.05)
    orphan = subprocess.Popen(process)  # its launcher died before it could ask to end with it
    try:
        stop(launcher, run)
        assert launcher.poll() is not None and orphan.poll() is not None and not trainings(run)
    finally:
        orphan.kill()
        orphan.wait()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_tuning_is_estimated_paused_gone_on_with_accepted_and_measured_on_own_questions(bench: Bench) -> None:
    run = bench.plan(Recipe(epochs=40, processes=2, batch=50, learning_rate=0.02, keep_answers=True))
    assert run.plan["seconds"] > 0 and run.plan["processes"] == 2 and run.plan["dev_pairs"] == 100
    job = bench.library.job(add_tune_job(bench.library, run))
    assert worker_of(job) == "teaching-worker"
    with pytest.raises(UserError, match="already"):
        add_tune_job(bench.library, run)

    def pause_once(row: JobRow) -> None:
        if row.segments > 20 and not paused:
            paused.append(row)
            bench.library.ask(job.id, "pause")

    paused: list[JobRow] = []
    row = do_job(bench.library, bench.settings, job, report=pause_once)
    assert row is not None and row.state == "paused" and list(run.partial.glob("checkpoints/checkpoint-*"))
    bench.library.ask(job.id, "")
    row = do_job(bench.library, bench.settings, bench.library.job(job.id))
    assert row is not None and (row.state, row.error) == ("done", "")
    assert "going on from" in (run.folder / "output.log").read_text()
    done = find_run(bench.settings.home, run.name)
    assert done.state == "accepted" and done.tuned == done.model
    metrics = done.read("metrics.json")
    assert metrics["gain_points"]["low"] > 0 and set(metrics["by_language"]) == {"en-de"}
    assert metrics["plan"]["processes"] == 2 and len(done.history()) > 10
    own = done.read("judged.json")
    assert len(own["models"]) == 2 and own["models"][0]["items"]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_killed_worker_leaves_no_training_behind_and_the_next_goes_on(bench: Bench) -> None:
    run = bench.plan(Recipe(epochs=400, processes=2, batch=50, learning_rate=0.02, keep_answers=False))
    job = add_tune_job(bench.library, run)
    command = [sys.executable, "-m", "indexer.worker", str(bench.settings.home), "5", "teaching-worker"]
    worker = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "LABSE_HOME": str(bench.settings.home)})
    deadline = time.monotonic() + 300
    while not list(run.partial.glob("checkpoints/checkpoint-*/trainer_state.json")):
        assert worker.poll() is None and time.monotonic() < deadline
        time.sleep(0.2)
    worker.kill()
    worker.wait()
    while trainings(run):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    bench.library.ask(job, "cancel")
    row = do_job(bench.library, bench.settings, bench.library.job(job))
    assert row is not None and row.state == "cancelled" and not run.folder.exists() and not trainings(run)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_shuffled_pairs_are_refused_and_the_job_is_done_all_the_same(bench: Bench) -> None:
    rows = bench.teaching.pairs.all("papers")
    bench.teaching.pairs.clear("papers", "train")
    targets = [row.pair.target for row in rows]
    random.Random(0).shuffle(targets)
    wrong = [Pair(row.pair.source, target, 1.2, "en", "de") for row, target in zip(rows, targets, strict=True)]
    bench.teaching.pairs.add("papers", wrong)
    run = bench.plan()
    row = do_job(bench.library, bench.settings, bench.library.job(add_tune_job(bench.library, run)))
    assert row is not None and row.state == "done"
    done = find_run(bench.settings.home, run.name)
    assert done.state == "refused" and "gain" in done.read("metrics.json")["reason"] and done.tuned is not None


def trainings(run: Run) -> list[int]:
    """Processes that train it."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        with contextlib.suppress(psutil.NoSuchProcess):
            if str(run.model) in (process.info["cmdline"] or []) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
