"""Documents of a collection: aligned from what the store holds, and translations of each other found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.align.documents import align_documents, sentences_of
from labse_search.align.translations import Document, find_among, find_translations
from labse_search.encoder import Encoder, load_encoder
from labse_search.errors import UserError
from labse_search.records import CollectionSpec, Segment, StoredSegment
from labse_search.similarity import normalize
from labse_search.store import Store
from labse_search.store.edge.client import EdgeStore

Concepts = list[list[int]]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    return load_encoder(str(make_lexicon_model(tmp_path_factory.mktemp("align") / "lexicon", dimension=128)))


def document(name: str, language: str, concepts: Concepts) -> list[StoredSegment]:
    """Segments of two sentences each."""
    segments, at = [], 0
    for index in range(0, len(concepts), 2):
        sentences = [sentence(language, one) for one in concepts[index : index + 2]]
        text = " ".join(sentences)
        spans = ((0, len(sentences[0])), (len(sentences[0]) + 1, len(text)))
        segment = Segment(index // 2, at, at + len(text), text, language, {}, spans[: len(sentences)])
        segments.append(StoredSegment(name, (f"{name}.txt",), (), "txt", 0.0, segment))
        at += len(text) + 1
    return segments


@pytest.fixture
def store(tmp_path: Path, encoder: Encoder) -> Iterator[Store]:
    meanings = random_concepts(24, seed=1)
    stored = [
        *document("english", "en", meanings),
        *document("german", "de", [*meanings[:6], *meanings[8:]]),
        *document("french", "fr", random_concepts(20, seed=2)),
        *document("reversed", "ru", meanings[::-1]),
        *document("copy", "en", meanings),
    ]
    store = EdgeStore.open(tmp_path / "store", idle_seconds=30)
    store.create("papers", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    vectors = encoder.encode([one.segment.text for one in stored])
    store.upsert("papers", stored, vectors, fingerprint=encoder.fingerprint)
    yield store
    store.stop()


def test_translations_are_documents_of_the_same_passages_in_order_in_two_languages(store: Store) -> None:
    found = {frozenset((one.source, one.target)): one.share for one in find_translations(store, "papers")}
    assert set(found) == {frozenset(("english", "german")), frozenset(("copy", "german"))}
    assert min(found.values()) > 0.9


def test_translations_of_a_few_passages_are_found_whole() -> None:
    generator = np.random.default_rng(0)
    meanings = normalize(generator.standard_normal((6, 64)).astype(np.float32) + 0.5)
    english, german = (
        Document(code, code, normalize(meanings + 0.05 * generator.standard_normal(meanings.shape).astype(np.float32)))
        for code in ("en", "de")
    )
    backwards = Document("fr", "fr", np.ascontiguousarray(german.vectors[::-1]))
    (found,) = find_among([english, german, backwards])
    assert {found.source, found.target} == {"en", "de"} and found.share == 1


def test_two_documents_are_aligned_from_what_the_store_holds(store: Store, encoder: Encoder) -> None:
    aligned = align_documents(encoder, store, "papers", ("english", "german"))
    assert len(aligned.source) == 24 and len(aligned.target) == 22
    pairs = aligned.pairs()
    meanings = random_concepts(24, seed=1)
    right = [(sentence("en", one), sentence("de", one)) for one in [*meanings[:6], *meanings[8:]]]
    assert [(pair.source, pair.target) for pair in pairs] == right
    assert (pairs[0].source_language, pairs[0].target_language) == ("en", "de")
    assert aligned.alone() == (2, 0)
    with pytest.raises(UserError, match="no document 'nothing'"):
        align_documents(encoder, store, "papers", ("english", "nothing"))


def test_sentences_know_where_they_stand_in_their_document() -> None:
    text = "One. Two."
    segments = [Segment(1, 20, 29, text, "en", {}, ((0, 4), (5, 9))), Segment(0, 0, 5, "Zero.", "en", {})]
    assert [(one.text, one.start, one.end) for one in sentences_of(segments)] == [
        ("Zero.", 0, 5),
        ("One.", 20, 24),
        ("Two.", 25, 29),
    ]
