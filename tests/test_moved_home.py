"""A home that was moved or copied by hand: its own models, originals and uploads are found where it lies now."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence
from library_case import MODEL, Home
from qdrant_client import QdrantClient

from indexer.archive import backup, restore
from indexer.documents import remove_documents
from indexer.merge import bring_backup
from indexer.worker import do_job
from labse_search.finetune import FinetuneConfig
from labse_search.finetune.folder import MAY_CHANGE
from labse_search.home import at_home, home_id
from labse_search.library import Library, Source
from labse_search.records import CollectionSpec, Pair
from labse_search.settings import Settings, read_saved, save
from labse_search.store import open_store
from labse_search.store.qdrant_server import ServerStore
from labse_search.teach import Teaching
from labse_search.teach.runs import Recipe, Run, plan_run, runs
from labse_search.teach.tuning import flags
from labse_search.training.flags import from_flags, parser
from labse_search.training.run_folder import check_same_run, prepare

ASKED, FURTHER = (sentence("en", one) for one in random_concepts(2, seed=1))


def tuned(home: Path, base: str, seed: int) -> Run:
    """A tuning as it lies there when its model was accepted."""
    teaching = Teaching(home)
    teaching.pairs.add("documents", [Pair("The ferry leaves.", "Die Fähre fährt.", 1.2, "en", "de")])
    run = plan_run(teaching, "documents", base=base, recipe=Recipe())
    teaching.close()
    make_lexicon_model(run.model, seed=seed)
    return run


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answered by a model that was tuned there from one that was tuned there, and moved from a folder "before".
    Nobody may change it."""
    folder = tmp_path_factory.mktemp("home")
    home = Home(folder / "before")
    (folder / "ferry.txt").write_text(ASKED, encoding="utf-8")
    home.index(folder / "ferry.txt")
    first = tuned(home.folder, str(MODEL), 1)
    second = tuned(home.folder, str(first.model), 2)
    for run in (first, second):
        home.command("labse_search.library", "reembed", "--model", str(run.model), "--switch")
    save(home.folder, {"model": str(second.model)})
    home.stop_store()
    return home.folder.rename(folder / "moved")


@pytest.fixture
def home(moved: Path, tmp_path: Path) -> Iterator[Home]:
    """At "now" what lay at "before"."""
    shutil.copytree(moved, tmp_path / "now")
    home = Home(tmp_path / "now")
    yield home
    home.stop_store()


def tuned_runs(home: Path) -> tuple[Run, Run]:
    """The first and the second, which began with the first one's model; both may have the same second in their name."""
    first, second = sorted(runs(home, "documents"), key=lambda run: "tuned" in Path(run.base).parts)
    return first, second


def found(home: Home) -> str:
    """Which document the command finds, by the model that the collection names."""
    hits = json.loads(home.command("labse_search.search", ASKED, "--json", "--mode", "meaning").stdout)
    return str(hits[0]["document"])


def test_a_moved_home_is_searched_by_its_tuned_model_and_goes_back_and_forth(home: Home) -> None:
    assert found(home).endswith("ferry.txt")
    first, second = tuned_runs(home.folder)
    library = Library(home.folder)
    models = [one.model for one in library.ledger.generations.all("documents")]
    assert models == [str(MODEL), str(first.model), str(second.model)]
    assert library.ledger.collections.all()["documents"][0] == str(second.model)
    assert second.base == str(first.model) and read_saved(home.folder)["model"] == str(second.model)
    said = home.command("labse_search.library", "generations").stdout
    assert str(second.model) in said and "before" not in said
    for before, number in ((3, 2), (2, 1), (1, 3)):
        said = home.command("labse_search.library", "switch", str(number), "--collection", "documents").stdout
        assert said.endswith(f"Back again: python -m labse_search.library switch {before} --collection documents\n")
        assert found(home).endswith("ferry.txt")
    assert home.problems() == []


