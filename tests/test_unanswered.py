"""What a collection finds for questions that nothing in it answers, and what strengths make of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexer.generations import delete_collection
from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder.texts import encode_texts
from labse_search.library import Library
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.search.opening import make_searcher
from labse_search.search.profile import UNMEASURED, ScoredOdds, Unanswered, usual_odds
from labse_search.search.unanswered import forget_measured
from labse_search.store import Store, open_store

ROOT = Path(__file__).resolve().parent.parent
PASSAGES = [line.split("\t")[-1] for line in (ROOT / "labse_search" / "search" / "measure" / "declaration.tsv")
            .read_text("utf-8").splitlines() if line.split("\t")[0] in ("en", "de", "fr", "sw", "hi")]  # fmt: skip
LIBRARY = "The library on the market square lends tools, too: a drill costs two euros a day, and a ladder is free."


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("labse-mini")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store("", home=tmp_path)
    yield store
    store.close()


def fill(store: Store, encoder: Encoder, texts: list[str], first: int = 0, name: str = "notes") -> None:
    segments = [Segment(0, 0, len(text), text, "en", {}) for text in texts]
    stored = [StoredSegment(f"{number:032x}", (f"{number}.txt",), (), "txt", 0.0, segment)
              for number, segment in enumerate(segments, first)]  # fmt: skip
    if not first:
        store.create(name, CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert(name, stored, encode_texts(encoder, texts, "document"), fingerprint=encoder.fingerprint)


def kept(home: Path) -> list[Unanswered]:
    return [Unanswered(**json.loads(path.read_text())) for path in (home / "profiles").rglob("*.json")]


def test_a_collection_is_asked_once_and_again_when_it_has_doubled(
    tmp_path: Path, store: Store, encoder: Encoder
) -> None:
    fill(store, encoder, [*PASSAGES[:12], LIBRARY])
    searcher = make_searcher(store, encoder, "notes", tmp_path)
    searcher.search("What does it cost to borrow a drill?", mark=False, refine=False)
    assert kept(tmp_path) == []  # only where passages are compared token by token
    searcher.search("What does it cost to borrow a drill?")
    (first,) = kept(tmp_path)
    assert first.passages == 13 and first.mean < 0 < first.deviation
    (file,) = (tmp_path / "profiles").rglob("*.json")
    file.write_text("{")  # damaged: measured again
    make_searcher(store, encoder, "notes", tmp_path).search("Where is the market?")
    assert kept(tmp_path) == [first]
    fill(store, encoder, [f"{text} {text}" for text in PASSAGES[:14]], 100)
    searcher.search("Where is the market?")
    assert [one.passages for one in kept(tmp_path)] == [27]


def test_the_page_answers_while_a_collection_is_asked(tmp_path: Path, store: Store, encoder: Encoder) -> None:
    fill(store, encoder, [*PASSAGES, LIBRARY])
    searcher = make_searcher(store, encoder, "notes", tmp_path, aside=True)
    first = searcher.search("What does it cost to borrow a drill?").hits[0]
    for thread in threading.enumerate():
        if thread.name == "unanswered":
            thread.join()
    (measured,) = kept(tmp_path)
    assert measured.passages == len(PASSAGES) + 1
    then = searcher.search("What does it cost to borrow a drill?").hits[0]
    assert then.stored == first.stored and then.probability != first.probability
    waited = make_searcher(store, encoder, "notes", tmp_path).search("What does it cost to borrow a drill?").hits[0]
    assert then.probability == waited.probability and kept(tmp_path) == [measured]


def test_what_was_measured_goes_with_the_collection(tmp_path: Path, store: Store, encoder: Encoder) -> None:
    for name in ("notes", "notes@2"):
        fill(store, encoder, [*PASSAGES, LIBRARY], name=name)
    for name in ("notes@1", "notes@2"):
        make_searcher(store, encoder, name, tmp_path).search("Where is the market?")
    assert len(kept(tmp_path)) == 2
    forget_measured(tmp_path, "notes@2")
    assert len(kept(tmp_path)) == 1
    library = Library(tmp_path)
    library.ledger.collections.put("notes", model="labse-mini", fingerprint=encoder.fingerprint, store="edge")
    delete_collection(library, store, "notes")
    assert kept(tmp_path) == []


def test_the_answer_is_close_and_what_answers_nothing_is_not(tmp_path: Path, store: Store, encoder: Encoder) -> None:
    fill(store, encoder, [*PASSAGES, LIBRARY])
    searcher = make_searcher(store, encoder, "notes", tmp_path)
    for question in ("What does it cost to borrow a drill?", "Wo leiht man Werkzeug?", "Combien coûte une perceuse ?"):
        (best, *others) = searcher.search(question).hits
        assert best.stored.segment.text == LIBRARY and best.strength in ("close", "very close"), question
        assert all(hit.strength == "far" for hit in others)
    for question in ("asdfghjkl qwerty", "When does the ferry leave?", "Wie kocht man Spargel?"):
        assert {hit.strength for hit in searcher.search(question).hits} <= {"related", "far"}, question


def test_a_collection_that_finds_next_to_nothing_is_judged_by_the_model_alone(
    tmp_path: Path, store: Store, encoder: Encoder
) -> None:
    store.create("notes", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    assert make_searcher(store, encoder, "notes", tmp_path).search("Where is the market?").hits == ()
    assert kept(tmp_path) == []


def test_a_disk_without_room_is_no_reason_not_to_answer(tmp_path: Path, store: Store, encoder: Encoder) -> None:
    fill(store, encoder, [*PASSAGES[:3], LIBRARY])
    (tmp_path / "profiles").write_text("a file where the folder should be: nothing can be written")
    searcher = make_searcher(store, encoder, "notes", tmp_path)
    assert searcher.search("Wo leiht man Werkzeug?").good


def test_questions_that_are_answered_after_all_count_for_nothing() -> None:
    odds = np.random.default_rng(1).normal(-3.0, 1.0, 57)
    mean, deviation = usual_odds(odds)
    assert usual_odds(np.append(odds, [6.0, 7.0, 9.0])) == (mean, deviation)
    assert abs(mean + 3) < 0.4 and abs(deviation - 1) < 0.3


def test_what_is_usual_is_far_and_what_stands_out_is_close() -> None:
    odds = ScoredOdds(intercept=-2.4, score=2.0, least=-3.0, close=0.5)
    of = {mean: odds.probability(np.array([0.1, 0.5, 0.9]), mean, 1.0) for mean in (-2.0, 0.0)}
    assert (np.diff(of[0.0]) > 0).all() and (of[-2.0] > of[0.0]).all()
    assert np.allclose(odds.probability(np.array([0.5]), -9.0, 0.0), odds.probability(np.array([0.5]), -3.0, 0.5))
    profile = replace(UNMEASURED, scored=odds)
    assert [profile.scored.strength(one) for one in (0.9, 0.6, 0.2, 0.1)] == ["very close", "close", "related", "far"]
