"""A backup has all that a person made: what they kept, judged, saved, tuned and chose, and a restore gives it back."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import pytest
from lexicon import make_lexicon_model
from library_case import MODEL, Home

from indexer.archive import backup, restore
from indexer.merge import bring_backup
from labse_search.errors import UserError
from labse_search.files import write_json
from labse_search.library import Library, Source
from labse_search.library.findings import Finding, Findings
from labse_search.library.searches import SavedSearches
from labse_search.records import Pair
from labse_search.settings import read_saved, save
from labse_search.store import open_store
from labse_search.teach import Teaching
from labse_search.teach.runs import Recipe, Run, plan_run, runs

DOCUMENT = "ab" * 16


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A home with a bit of all; the collection is answered by a tuned model. Nobody may change it."""
    folder = tmp_path_factory.mktemp("made")
    home = Home(folder / "home")
    (folder / "ferry.txt").write_text("The ferry leaves at noon.\n\nThe bridge is closed.", encoding="utf-8")
    home.index(folder / "ferry.txt")
    Findings(home.folder).keep(
        "documents", Finding(DOCUMENT, 0, "a", "", "en", "x", "x", "q", note="ночь", tags=("t",))
    )
    SavedSearches(home.folder).keep("documents", "q=ferry", "ferry", ["a.1"])
    save(home.folder, {"theme": "dark"})
    (home.folder / "batches").mkdir()
    (home.folder / "batches" / "0123.jsonl").write_text('{"question": "ferry?"}\n')
    (home.folder / "users.json").write_text("{}")
    run = taught(home)
    make_lexicon_model(run.model)
    write_json(run.partial / "checkpoint.json", {})
    assert run.state == "accepted"
    home.command("labse_search.library", "reembed", "--model", str(run.model), "--switch")
    yield home
    home.stop_store()


def taught(home: Home) -> Run:
    """A tuning that was planned, from a pair and a judged question."""
    teaching = Teaching(home.folder)
    teaching.pairs.add("documents", [Pair("The ferry leaves.", "Die Fähre fährt.", 1.2, "en", "de")])
    teaching.pairs.judge(teaching.pairs.all("documents")[0].id, "right")
    teaching.judgements.put("documents", "When does the ferry leave?", f"{DOCUMENT}:0-9", "At noon", answers=True)
    run = plan_run(teaching, "documents", base=str(MODEL), recipe=Recipe())
    teaching.close()
    return run


