"""Alignments that are kept and corrected by hand, translations that are known, and the jobs that find both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from indexer.sources import walk
from indexer.worker import ALIGNING_WORKER, do_job, lock_beside, worker_of
from labse_search.align.jobs import add_align_job, add_find_job
from labse_search.align.kept import Alignments, Bead, KeptAlignment, Side, alignment_id
from labse_search.align.known import documents_digest, keep_translations, known_translations
from labse_search.align.translations import Translation
from labse_search.errors import UserError
from labse_search.library import JobRow, Library
from labse_search.settings import Settings

A, B = "aa" * 16, "bb" * 16
TELLS = {  # words that the model does not know, and by which the language is
    "en": "This is what the people of the village have told us about the weather and the harvest of that year,",
    "de": "Das ist es, was die Leute im Dorf uns über das Wetter und die Ernte jenes Jahres erzählt haben,",
    "fr": "Voici ce que les gens du village nous ont raconté sur le temps et sur la récolte de cette année-là,",
}


def kept(*beads: Bead) -> KeptAlignment:
    source = Side(A, "a.txt", "en", ("One.", "Two.", "Three."))
    target = Side(B, "b.txt", "ar", ("واحد", "اثنان", "ثلاثة"))
    return KeptAlignment(
        "книги", source, target, beads or ((0, 1, 0, 1, 0.4), (1, 3, 1, 2, 0.3), (3, 3, 2, 3, 0.0)), 1.0
    )


def test_lines_are_merged_split_and_unlinked_and_every_correction_is_taken_back() -> None:
    one = kept()
    merged = one.corrected("merge", 1)
    assert merged.beads[1:] == ((1, 3, 1, 3, None),)
    split = merged.corrected("split", 1)
    assert split.beads == ((0, 1, 0, 1, 0.4), (1, 2, 1, 2, None), (2, 3, 2, 3, None))
    assert [(pair.source, pair.target) for pair in split.pairs()][1:] == [("Two.", "اثنان"), ("Three.", "ثلاثة")]
    unlinked = split.corrected("unlink", 0)
    assert unlinked.beads[:2] == ((0, 1, 0, 0, None), (1, 1, 0, 1, None)) and len(unlinked.pairs()) == 2
    assert unlinked.undone().undone().undone().beads == one.beads
    assert one.undone() is one


@pytest.mark.parametrize(("action", "at"), [("merge", 2), ("split", 0), ("unlink", 2), ("split", 9), ("merge", 9)])
def test_what_cannot_be_corrected_is_a_sentence(action: str, at: int) -> None:
    with pytest.raises(UserError, match="nothing to change"):
        kept().corrected(action, at)  # type: ignore[arg-type]


def test_corrections_are_kept_and_follow_the_collection(tmp_path: Path) -> None:
    alignments = Alignments(tmp_path)
    alignments.put(kept())
    (one,) = Alignments(tmp_path).all("книги")
    alignments.change(one.id, "merge", 0)
    alignments.move("книги", "books")
    assert alignments.all("книги") == [] and alignments.get(one.id) is None
    moved = alignments.get(alignment_id("books", A, B))
    assert moved is not None and len(moved.beads) == 2 and moved.target.sentences == kept().target.sentences
    assert alignments.change(moved.id, "undo", 0).beads == kept().beads
    assert alignments.get("../home") is None
    with pytest.raises(UserError, match="gone"):
        alignments.change(one.id, "undo", 0)
    alignments.drop(moved.id)
    assert alignments.all("books") == []


def gone(value: dict[str, object]) -> None:
    del value["beads"]


def backwards(value: dict[str, object]) -> None:
    value["beads"] = [[2, 1, 0, 1, None]]


def too_short(value: dict[str, object]) -> None:
    value["beads"] = [[0, 1, 0, 1, None]]


@pytest.mark.parametrize("damage", [gone, backwards, too_short])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, damage: Callable[[dict[str, object]], None]) -> None:
    alignments = Alignments(tmp_path)
    alignments.put(kept())
    (file,) = (tmp_path / "alignments").iterdir()
    value = json.loads(file.read_text(encoding="utf-8"))
    damage(value)
    file.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        alignments.get(file.stem)


# ---- jobs


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_lexicon_model(tmp_path_factory.mktemp("model") / "lexicon", dimension=128))


class Books:
    """A collection whose documents are given as lists of meanings, a paragraph each."""

    def __init__(self, folder: Path, model: str) -> None:
        self.settings = Settings(home=folder / "home", model=model)
        self.library, self.files, self.model = Library(self.settings.home), folder / "files", model

    def add(self, name: str, language: str, meanings: list[list[int]]) -> None:
        path = self.files / name
        path.parent.mkdir(exist_ok=True)
        paragraphs = [f"{TELLS[language]} {sentence(language, one)}." for one in meanings]
        path.write_text("\n\n".join(paragraphs), encoding="utf-8")
        self.do(self.library.add_index_job("books", self.model, walk([path], self.library, "books")))

    def do(self, job: str | None) -> JobRow:
        assert job is not None
        row = do_job(self.library, self.settings, self.library.job(job))
        assert row is not None and row.state == "done", row
        return row

    def document(self, name: str) -> str:
        return next(row.document for row in self.library.documents("books") if row.names == (name,))


@pytest.fixture
def books(tmp_path: Path, model: str) -> Iterator[Books]:
    books = Books(tmp_path, model)
    yield books
    books.library.close()


def test_translations_are_looked_for_once_and_again_when_documents_change(books: Books) -> None:
    meanings = random_concepts(24, seed=1, length=12)
    books.add("english.txt", "en", meanings)
    assert add_find_job(books.library, "books") is None  # one document
    books.add("german.txt", "de", meanings)
    job = add_find_job(books.library, "books")
    assert job is not None and add_find_job(books.library, "books") is None  # it waits already
    row = books.library.job(job)
    assert worker_of(row) == ALIGNING_WORKER and lock_beside(row) != lock_beside(
        books.library.jobs(kinds=("index",))[0]
    )
    assert books.do(job).segments == 1
    known = known_translations(books.library, "books")
    english, german = books.document("english.txt"), books.document("german.txt")
    assert known is not None and known.of(english) == [german] and known.of(german) == [english]
    assert add_find_job(books.library, "books") is None
    books.add("french.txt", "fr", meanings)
    books.do(add_find_job(books.library, "books"))
    known = known_translations(books.library, "books")
    assert known is not None and len(known.pairs) == 3


def test_copies_are_found_in_a_collection_of_one_language(books: Books) -> None:
    meanings = random_concepts(24, seed=4, length=12)
    books.add("report.txt", "en", meanings)
    books.add("edited.txt", "en", [*random_concepts(2, seed=5, length=12), *meanings[:20]])
    books.add("excerpt.txt", "en", meanings[:4])
    books.add("other.txt", "en", random_concepts(24, seed=6, length=12))
    books.files.joinpath("capitals.txt").write_text((books.files / "report.txt").read_text().upper())
    books.do(books.library.add_index_job("books", books.model, walk([books.files], books.library, "books")))
    books.do(add_find_job(books.library, "books"))
    known = known_translations(books.library, "books")
    assert known is not None and known.pairs == ()
    names = {row.document: row.names[0].rpartition("/")[2] for row in books.library.documents("books")}
    found = [({names[one.source], names[one.target]}, round(one.share, 1)) for one in known.copies]
    assert found[0] == ({"report.txt", "capitals.txt"}, 1.0)
    assert [(len(pair & {"report.txt", "capitals.txt", "edited.txt"}), share) for pair, share in found[1:]] == [
        (2, 0.8)
    ]


def test_two_documents_are_aligned_by_a_job_and_kept(books: Books) -> None:
    meanings = random_concepts(6, seed=2, length=12)
    books.add("english.txt", "en", meanings)
    books.add("german.txt", "de", meanings[:4])
    english, german = books.document("english.txt"), books.document("german.txt")
    job = add_align_job(books.library, "books", english, german)
    assert add_align_job(books.library, "books", english, german) == job
    assert books.do(job).segments == 4
    (one,) = Alignments(books.library.home).all("books")
    assert (one.source.title, one.target.language) == ("english.txt", "de")
    assert len(one.pairs()) == 4 and [bead[2:4] for bead in one.beads[-2:]] == [(4, 4), (4, 4)]
    missing = books.library.job(add_align_job(books.library, "books", english, "cc" * 16))
    failed = do_job(books.library, books.settings, missing)
    assert failed is not None and failed.state == "failed" and "no document" in failed.error


def test_what_was_known_of_documents_that_are_gone_is_passed_over(books: Books) -> None:
    books.add("english.txt", "en", random_concepts(3, seed=3, length=12))
    english = books.document("english.txt")
    digest = documents_digest(books.library, "books")
    keep_translations(books.library, "books", digest, [Translation(english, A, 0.9)])
    known = known_translations(books.library, "books")
    assert known is not None and known.documents == digest and known.pairs == ()
    (file,) = (books.library.home / "translations").iterdir()
    file.write_text("{")
    assert known_translations(books.library, "books") is None
