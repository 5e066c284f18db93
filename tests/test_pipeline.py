"""Files in, a searchable collection out: the whole way with the real store, the real readers and the shipped model."""

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bench import MODEL, Bench
from library_case import encoder
from processes import run

from indexer.check import check
from indexer.documents import remove_documents, remove_name, restore_documents
from indexer.indexing import Indexer
from indexer.repair import rebuild_ledger, repair
from indexer.sandbox import ReaderPool
from indexer.sources import folders, missing, walk
from indexer.worker import do_job, waiting
from labse_search.errors import UserError
from labse_search.library import Library, Source
from labse_search.records import Filter
from labse_search.search import Searcher
from labse_search.settings import Settings
from labse_search.similarity import Vectors
from labse_search.store import open_store


def story(paragraphs: int) -> list[str]:
    """Paragraphs of the usual length, each ending with a line feed."""
    return [
        f"Paragraph {n} tells of the river and of house number {n}. Its garden lay behind a wall of grey stone, and "
        f"in the summer of 19{n:02} the people of the street used to sit there until it was dark.\n"
        for n in range(paragraphs)
    ]


class Counting:
    """The encoder, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> object:
        return getattr(encoder(), name)

    def encode(self, texts: Sequence[str], *arguments: str, **options: object) -> Vectors:
        self.asked += texts
        return encoder().encode(texts, *arguments, **options)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path, readers: ReaderPool) -> Iterator[Bench]:
    library = Library(tmp_path / "home")
    store = open_store("", home=library.home)
    (tmp_path / "files").mkdir()
    yield Bench(library, store, readers, tmp_path / "files")
    store.close()


def test_a_folder_becomes_a_collection_that_answers_in_another_language(bench: Bench) -> None:
    bench.write("de/markt.txt", "Der Bäcker öffnet um sechs Uhr. Am Sonntag bleibt er geschlossen.")
    bench.write("fr/pluie.md", "# Météo\n\nIl pleut depuis trois jours sur la ville.")
    row = bench.index()
    assert (row.state, row.outcomes) == ("done", {"added": 2})
    assert bench.names() == ["files/de/markt.txt", "files/fr/pluie.md"]
    answer = Searcher(bench.store, encoder(), "notes").search("When does the baker open?", mode="meaning")
    first = answer.hits[0].stored
    assert first.names == ("files/de/markt.txt",)
    assert first.folders == ("files", "files/de")
    assert first.segment.language == "de"
    text = bench.library.originals.text(first.document).text
    assert text[first.segment.start : first.segment.end] == first.segment.text
    assert bench.is_sound()


def test_a_job_without_anything_new_reads_no_weights(tmp_path: Path, tiny_labse: Path) -> None:
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.txt").write_text("The cat and the dog.")
    code = (
        "import sys; from indexer.__main__ import main\n"
        f"sys.argv[1:] = [{str(tmp_path / 'files')!r}, '--model', {str(tiny_labse)!r}, '--precision', 'bf16']\n"
        "assert main() == 0\n"
        "print('torch' in sys.modules)"
    )
    environ = {**os.environ, "LABSE_HOME": str(tmp_path / "home")}
    loaded = []
    for _ in range(2):
        loaded.append(run(sys.executable, "-c", code, env=environ).stdout.splitlines()[-1])
    assert loaded == ["True", "False"]


def test_a_second_run_changes_nothing(bench: Bench) -> None:
    bench.write("a.txt", "One.")
    bench.write("b.txt", "Two.")
    bench.index()
    before = bench.library.documents("notes")
    row = bench.index()
    assert (row.outcomes, row.segments) == ({"unchanged": 2}, 0)
    assert bench.library.documents("notes") == before


def test_a_changed_file_leaves_nothing_stale(bench: Bench) -> None:
    path = bench.write("a.txt", "The old text about the harbour. " * 40)
    bench.index()
    old = bench.library.documents("notes")[0].document
    path.write_text("The new text.", encoding="utf-8")
    assert bench.index().outcomes == {"replaced": 1}
    assert bench.texts() == ["The new text."]
    assert not bench.library.originals.path(old).exists()
    assert bench.is_sound()


@pytest.mark.parametrize("reachable", [False, True])
def test_a_file_takes_no_name_from_another_one_that_cannot_be_reached(bench: Bench, reachable: bool) -> None:
    bench.index(bench.write("usb/docs/readme.txt", "The contract.").parent)
    bench.index(bench.write("usb/docs/same.txt", "Words that move.").parent)
    (bench.files / "usb").rename(bench.files / "unplugged")
    if reachable:  # it is there, and no look at it is allowed just now: a link to itself leads nowhere
        (bench.files / "usb").symlink_to(bench.files / "usb")
    bench.write("local/docs/same.txt", "Words that move.")
    row = bench.index(bench.write("local/docs/readme.txt", "A recipe.").parent)
    assert row.state == "done" and "replaced" not in row.outcomes
    moved = ["docs/same.txt"] if not reachable else ["docs/same (2).txt", "docs/same.txt"]
    assert bench.names() == ["docs/readme (2).txt", "docs/readme.txt", *moved]
    assert bench.stored()["docs/readme.txt"] == "The contract." and bench.is_sound()
    bench.write("local/docs/readme.txt", "Another recipe.")
    assert bench.index(bench.files / "local" / "docs").outcomes["replaced"] == 1
    assert bench.stored()["docs/readme (2).txt"] == "Another recipe."


def test_two_files_of_one_name_that_wait_at_the_same_time_are_both_kept(bench: Bench) -> None:
    jobs = []
    for folder in ("one", "two"):
        bench.write(f"{folder}/docs/a (2).txt", f"Further words of {folder}.")
        jobs.append(bench.add(bench.write(f"{folder}/docs/a.txt", f"Words of {folder}.").parent))
    assert [bench.run(job).outcomes for job in jobs] == [{"added": 2}, {"added": 2}]
    assert bench.names() == ["docs/a (2) (2).txt", "docs/a (2).txt", "docs/a (3).txt", "docs/a.txt"]
    assert bench.is_sound()


def test_of_a_changed_file_only_passages_that_changed_are_encoded(bench: Bench) -> None:
    paragraphs = story(30)
    path = bench.write("a.txt", "\n".join(paragraphs))
    bench.index()
    before = set(bench.texts())
    path.write_text("\n".join([*paragraphs[:10], "A new paragraph about bread.\n", *paragraphs[10:]]), encoding="utf-8")
    counting = Counting()
    pipeline = Indexer(bench.library, bench.store, counting, bench.readers, "notes")  # type: ignore[arg-type]
    row = pipeline.run(bench.add())
    assert row.outcomes == {"replaced": 1} and row.segments == len(bench.texts())
    assert set(counting.asked) == set(bench.texts()) - before
    assert 0 < len(counting.asked) < len(before) / 3
    bench.check_vectors()
    assert bench.is_sound()


def test_a_changed_file_of_which_only_words_went_asks_nothing_of_the_encoder(bench: Bench) -> None:
    paragraphs = story(30)
    path = bench.write("a.txt", "\n".join(paragraphs))
    bench.index()
    (row,) = bench.library.documents("notes")
    last = max(bench.store.segments("notes"), key=lambda one: one.segment.index).segment
    path.write_text(bench.library.originals.text(row.document).text[: last.start], encoding="utf-8")
    counting = Counting()
    pipeline = Indexer(bench.library, bench.store, counting, bench.readers, "notes")  # type: ignore[arg-type]
    assert pipeline.run(bench.add()).outcomes == {"replaced": 1}
    assert counting.asked == [] and bench.store.count("notes") == row.segments - 1
    assert bench.is_sound()


def test_the_same_content_twice_is_one_document_with_two_names(bench: Bench) -> None:
    bench.write("a.txt", "The same words.")
    bench.write("copy/b.txt", "The same words.")
    assert bench.index().outcomes == {"added": 1, "duplicate": 1}
    (row,) = bench.library.documents("notes")
    assert row.names == ("files/a.txt", "files/copy/b.txt")
    assert [stored.names for stored in bench.store.segments("notes")] == [row.names]
    remove_name(bench.library, bench.store, "notes", "files/a.txt")
    assert [stored.names for stored in bench.store.segments("notes")] == [("files/copy/b.txt",)]
    remove_name(bench.library, bench.store, "notes", "files/copy/b.txt")
    assert bench.store.count("notes") == 0
    assert bench.library.documents("notes") == []


def test_a_copy_that_comes_later_is_called_a_duplicate_and_its_original_keeps_its_name(bench: Bench) -> None:
    bench.write("a.txt", "The same words.")
    bench.index()
    bench.write("b.txt", "The same words.")
    row = bench.index()
    assert (row.outcomes, row.segments) == ({"unchanged": 1, "duplicate": 1}, 0)
    assert bench.names() == ["files/a.txt", "files/b.txt"]


def test_a_renamed_file_is_not_encoded_again_and_its_old_name_goes(bench: Bench) -> None:
    path = bench.write("a.txt", "Some words.")
    bench.index()
    path.rename(bench.files / "b.txt")
    row = bench.index()
    assert (row.outcomes, row.segments) == ({"renamed": 1}, 0)
    assert bench.names() == ["files/b.txt"]
    assert [stored.names for stored in bench.store.segments("notes")] == [("files/b.txt",)]
    assert bench.is_sound()


def test_a_moved_folder_retires_its_old_names_but_no_copy_that_is_still_there(bench: Bench, tmp_path: Path) -> None:
    bench.write("old/a.txt", "First words.")
    bench.write("old/deep/b.txt", "Second words.")
    bench.write("copy.txt", "Second words.")
    bench.index()
    (tmp_path / "elsewhere").mkdir()
    (bench.files / "old").rename(tmp_path / "elsewhere" / "new")
    assert bench.index(tmp_path / "elsewhere" / "new").outcomes == {"renamed": 2}
    assert bench.names() == ["files/copy.txt", "new/a.txt", "new/deep/b.txt"]
    assert missing([bench.files], bench.library, "notes") == []
    assert bench.is_sound()


def test_a_removed_file_is_missing_until_its_name_is_removed(bench: Bench) -> None:
    path = bench.write("a.txt", "Some words.")
    bench.index()
    path.unlink()
    assert missing([bench.files], bench.library, "notes") == ["files/a.txt"]
    remove_name(bench.library, bench.store, "notes", "files/a.txt")
    assert (bench.names(), missing([bench.files], bench.library, "notes")) == ([], [])
    assert bench.is_sound()


def test_a_file_that_cannot_be_looked_at_is_not_gone(bench: Bench) -> None:
    """A folder that may not be read, or a drive that does not answer; here a folder that has become a link to itself,
    which no user may follow."""
    bench.write("folder/a.txt", "Words in a folder.")
    bench.index()
    folder = bench.files / "folder"
    folder.rename(bench.files.parent / "elsewhere")
    folder.symlink_to(folder)
    assert missing([bench.files], bench.library, "notes") == []
    folder.unlink()
    assert missing([bench.files], bench.library, "notes") == ["files/folder/a.txt"]


def test_two_folders_of_one_name_do_not_overwrite_each_other(bench: Bench) -> None:
    first, second = bench.write("x/notes/a.txt", "First."), bench.write("y/notes/a.txt", "Second.")
    bench.index(first.parent, second.parent)
    assert bench.names() == ["notes/a (2).txt", "notes/a.txt"]
    bench.index(second.parent, first.parent)
    assert bench.names() == ["notes/a (2).txt", "notes/a.txt"]
    assert bench.texts() == ["First.", "Second."]


def test_hidden_files_are_left_out(bench: Bench) -> None:
    bench.write("a.txt", "Open.")
    bench.write(".hidden/b.txt", "Hidden.")
    bench.write(".c.txt", "Hidden.")
    job = bench.add()
    assert [file.source.name for file in bench.library.job_files(job)] == ["files/a.txt"]


def test_links_and_pipes_are_listed_with_the_reason_why_they_are_not_read(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("Secret.")
    bench.write("a.txt", "Open.")
    bench.write("sub/b.txt", "Inside.")
    for name, target in {
        "link.txt": outside / "secret.txt",
        "folder": outside,
        "up": bench.files,
        "broken.txt": tmp_path / "nothing",
        "inside.txt": bench.files / "sub" / "b.txt",
    }.items():
        (bench.files / name).symlink_to(target)
    os.mkfifo(bench.files / "pipe.txt")
    job = bench.add()
    bench.run(job)
    reasons = {file.source.name: file.reason for file in bench.library.job_files(job)}
    assert reasons == {
        "files/a.txt": "",
        "files/inside.txt": "",
        "files/sub/b.txt": "",
        "files/link.txt": "link",
        "files/folder": "link",
        "files/up": "link",
        "files/broken.txt": "link_broken",
        "files/pipe.txt": "special",
    }
    assert bench.names() == ["files/a.txt", "files/inside.txt", "files/sub/b.txt"]


def test_a_missing_path_is_named(bench: Bench) -> None:
    with pytest.raises(UserError, match="nowhere"):
        walk([Path("/nowhere/at/all")], bench.library, "notes")


def test_a_file_without_text_is_skipped_with_a_reason_and_the_rest_goes_on(bench: Bench) -> None:
    bench.write("empty.txt", "")
    (bench.files / "noise.bin").write_bytes(bytes(range(256)) * 64)
    bench.write("good.txt", "Good.")
    row = bench.index()
    assert (row.state, row.outcomes) == ("done", {"added": 1, "skipped": 2})
    reasons = {file.source.name: file.reason for file in bench.library.job_files(row.id)}
    assert reasons == {"files/empty.txt": "empty", "files/noise.bin": "binary", "files/good.txt": ""}
    assert len(list(bench.library.originals.documents())) == 1


def test_a_file_over_the_limit_is_not_even_read(bench: Bench) -> None:
    bench.write("big.txt", "word " * 1000)
    job = bench.add()
    pipeline = Indexer(bench.library, bench.store, encoder(), bench.readers, "notes", max_file_bytes=1000)
    assert pipeline.run(job).outcomes == {"skipped": 1}
    assert bench.library.job_files(job)[0].reason == "too_large"


def test_a_file_that_vanished_is_skipped(bench: Bench) -> None:
    path = bench.write("a.txt", "Here.")
    job = bench.add()
    path.unlink()
    assert bench.run(job).outcomes == {"skipped": 1}
    assert bench.library.job_files(job)[0].reason == "vanished"


def test_the_coverage_ledger_balances_to_the_character(bench: Bench) -> None:
    bench.write("thai.txt", "ตลาดเปิดตอนเช้า  ขายปลาและผัก\n\n" * 30)
    bench.write("zh.txt", "河水上涨了。桥已经关闭，" * 50)
    bench.write("mixed.csv", "name,price\nbread,2\nsalt,1\n")
    bench.index()
    for row in bench.library.documents("notes"):
        assert row.characters == len(bench.library.originals.text(row.document).text)
        assert row.characters == row.embedded + sum(row.skipped.values())


def test_a_paused_job_goes_on_where_it_was(bench: Bench) -> None:
    for number in range(30):
        bench.write(f"{number:02}.txt", f"Sentence number {number}.")
    job = bench.add()
    bench.library.ledger.jobs.set(job, state="running")
    bench.library.ask(job, "pause")
    assert bench.run(job).state == "paused"
    assert waiting(bench.library) == []
    bench.library.ask(job, "")
    assert [row.id for row in waiting(bench.library)] == [job]
    row = bench.run(job)
    assert (row.state, row.outcomes) == ("done", {"added": 30})
    assert bench.is_sound()


def test_a_cancelled_job_leaves_no_half_document(bench: Bench) -> None:
    bench.write("a.txt", "Cancelled words.")
    job = bench.add()
    bench.library.ledger.jobs.set(job, state="running")
    bench.library.ask(job, "cancel")
    assert bench.run(job).state == "cancelled"
    assert bench.is_sound()
    assert bench.library.ledger.documents.storing("notes") == []


def test_removed_documents_can_be_put_back(bench: Bench) -> None:
    bench.write("a.txt", "Comes back.")
    bench.index()
    (row,) = bench.library.documents("notes")
    assert remove_documents(bench.library, bench.store, "notes", [row.document]) == 1
    assert bench.store.count("notes") == 0
    assert [one.document for one in bench.library.removed_documents("notes")] == [row.document]
    bench.run(restore_documents(bench.library, "notes", MODEL, [row.document]))
    assert bench.texts() == ["Comes back."]
    assert bench.names() == ["files/a.txt"]
    assert bench.index().outcomes == {"unchanged": 1}
    assert bench.is_sound()


def test_an_upload_is_kept_and_its_temporary_copy_goes(bench: Bench) -> None:
    upload = bench.library.home / "uploads" / "upload-1"
    upload.parent.mkdir()
    upload.write_text("Dropped on the page.", encoding="utf-8")
    job = bench.library.add_index_job("notes", MODEL, [Source(str(upload), "folder/page.txt", 20, kept=True)])
    assert bench.run(job).outcomes == {"added": 1}
    assert not upload.exists()
    assert bench.names() == ["folder/page.txt"]


def test_what_the_store_lost_is_found_and_rebuilt_from_the_originals(bench: Bench) -> None:
    bench.write("a.txt", "First document.")
    bench.write("b.txt", "Second document.")
    bench.index()
    lost = bench.library.documents("notes")[0]
    bench.store.delete("notes", Filter(documents=(lost.document,)))
    problems = check(bench.library, bench.store, "notes")
    assert [(problem.code, problem.document) for problem in problems] == [("segments_missing", lost.document)]
    (job,) = repair(bench.library, bench.store, "notes", problems)
    assert bench.run(job).outcomes == {"replaced": 1} or bench.library.job(job).outcomes == {"added": 1}
    assert bench.is_sound()
    assert bench.texts() == ["First document.", "Second document."]


def test_a_lost_collection_is_rebuilt_whole(bench: Bench) -> None:
    bench.write("a.txt", "First document.")
    bench.index()
    bench.store.drop("notes")
    problems = check(bench.library, bench.store, "notes")
    assert [problem.code for problem in problems] == ["collection_missing"]
    (job,) = repair(bench.library, bench.store, "notes", problems)
    bench.run(job)
    assert bench.is_sound()


def test_a_lost_ledger_is_rebuilt_from_store_and_originals(bench: Bench) -> None:
    bench.write("a.txt", "First document.")
    bench.write("same/a.txt", "First document.")
    bench.index()
    before = bench.names()
    bench.library.close()
    for file in bench.library.home.glob("ledger.sqlite3*"):
        file.unlink()
    library = Library(bench.library.home)
    jobs = rebuild_ledger(library, bench.store)
    again = Bench(library, bench.store, bench.readers, bench.files)
    for job in jobs:
        again.run(job)
    assert again.names() == before
    assert again.is_sound()


def test_an_original_that_rotted_is_reported(bench: Bench) -> None:
    bench.write("a.txt", "First document.")
    bench.index()
    (row,) = bench.library.documents("notes")
    bench.library.originals.path(row.document).write_bytes(b"other")
    codes = [problem.code for problem in check(bench.library, bench.store, "notes", full=True)]
    assert codes == ["original_damaged"]


def test_a_full_home_fails_the_job_with_a_sentence(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    shutil.rmtree(bench.library.home / "originals", ignore_errors=True)
    (bench.library.home / "originals").write_text("a file where a folder should be")
    row = bench.index()
    assert row.state == "failed"
    assert "originals" in row.error
    (bench.library.home / "originals").unlink()
    bench.library.ask(row.id, "")
    assert bench.run(row.id).state == "done"


def test_a_job_is_done_by_one_worker_only(bench: Bench) -> None:
    bench.write("a.txt", "Words.")
    job = bench.add()
    settings = Settings(home=bench.library.home)
    held = bench.library.lock(f"job-{job}")
    assert held is not None
    assert do_job(bench.library, settings, bench.library.job(job)) is None
    held.release()
    row = do_job(bench.library, settings, bench.library.job(job))
    assert row is not None and row.state == "done"


def test_the_folders_above_names() -> None:
    assert folders(["a/b/c.txt", "a/d.txt", "e.txt"]) == ("a", "a/b")