@pytest.fixture(scope="module")
def archive(made: Home, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("backup") / "all.tar"
    said = made.command("labse_search.library", "backup", str(file)).stdout
    assert "MB are models of this computer (--without-models" in said
    return file


def check_all_that_was_made(home: Path, collection: str = "documents") -> None:
    (finding,) = Findings(home).all(collection)
    assert (finding.note, finding.tags, finding.text) == ("ночь", ("t",), "x")
    (search,) = SavedSearches(home).all(collection)
    assert (search.question, search.seen) == ("ferry", ("a.1",))
    teaching = Teaching(home)
    assert [row.verdict for row in teaching.pairs.all(collection)] == ["right"]
    assert [one.answers for one in teaching.judgements.judged(collection, "when does the ferry leave?")] == [True]
    (run,) = runs(home, collection)
    assert run.state == "accepted" and (run.folder / "pairs.tsv").is_file() and not run.partial.exists()
    teaching.close()


def test_a_restored_home_has_all_that_a_person_made_and_its_tuned_model_answers(archive: Path, tmp_path: Path) -> None:
    home = Home(tmp_path / "elsewhere" / "home")
    said = home.command("labse_search.library", "restore", str(archive), "--store", str(home.folder)).stdout
    assert said.count("\n") == 2
    (run,) = runs(home.folder, "documents")
    assert f"documents: generation 2 by {run.model} answers; kept beside it: 1 by {home.folder / 'models'}" in said
    assert f"library switch N --collection documents --store {home.folder}\n" in said
    check_all_that_was_made(home.folder)
    assert read_saved(home.folder)["theme"] == "dark" and not (home.folder / "users.json").exists()
    assert (home.folder / "batches" / "0123.jsonl").is_file()
    library = Library(home.folder)
    serving, before = [one.model for one in reversed(library.ledger.generations.all("documents"))]
    # Neither the tuned model nor the folder of the first one is looked for on the computer of the backup.
    assert serving == str(run.model) == library.ledger.collections.all()["documents"][0]
    assert Path(before).is_relative_to(home.folder / "models") and run.base == before
    found = home.command("labse_search.search", "The ferry leaves at noon.", "--json").stdout
    assert json.loads(found)[0]["document"].endswith("ferry.txt")
    home.command("labse_search.library", "switch", "1")
    assert json.loads(home.command("labse_search.search", "The ferry leaves at noon.", "--json").stdout)
    assert "generation 1 answers already" in home.command("labse_search.library", "switch", "1").stdout
    said = home.command("labse_search.library", "switch", "3", status=2).stderr
    assert "has no generation 3. It has: 1 by" in said and f"2 by {run.model}, ready" in said
    assert home.problems() == []
    home.stop_store()


def test_jobs_of_a_restored_home_touch_nothing_of_the_home_it_came_from(tmp_path: Path) -> None:
    home, file = Home(tmp_path / "home"), tmp_path / "all.tar"
    home.index(MODEL / "modules.json")
    library, store = Library(home.folder), open_store("", home=home.folder)
    upload = home.folder / "uploads" / f"staged-{'ab' * 16}"
    upload.parent.mkdir()
    upload.write_text("Words that wait.")
    library.add_index_job("documents", str(MODEL), [Source(str(upload), "waiting.txt", 16, kept=True)])
    library.ledger.jobs.add("backup", "documents", "", [Source(str(tmp_path / "victim"), "victim", 0)])
    backup(library, store, file)
    home.stop_store()
    library.ledger.snapshot(tmp_path / "ledger")
    changed(
        file, tmp_path / "old.tar", {"ledger.sqlite3": (tmp_path / "ledger").read_bytes()}
    )  # nobody forgot its jobs
    for number, source in enumerate((file, tmp_path / "old.tar")):
        restore(source, tmp_path / f"restored-{number}")
        there = Library(tmp_path / f"restored-{number}")
        (job,) = there.ledger.jobs.unfinished()
        assert [(one.outcome, one.reason) for one in there.job_files(job.id)] == [("skipped", "vanished")]
        assert job.files == job.files_done == 1
    assert upload.read_text() == "Words that wait."


def changed(file: Path, target: Path, content: Mapping[str, bytes | None], mode: Literal["w", "w:gz"] = "w") -> None:
    """The archive with other content of some members (None: without them), and a manifest that agrees."""
    members = {}
    with tarfile.open(file) as old:
        for member in old:
            members[member.name] = old.extractfile(member).read()  # type: ignore[union-attr]
    manifest = json.loads(members.pop("manifest.json"))
    members = {name: data for name, data in {**members, **content}.items() if data is not None}
    manifest["files"] = {name: hashlib.sha256(data).hexdigest() for name, data in members.items()}
    with tarfile.open(target, mode) as new:
        for name, data in {**members, "manifest.json": json.dumps(manifest).encode()}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            new.addfile(info, io.BytesIO(data))


FORGED: dict[str, dict[str, bytes | None]] = {
    "another description": {"collections/documents/spec.json": b'{"x": 1}'},
    "no description": {"collections/documents/spec.json": b"[]"},
    "vectors cut": {"collections/documents/vectors.f32": bytes(6)},
    "no vectors": {"collections/documents/vectors.f32": None},
    "empty passages": {"collections/documents/segments.jsonl": b"{}\n"},
    "no passages": {"collections/documents/segments.jsonl": b"null\n"},
    "no ledger": {"ledger.sqlite3": b"no database at all" * 100},
    "other settings": {"settings.json": b"[1]"},
}


@pytest.mark.parametrize("forged", FORGED)
def test_an_archive_that_holds_nonsense_is_refused_in_a_sentence(archive: Path, tmp_path: Path, forged: str) -> None:
    changed(archive, tmp_path / "bad.tar", FORGED[forged])
    with pytest.raises(UserError, match=r"bad\.tar is damaged|settings"):
        restore(tmp_path / "bad.tar", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar"]


def test_an_archive_that_unpacks_to_very_much_more_is_refused(archive: Path, tmp_path: Path) -> None:
    changed(archive, tmp_path / "good.tar.gz", {}, "w:gz")
    restore(tmp_path / "good.tar.gz", tmp_path / "one")
    # No byte of it is unpacked: what a member's head says is enough.
    with gzip.open(tmp_path / "bomb.tar.gz", "wb") as bomb:
        info = tarfile.TarInfo("settings.json")
        info.size = 1 << 30
        bomb.write(info.tobuf())
    with pytest.raises(UserError, match="100 times its size"):
        restore(tmp_path / "bomb.tar.gz", tmp_path / "two")
    assert not (tmp_path / "two").exists()


@pytest.mark.parametrize("kind", ["gone", "damaged"])
def test_a_backup_tells_of_originals_that_are_not_whole_and_a_restore_brings_all_else(
    tmp_path: Path, kind: str
) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    for name in ("a", "b"):
        (files / f"{name}.txt").write_text(f"The words of {name}.")
    home.index(files)
    library = Library(home.folder)
    (document,) = [row.document for row in library.documents("documents") if row.names == ("files/a.txt",)]
    original = library.originals.path(document)
    original.unlink() if kind == "gone" else original.write_text("The words of x.")
    (files / "a.txt").unlink()
    told = "The originals of 1 documents are gone or damaged: files/a.txt."
    assert told in home.command("labse_search.library", "backup", str(tmp_path / "all.tar")).stderr
    home.stop_store()
    restored, other = Home(tmp_path / "restored"), Home(tmp_path / "other")
    arguments = ("restore", str(tmp_path / "all.tar"), "--store", str(restored.folder))
    assert told in restored.command("labse_search.library", *arguments).stderr
    problem = "original_missing" if kind == "gone" else "original_damaged"
    assert [one.code for one in restored.problems()] == [problem]
    there, store = Library(other.folder), open_store("", home=other.folder)
    warned: list[str] = []
    assert bring_backup(tmp_path / "all.tar", there, store, warn=warned.append) == {"documents": 2}
    store.close()
    assert told in warned[0] and [one.code for one in other.problems()] == ["original_missing"]
    restored.stop_store()
    other.stop_store()


def test_files_whose_names_are_no_unicode_are_restored(tmp_path: Path) -> None:
    home, files = Home(tmp_path / "home"), tmp_path / "files"
    files.mkdir()
    path = os.fsdecode(os.fsencode(files) + b"/caf\xe9.txt")
    try:
        Path(path).write_text("Words under an old name.")
    except OSError:
        pytest.skip("this disk takes names in Unicode only")
    home.index(files)
    home.command("labse_search.library", "backup", str(tmp_path / "all.tar"))
    home.stop_store()
    restore(tmp_path / "all.tar", tmp_path / "restored")
    library = Library(tmp_path / "restored")
    assert library.job_files(library.jobs()[0].id)[0].source.path == path


def test_weights_can_stay_out_and_a_restore_says_what_is_missing(made: Home, tmp_path: Path) -> None:
    file, home = tmp_path / "small.tar", Home(tmp_path / "home")
    said = made.command("labse_search.library", "backup", str(file), "--without-models").stdout
    assert "are not in it" in said
    with tarfile.open(file) as tar:
        assert not [name for name in tar.getnames() if name.endswith(".safetensors") or name.startswith("models/")]
    said = home.command("labse_search.library", "restore", str(file), "--store", str(home.folder)).stdout
    assert "reembed --collection documents --model labse-mini --switch" in said
    check_all_that_was_made(home.folder)
    home.stop_store()


def test_what_was_made_is_brought_in_beside_what_is_there(
    archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = Home(tmp_path / "home")
    mine, library = home.folder, Library(home.folder)
    Findings(mine).keep("documents", Finding("cd" * 16, 1, "b", "", "en", "mine", "mine", ""))
    store = open_store("", home=mine)
    assert bring_backup(archive, library, store) == {"documents": 1}
    # Which models a person cannot switch back to, and how they can build what did not come along.
    (left,) = [one.getMessage() for one in caplog.records if "not number 1" in one.getMessage()]
    before = left.rpartition("--model ")[2]
    assert Path(before).is_dir() and Path(before).is_relative_to(mine / "models")
    assert bring_backup(archive, library, store) == {"documents": 1}  # once more changes nothing
    Findings(mine).drop("documents", "cd" * 16, 1)
    check_all_that_was_made(mine)
    (run,) = runs(mine, "documents")
    assert store.info("documents").spec.model == str(run.model)  # of two generations the one that answered
    store.close()
    assert json.loads(home.command("labse_search.search", "The ferry leaves at noon.", "--json").stdout)
    assert not list(mine.glob("restoring-*")) and read_saved(mine) == {}
    home.stop_store()


def test_a_home_that_was_restored_is_backed_up_and_restored_again(archive: Path, tmp_path: Path) -> None:
    restore(archive, tmp_path / "one")
    library, store = Library(tmp_path / "one"), open_store("", home=tmp_path / "one")
    backup(library, store, tmp_path / "again.tar")
    store.stop()  # type: ignore[attr-defined]
    library.close()
    restore(tmp_path / "again.tar", tmp_path / "two")
    shutil.rmtree(tmp_path / "one")
    check_all_that_was_made(tmp_path / "two")
    home = Home(tmp_path / "two")
    assert json.loads(home.command("labse_search.search", "The ferry leaves at noon.", "--json").stdout)
    home.stop_store()


def changed_manifest(archive: Path, target: Path, **values: object) -> None:
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member).read()  # type: ignore[union-attr]
            if member.name == "manifest.json":
                content = json.dumps(json.loads(content) | values).encode()
                member.size = len(content)
            new.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("models", [{"/a": "../../etc"}, {"/a": "tuned/.."}, {"/a": 3}, {"": "models/" + "a" * 32}, []])
def test_models_that_would_lie_elsewhere_are_refused(archive: Path, tmp_path: Path, models: object) -> None:
    changed_manifest(archive, tmp_path / "bad.tar", models=models)
    with pytest.raises(UserError, match=r"bad\.tar is damaged"):
        restore(tmp_path / "bad.tar", tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar"]
