"""Texts in a script that the model has no tokens for: found by their words, never by a vector that means nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from library_case import MODEL, Home, encoder

from labse_search.errors import UserError
from labse_search.library.originals import document_id
from labse_search.search import Answer, Searcher
from labse_search.store import open_store

GRAIN, LAND, OXEN = "𒊺 𒉆𒆬 𒆠𒂠", "𒀀𒊮 𒉌𒌓 𒃻𒁀", "𒄞 𒄿𒈾 𒌷𒆠"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    folder = tmp_path_factory.mktemp("unreadable")
    home = Home(folder / "home")
    (folder / "files").mkdir()
    texts = {"grain": GRAIN, "land": LAND, "oxen": OXEN, "bread": "Fresh bread is sold at night."}
    for name, text in texts.items():
        (folder / "files" / f"{name}.txt").write_text(text, encoding="utf-8")
    home.index(folder / "files")
    return home


def ask(home: Home, question: str, **settings: object) -> Answer:
    store = open_store("", home=home.folder)
    try:
        return Searcher(store, encoder(), "documents").search(question, **settings)  # type: ignore[arg-type]
    finally:
        store.close()


def names(answer: Answer) -> list[str]:
    return [hit.stored.names[0].rpartition("/")[2] for hit in answer.hits]


def test_a_question_that_cannot_be_read_finds_by_words_alone_and_says_so(home: Home) -> None:
    answer = ask(home, "𒊺 𒆠𒂠")
    assert names(answer) == ["grain.txt"]
    assert answer.hits[0].copies == () and answer.hits[0].score == 0
    assert "cannot read the script" in answer.notes[0]
    assert ask(home, "𒊺 𒆠𒂠", mode="meaning").hits == ()


def test_a_question_that_can_be_read_never_finds_what_cannot(home: Home) -> None:
    assert names(ask(home, "Where is bread sold at night?")) == ["bread.txt"]
    assert names(ask(home, "something else", mode="meaning")) == ["bread.txt"]


def test_nothing_is_like_a_passage_that_cannot_be_read(home: Home, tmp_path: Path) -> None:
    (tmp_path / "land.txt").write_text(LAND, encoding="utf-8")
    store = open_store("", home=home.folder)
    try:
        with pytest.raises(UserError, match="cannot read the script"):
            Searcher(store, encoder(), "documents").more_like(document_id(tmp_path / "land.txt"), 0)
    finally:
        store.close()


def test_the_indexer_says_in_sentences_which_documents_hold_them(home: Home, tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text(OXEN + " 𒀀", encoding="utf-8")
    (tmp_path / "page.html").write_text("<nav>Home</nav><p>The water rose.</p>", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("more.txt", "page.html")]
    done = home.command("indexer", *files, "--collection", "more", "--model", str(MODEL))
    assert "more.txt: The model cannot read 1 of 1 passages: found by their words only." in done.stdout
    assert "page.html: Menus and footers of the web page were left out." in done.stdout