def test_a_moved_home_takes_in_further_files_and_embeds_them_again(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bread.txt").write_text(FURTHER, encoding="utf-8")
    home.command("indexer", str(tmp_path / "bread.txt"))
    home.command("labse_search.library", "switch", "2")  # brings in what was added since
    hits = home.command("labse_search.search", FURTHER, "--json", "--mode", "meaning").stdout
    assert json.loads(hits)[0]["document"].endswith("bread.txt")
    assert home.problems() == []


def test_files_that_wait_in_a_moved_home_are_indexed(home: Home, moved: Path) -> None:
    library = Library(home.folder)
    model = library.ledger.collections.all()["documents"][0]
    upload = home.folder / "uploads" / f"staged-{'ab' * 16}"
    upload.parent.mkdir()
    upload.write_text(FURTHER, encoding="utf-8")
    (document,) = [row.document for row in library.documents("documents")]
    original = library.originals.path(document)
    before = moved.with_name("before")  # where the paths of these jobs were written down
    sources = [Source(str(before / "uploads" / upload.name), "bread.txt", len(FURTHER), kept=True)]
    sources += [Source(str(before / original.relative_to(home.folder)), "again.txt", original.stat().st_size)]
    job = library.add_index_job("documents", model, sources)
    row = do_job(library, Settings(home=home.folder, precision="fp32"), library.job(job))
    assert row is not None and (row.state, row.outcomes) == ("done", {"added": 1, "duplicate": 1})
    waiting = library.add_index_job("documents", model, sources[1:])
    store = open_store("", home=home.folder)
    remove_documents(library, store, "documents", [document])
    store.close()
    assert [one.outcome for one in library.job_files(waiting)] == ["removed"]


def test_a_tuning_that_waits_in_a_moved_home_is_found(home: Home, moved: Path) -> None:
    library = Library(home.folder)
    run = runs(home.folder, "documents")[0]
    before = moved.with_name("before") / run.folder.relative_to(home.folder)
    job = library.ledger.jobs.add("tune", "documents", run.base, [Source(str(before), run.name)])
    assert library.job_files(job)[0].source.path == str(run.folder)


def test_a_paused_tuning_goes_on_in_a_moved_home(tmp_path: Path) -> None:
    def given(run: Run) -> FinetuneConfig:
        command = parser(FinetuneConfig, "finetune", "", "")
        return from_flags(FinetuneConfig, vars(command.parse_args(flags(replace(run, known=20, questions=1)))))

    first = tuned(tmp_path / "before", str(MODEL), 1)
    run = tuned(tmp_path / "before", str(first.model), 2)
    prepare(run.partial, given(run), {"training pairs": 1}, keep=True)
    (run.partial / "checkpoints" / "checkpoint-10").mkdir(parents=True)
    shutil.move(tmp_path / "before", tmp_path / "now")
    moved = tuned_runs(tmp_path / "now")[1]
    assert given(moved).teacher == str(tmp_path / "now" / first.model.relative_to(tmp_path / "before"))
    check_same_run(moved.partial, given(moved), {"training pairs": 1}, MAY_CHANGE)


def test_a_copied_home_does_without_the_one_it_was_copied_from(home: Home, tmp_path: Path) -> None:
    shutil.copytree(home.folder, tmp_path / "copy")
    shutil.rmtree(home.folder)
    copy = Home(tmp_path / "copy")
    assert found(copy).endswith("ferry.txt")
    assert copy.problems() == []
    copy.stop_store()


def test_a_moved_home_is_backed_up_restored_and_brought_in_elsewhere(home: Home, tmp_path: Path) -> None:
    library, store = Library(home.folder), open_store("", home=home.folder)
    backup(library, store, tmp_path / "all.tar")
    store.stop()  # type: ignore[attr-defined]
    library.close()
    restore(tmp_path / "all.tar", tmp_path / "restored")
    shutil.rmtree(home.folder)
    restored = Home(tmp_path / "restored")
    assert found(restored).endswith("ferry.txt")
    restored.command("labse_search.library", "switch", "2")
    assert found(restored).endswith("ferry.txt")
    restored.stop_store()
    other = Home(tmp_path / "other")
    there = Library(other.folder)
    store = open_store("", home=other.folder)
    bring_backup(tmp_path / "all.tar", there, store)
    serving = there.ledger.collections.all()["documents"][0]
    store.close()
    shutil.rmtree(restored.folder)
    assert serving == str(tuned_runs(other.folder)[1].model)
    assert found(other).endswith("ferry.txt")
    other.stop_store()


def test_a_server_names_the_model_where_the_home_lies_now(tmp_path: Path) -> None:
    run = tuned(tmp_path / "before", str(MODEL), 1)
    server = QdrantClient(":memory:")
    store = ServerStore(server, ":memory:", home_id(tmp_path / "before"), tmp_path / "before")
    store.create("documents", CollectionSpec(4, "f" * 64, str(run.model)))
    shutil.move(tmp_path / "before", tmp_path / "now")
    moved = ServerStore(server, ":memory:", home_id(tmp_path / "now"), tmp_path / "now")
    assert moved.info("documents").spec.model == str(tmp_path / "now" / run.model.relative_to(tmp_path / "before"))
    moved.upsert("documents", [], np.zeros((0, 4), np.float32), fingerprint="f" * 64)  # still this home's


@pytest.mark.parametrize("path", ["labse-mini", "owner/LaBSE", "/models/mine", "models/" + "a" * 32, ""])
def test_what_is_not_of_this_home_keeps_its_name(tmp_path: Path, path: str) -> None:
    assert at_home(tmp_path, path) == path


def test_paths_of_another_system_are_understood(tmp_path: Path) -> None:
    name = "20260102-030405-abcdef"
    (tmp_path / "tuned" / name).mkdir(parents=True)
    model = tmp_path / "tuned" / name / "model"
    assert at_home(tmp_path, rf"C:\Users\me\library\tuned\{name}\model") == str(model)
    assert at_home(tmp_path, f"/home/me/library/tuned/{name}/model") == str(model)
    elsewhere = "/home/me/library/tuned/20260102-030405-000000/model"
    assert at_home(tmp_path, elsewhere) == elsewhere
