"""What every store promises, once for each adapter."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from labse_search.errors import CollectionMissing, ModelMismatch, UserError
from labse_search.records import CollectionSpec, Filter, Place, Segment, StoredSegment
from labse_search.similarity import Vectors, normalize
from labse_search.store import Store, StoreQuestion, open_store, rewrite_words, words_outdated
from labse_search.store.folding import VERSION

SPEC = CollectionSpec(dimension=16, fingerprint="a" * 64, model="labse-mini")
PRINT = SPEC.fingerprint


@pytest.fixture(scope="module", params=["edge", "memory", "server"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "edge":
        from labse_search.store.edge.client import EdgeStore

        edge = EdgeStore.open(tmp_path_factory.mktemp("store"), idle_seconds=30, scan_mb=0)
        yield edge
        edge.stop()
        return
    from qdrant_client import QdrantClient

    from labse_search.store.qdrant_server import ServerStore

    if request.param == "memory":
        memory = ServerStore(QdrantClient(":memory:"), ":memory:")
        yield memory
        memory.close()
        return
    url = os.environ.get("QDRANT_URL")
    if not url:
        pytest.skip("QDRANT_URL is not set: no Qdrant server to test against")
    server = ServerStore.connect(url, os.environ.get("QDRANT_API_KEY", ""))
    yield server
    server.close()


@pytest.fixture(scope="module")
def shared_name(store: Store) -> Iterator[str]:
    name = f"test-{uuid.uuid4().hex[:12]}"
    store.create(name, SPEC)
    yield name
    store.drop(name)


@pytest.fixture
def name(store: Store, shared_name: str) -> Iterator[str]:
    """An empty collection, emptied again behind each test: making one costs a second of disk flushes."""
    assert store.count(shared_name) == 0
    yield shared_name
    store.delete(shared_name, Filter(added_after=0.0))


def segment(
    document: str = "cat",
    index: int = 0,
    text: str = "The cat sat.",
    language: str = "en",
    *,
    kind: str = "txt",
    folders: Sequence[str] = ("notes",),
    added: float = 1000.0,
    place: Place | None = None,
) -> StoredSegment:
    return StoredSegment(
        document=document,
        names=(f"notes/{document}.{kind}",),
        folders=tuple(folders),
        kind=kind,
        added=added,
        segment=Segment(index, 10, 10 + len(text), text, language, place or {"page": 3}, ((0, 3), (4, len(text)))),
    )


def directions(count: int, seed: int = 0) -> Vectors:
    return normalize(np.random.default_rng(seed).normal(size=(count, SPEC.dimension)))


def put(store: Store, name: str, segments: Sequence[StoredSegment], vectors: Vectors | None = None) -> Vectors:
    vectors = directions(len(segments)) if vectors is None else vectors
    store.upsert(name, segments, vectors, fingerprint=PRINT)
    return vectors


def documents(found: Sequence[object]) -> list[str]:
    return [one.stored.document for one in found]  # type: ignore[attr-defined]


def test_what_is_stored_comes_back_whole(store: Store, name: str) -> None:
    one = segment("mixed", 7, "Zwei 猫。 \u2028 «кот»", "de", place={"page": 2, "section": "§ 1"})
    vector = put(store, name, [one])[0]
    [found] = store.search_meaning(name, vector, 5, fingerprint=PRINT)
    assert found.stored == one
    assert found.score == pytest.approx(1.0, abs=1e-5)
    assert list(store.segments(name)) == [one]
    np.testing.assert_array_equal(store.vectors(name, [one.point])[one.point], vector)


def test_search_by_meaning_ranks_by_cosine(store: Store, name: str) -> None:
    vectors = put(store, name, [segment(f"d{i}") for i in range(50)])
    question = directions(1, seed=9)[0]
    expected = np.argsort(-vectors @ question)[:10]
    for exact in (False, True):
        found = store.search_meaning(name, question, 10, fingerprint=PRINT, exact=exact)
        assert documents(found) == [f"d{i}" for i in expected]
        np.testing.assert_allclose([one.score for one in found], vectors[expected] @ question, atol=1e-5)


def test_the_cosines_of_what_is_nearest_to_several_vectors_come_at_once(store: Store, name: str) -> None:
    put(store, name, [segment(f"d{i}") for i in range(20)])
    questions = directions(3, seed=9)
    found = store.nearest_cosines(name, questions, 4, fingerprint=PRINT)
    for cosines, question in zip(found, questions, strict=True):
        one_by_one = store.search_meaning(name, question, 4, fingerprint=PRINT)
        assert cosines == pytest.approx([one.score for one in one_by_one], abs=1e-6)
    assert store.nearest_cosines(name, questions[:0], 4, fingerprint=PRINT) == []
    with pytest.raises(ModelMismatch):
        store.nearest_cosines(name, questions, 4, fingerprint="b" * 64)
    with pytest.raises(ValueError, match="length 1"):
        store.nearest_cosines(name, 2 * questions, 4, fingerprint=PRINT)


def test_index_and_exact_search_agree_after_optimizing(store: Store, name: str) -> None:
    put(store, name, [segment(f"d{i}") for i in range(300)])
    store.optimize(name)
    question = directions(1, seed=9)[0]
    by_index = store.search_meaning(name, question, 10, fingerprint=PRINT)
    exact = store.search_meaning(name, question, 10, fingerprint=PRINT, exact=True)
    assert documents(by_index) == documents(exact)


def test_an_empty_collection_finds_nothing(store: Store, name: str) -> None:
    assert store.search_meaning(name, directions(1)[0], 5, fingerprint=PRINT) == []
    assert store.search_words(name, "cat", 5) == []
    assert list(store.segments(name)) == []
    assert store.vectors(name, [segment().point]) == {}
    assert store.vectors(name, []) == {}
    assert store.count(name) == 0
    assert store.facet(name, "language") == {}
    store.optimize(name)


def test_a_question_gets_all_at_once_that_it_would_get_one_by_one(store: Store, name: str) -> None:
    segments = [segment("cat", n, text) for n, text in enumerate(("The cat sat.", "A dog ran.", "A cat and a dog."))]
    put(store, name, [*segments, segment("other", 0, "Das Haus", "de")])
    vector, text, where = directions(1, seed=5)[0], "dog cat", Filter(languages=("en",))
    both = store.ask(name, StoreQuestion(PRINT, vector, text, 2, where))
    assert both.meaning == store.search_meaning(name, vector, 2, where=where, fingerprint=PRINT)
    assert both.words == store.search_words(name, text, 2, where=where)
    assert len(both.meaning) == len(both.words) == 2
    found = list({one.stored.point for one in (*both.meaning, *both.words)})
    vectors = store.vectors(name, found)
    assert both.vectors.keys() == vectors.keys()
    assert all(np.array_equal(both.vectors[point], vectors[point]) for point in found)
    assert both.info == store.info(name)
    one = store.ask(name, StoreQuestion(PRINT, vector, None, 2))
    assert (one.meaning, one.words) == (store.search_meaning(name, vector, 2, fingerprint=PRINT), [])
    one = store.ask(name, StoreQuestion(PRINT, None, text, 2))
    assert (one.meaning, one.words) == ([], store.search_words(name, text, 2))
    nothing = store.ask(name, StoreQuestion(PRINT, None, "?!", 2))
    assert (nothing.meaning, nothing.words, nothing.vectors) == ([], [], {})
    with pytest.raises(ModelMismatch):
        store.ask(name, StoreQuestion("b" * 64, vector, text, 2))


def test_the_same_segment_twice_is_one(store: Store, name: str) -> None:
    put(store, name, [segment()])
    put(store, name, [segment(text="The dog ran.")])
    assert store.count(name) == 1
    assert [one.segment.text for one in store.segments(name)] == ["The dog ran."]
    assert store.search_words(name, "cat", 5) == []
    assert documents(store.search_words(name, "dog", 5)) == ["cat"]


def test_an_empty_batch_is_no_error(store: Store, name: str) -> None:
    store.upsert(name, [], np.zeros((0, SPEC.dimension), np.float32), fingerprint=PRINT)
    assert store.count(name) == 0


def test_a_large_batch_arrives_whole(store: Store, name: str) -> None:
    put(store, name, [segment("book", i, f"page {i}") for i in range(1500)])
    assert store.count(name) == 1500
    assert [one.segment.index for one in store.segments(name, Filter(documents=("book",)))] == list(range(1500))


FILTERED = [
    segment("a", 0, language="de", kind="pdf", folders=("x", "x/y"), added=100.0),
    segment("a", 1, language="en", kind="pdf", folders=("x", "x/y"), added=100.0),
    segment("b", 0, language="ja", kind="txt", folders=("x",), added=200.0),
    segment("c", 0, language="en", kind="txt", folders=(), added=300.0),
]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(languages=("en",)), ["a1", "c0"]),
        (Filter(languages=("de", "ja")), ["a0", "b0"]),
        (Filter(not_languages=("en",)), ["a0", "b0"]),
        (Filter(documents=("a",)), ["a0", "a1"]),
        (Filter(not_documents=("a", "b")), ["c0"]),
        (Filter(kinds=("pdf",)), ["a0", "a1"]),
        (Filter(folders=("x",)), ["a0", "a1", "b0"]),
        (Filter(folders=("x/y",)), ["a0", "a1"]),
        (Filter(added_after=200.0), ["b0", "c0"]),
        (Filter(added_before=200.0), ["a0", "a1"]),
        (Filter(added_after=150.0, added_before=300.0), ["b0"]),
        (Filter(documents=("a",), indexes=(1, 2)), ["a1"]),
        (Filter(kinds=("txt",), not_languages=("ja",)), ["c0"]),
        (Filter(languages=("sw",)), []),
    ],
    ids=str,
)
def test_a_filter_names_the_same_segments_everywhere(
    store: Store, name: str, where: Filter, expected: list[str]
) -> None:
    put(store, name, FILTERED)

    def names(segments: Sequence[StoredSegment]) -> list[str]:
        return sorted(f"{one.document}{one.segment.index}" for one in segments)

    assert names(list(store.segments(name, where))) == expected
    meaning = store.search_meaning(name, directions(1)[0], 10, where=where, fingerprint=PRINT)
    assert names([one.stored for one in meaning]) == expected
    assert names([one.stored for one in store.search_words(name, "cat", 10, where=where)]) == expected
    assert store.count(name, where) == len(expected)
    assert sum(store.facet(name, "document", where).values()) == len(expected)


def test_deleting_leaves_nothing_stale(store: Store, name: str) -> None:
    vectors = put(store, name, [segment("old", i) for i in range(3)] + [segment("new", 0, "A dog.")])
    store.delete(name, Filter(documents=("old",)))
    assert store.count(name) == 1
    assert documents(store.search_meaning(name, vectors[0], 10, fingerprint=PRINT)) == ["new"]
    assert store.search_words(name, "cat", 10) == []
    assert store.facet(name, "document") == {"new": 1}
    assert store.vectors(name, [segment("old", 0).point]) == {}


def test_replacing_a_document_by_a_shorter_one_leaves_nothing_stale(store: Store, name: str) -> None:
    put(store, name, [segment("report", i, f"first version {i}") for i in range(5)])
    put(store, name, [segment("report", i, f"second edition {i}") for i in range(2)])
    store.delete(name, Filter(documents=("report",), indexes=(2, 3, 4)))
    assert [one.segment.text for one in store.segments(name)] and store.count(name) == 2
    assert store.search_words(name, "first version", 10) == []


def test_deleting_what_is_not_there_is_no_error(store: Store, name: str) -> None:
    store.delete(name, Filter(documents=("nobody",)))


def test_deleting_everything_by_an_empty_filter_is_refused(store: Store, name: str) -> None:
    put(store, name, [segment()])
    with pytest.raises(ValueError, match="drop"):
        store.delete(name, Filter())
    assert store.count(name) == 1


def test_renaming_reaches_every_segment_of_the_document_and_no_other(store: Store, name: str) -> None:
    vectors = put(store, name, [segment("a", 0), segment("a", 1), segment("b", 0)])
    store.rename(name, "a", ["new/place.txt", "copy.txt"], ["new"])
    assert {one.names for one in store.segments(name, Filter(folders=("new",)))} == {("new/place.txt", "copy.txt")}
    assert store.count(name, Filter(folders=("new",))) == 2
    assert store.count(name, Filter(folders=("notes",))) == 1
    np.testing.assert_array_equal(store.vectors(name, [segment("a", 1).point])[segment("a", 1).point], vectors[1])
    assert documents(store.search_words(name, "cat", 5)) == ["a", "a", "b"]


def test_one_document_comes_in_reading_order(store: Store, name: str) -> None:
    put(store, name, [segment("a", index) for index in (4, 0, 11, 2, 1)] + [segment("b", 3)])
    indexes = [one.segment.index for one in store.segments(name, Filter(documents=("a",)))]
    assert indexes == [0, 1, 2, 4, 11]
    assert [one.segment.index for one in store.segments(name, Filter(documents=("a",)), limit=2)] == [0, 1]


def test_segments_are_had_by_their_points(store: Store, name: str) -> None:
    kept = [segment("a", 0), segment("a", 1), segment("b", 4, "The dog ran.", place={"page": 9})]
    put(store, name, kept)
    missing = [segment("a", 2).point, segment("c", 0).point]
    wanted = [kept[2].point, missing[0], kept[0].point, missing[1], kept[2].point]
    assert store.by_point(name, wanted) == {kept[2].point: kept[2], kept[0].point: kept[0]}
    assert store.by_point(name, missing) == {} and store.by_point(name, []) == {}
    many = [segment("book", index, f"page {index}") for index in range(600)]
    put(store, name, many)
    assert store.by_point(name, [one.point for one in many]) == {one.point: one for one in many}


def test_a_limit_bounds_the_segments(store: Store, name: str) -> None:
    put(store, name, [segment(f"d{i}") for i in range(10)])
    assert len(list(store.segments(name, limit=4))) == 4
    assert len(list(store.segments(name, limit=40))) == 10
    assert len({one.document for one in store.segments(name)}) == 10


def test_facets_count_segments_most_frequent_first(store: Store, name: str) -> None:
    put(store, name, FILTERED)
    assert list(store.facet(name, "language").items()) == [("en", 2), ("de", 1), ("ja", 1)]
    assert store.facet(name, "kind") == {"pdf": 2, "txt": 2}
    assert store.facet(name, "folder") == {"x": 3, "x/y": 2}
    assert list(store.facet(name, "document", Filter(languages=("en",))).items()) == [("a", 1), ("c", 1)]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("我喜欢机器学习和猫。", "机器学习"),
        ("庭に猫がいる。", "猫"),
        ("นักเรียนอ่านหนังสือในห้องสมุด", "ห้องสมุด"),
        ("Кошка спит на ДИВАНЕ.", "диване"),
        ("Die Straße ist naß.", "STRASSE"),
        ("고양이가 정원에서 잔다", "고양이"),
        ("बिल्ली बगीचे में सो रही है", "बगीचे"),
        ("القِطَّةُ في الحديقة", "القطة"),
        ("ខ្ញុំស្រឡាញ់សៀវភៅ", "សៀវភៅ"),
        ("Ｆｕｌｌ ｗｉｄｔｈ No. 42", "full 42"),
    ],
)
def test_words_are_found_in_every_script(store: Store, name: str, text: str, question: str) -> None:
    put(store, name, [segment("right", 0, text), segment("other", 0, "Nothing of the kind"), segment("empty", 0, "…!")])
    assert documents(store.search_words(name, question, 5)) == ["right"]


def test_rare_words_and_short_segments_count_more(store: Store, name: str) -> None:
    common = [segment(f"d{i}", 0, "the cat and the dog") for i in range(8)]
    put(
        store, name, [*common, segment("rare", 0, "the xylophone"), segment("long", 0, "the xylophone " + "word " * 90)]
    )
    found = store.search_words(name, "the xylophone", 10)
    assert documents(found)[:2] == ["rare", "long"]
    assert found[0].score > found[1].score > found[2].score


def test_a_question_without_words_finds_nothing(store: Store, name: str) -> None:
    put(store, name, [segment()])
    assert store.search_words(name, "?! …", 5) == []
    assert store.search_words(name, "", 5) == []


def _broken(kind: str) -> Vectors:
    vectors = directions(3).copy()
    if kind == "nan":
        vectors[1, 0] = np.nan
    elif kind == "infinite":
        vectors[1, 0] = np.inf
    elif kind == "zero":
        vectors[1] = 0
    elif kind == "too long":
        vectors[1] *= 2
    elif kind == "other dimension":
        vectors = normalize(np.ones((3, SPEC.dimension + 1)))
    elif kind == "too few":
        vectors = vectors[:2]
    elif kind == "flat":
        vectors = vectors[0]
    return vectors


@pytest.mark.parametrize("kind", ["nan", "infinite", "zero", "too long", "other dimension", "too few", "flat"])
def test_a_broken_batch_is_refused_whole(store: Store, name: str, kind: str) -> None:
    with pytest.raises(ValueError, match="vector"):
        store.upsert(name, [segment("d", i) for i in range(3)], _broken(kind), fingerprint=PRINT)
    assert store.count(name) == 0


def test_text_that_is_no_unicode_is_refused_whole(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="surrogate"):
        put(store, name, [segment("good"), segment("bad", 0, "half a pair: \ud83d")])
    assert store.count(name) == 0


@pytest.mark.parametrize("kind", ["nan", "other dimension"])
def test_a_broken_question_is_refused(store: Store, name: str, kind: str) -> None:
    with pytest.raises(ValueError, match="vector"):
        store.search_meaning(name, _broken(kind)[1], 5, fingerprint=PRINT)


def test_another_model_is_refused_for_upsert_search_and_create(store: Store, name: str) -> None:
    other = CollectionSpec(SPEC.dimension, "b" * 64, "sentence-transformers/LaBSE")
    put(store, name, [segment()])
    with pytest.raises(
        ModelMismatch, match="labse-mini.*bbbbbbbbbbbb.*LABSE_MODEL.*library reembed .*--model labse-mini --switch"
    ):
        store.upsert(name, [segment("x")], directions(1), fingerprint=other.fingerprint)
    with pytest.raises(ModelMismatch, match="labse-mini"):
        store.search_meaning(name, directions(1)[0], 5, fingerprint=other.fingerprint)
    with pytest.raises(ModelMismatch, match="labse-mini.*sentence-transformers/LaBSE"):
        store.create(name, other)
    assert store.count(name) == 1


def test_creating_again_changes_nothing(store: Store, name: str) -> None:
    put(store, name, [segment()])
    store.create(name, SPEC)
    info = store.info(name)
    assert (info.name, info.spec, info.segments) == (name, SPEC, 1)


def test_words_folded_by_another_version_are_told_and_folded_anew(store: Store, name: str) -> None:
    assert store.info(name).words == VERSION
    put(store, name, [segment(index=index, text=f"Dvořák {index}") for index in range(3)])
    store.mark_words(name, VERSION - 1)
    assert words_outdated(store.info(name))
    before = store.vectors(name, [segment().point])
    assert rewrite_words(store, name) == 3
    assert not words_outdated(store.info(name))
    assert store.count(name) == 3
    assert len(store.search_words(name, "dvorak", 5)) == 3
    after = store.vectors(name, [segment().point])
    assert all(np.allclose(after[point], vector) for point, vector in before.items())


def test_a_missing_collection_is_named_with_those_that_exist(store: Store, name: str) -> None:
    vector = directions(1)
    calls = [
        lambda: store.info("nowhere"),
        lambda: store.upsert("nowhere", [segment()], vector, fingerprint=PRINT),
        lambda: store.delete("nowhere", Filter(documents=("x",))),
        lambda: store.rename("nowhere", "x", [], []),
        lambda: store.search_meaning("nowhere", vector[0], 1, fingerprint=PRINT),
        lambda: store.search_words("nowhere", "cat", 1),
        lambda: store.ask("nowhere", StoreQuestion(PRINT, vector[0], "cat", 1)),
        lambda: list(store.segments("nowhere")),
        lambda: list(store.segments("nowhere", Filter(documents=("x",)))),
        lambda: store.vectors("nowhere", [segment().point]),
        lambda: store.by_point("nowhere", [segment().point]),
        lambda: store.count("nowhere"),
        lambda: store.facet("nowhere", "language"),
        lambda: store.optimize("nowhere"),
        lambda: store.mark_words("nowhere", 1),
    ]
    for call in calls:
        with pytest.raises(CollectionMissing, match=f"nowhere.*{name}"):
            call()


def test_dropping_removes_the_collection(store: Store) -> None:
    name = f"test-{uuid.uuid4().hex[:12]}"
    store.create(name, SPEC)
    put(store, name, [segment()])
    assert name in store.collections()
    store.drop(name)
    assert name not in store.collections()
    store.drop(name)
    store.create(name, CollectionSpec(8, "c" * 64, "another model"))
    assert store.count(name) == 0
    with pytest.raises(ModelMismatch):
        store.search_meaning(name, directions(1)[0], 1, fingerprint=PRINT)
    store.drop(name)


@pytest.mark.parametrize(
    "bad", ["", "../up", "a/b", "a\\b", ".hidden", "..", "x" * 65, "tab\t", "a ", "con:", "a%2f", "本" * 61]
)
def test_a_name_that_could_be_a_path_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(UserError, match="name of a collection"):
        store.create(bad, SPEC)
    with pytest.raises(UserError, match="name of a collection"):
        store.drop(bad)


# ---- generations


@pytest.fixture
def generations(store: Store) -> Iterator[str]:
    """A collection of two generations by two models; the second one has one segment more."""
    name = f"book {uuid.uuid4().hex[:12]}"
    other = CollectionSpec(dimension=16, fingerprint="b" * 64, model="LaBSE")
    store.create(name, SPEC)
    store.create(f"{name}@2", other)
    store.upsert(name, [segment("cat")], directions(1), fingerprint=PRINT)
    two = [segment("cat"), segment("dog")]
    store.upsert(f"{name}@2", two, directions(2), fingerprint=other.fingerprint)
    yield name
    store.drop(name)


def test_a_name_means_the_generation_that_serves_and_switching_goes_both_ways(store: Store, generations: str) -> None:
    name = generations
    assert store.generations(name) == [1, 2]
    assert store.collections().count(name) == 1 and f"{name}@2" not in store.collections()
    for serving, count, model in ((1, 1, "labse-mini"), (2, 2, "LaBSE"), (1, 1, "labse-mini")):
        store.serve(name, serving)
        info = store.info(name)
        assert (info.generation, info.segments, info.spec.model) == (serving, count, model)
        assert store.count(name) == count and len(list(store.segments(name))) == count
        assert [one.document for one in store.segments(f"{name}@1", Filter(documents=("cat",)))] == ["cat"]
        assert (store.count(f"{name}@1"), store.count(f"{name}@2")) == (1, 2)
        assert store.count_documents(name) == count


def test_a_question_by_the_model_before_is_answered_by_its_generation_after_the_switch(
    store: Store, generations: str
) -> None:
    store.serve(generations, 2)
    assert store.search_meaning(f"{generations}@1", directions(1)[0], 3, fingerprint=PRINT)
    with pytest.raises(ModelMismatch):
        store.search_meaning(generations, directions(1)[0], 3, fingerprint=PRINT)


def test_what_serves_is_not_dropped_and_what_does_not_is(store: Store, generations: str) -> None:
    with pytest.raises(UserError, match="answers.*Switch"):
        store.drop(f"{generations}@1")
    store.serve(generations, 2)
    store.drop(f"{generations}@1")
    assert store.generations(generations) == [2]
    assert store.count(generations) == 2
    with pytest.raises(CollectionMissing):
        store.serve(generations, 1)
    store.create(generations, CollectionSpec(dimension=16, fingerprint="b" * 64, model="LaBSE"))  # nothing to make
    assert store.generations(generations) == [2]
    store.drop(generations)
    assert generations not in store.collections()
    store.create(generations, SPEC)  # a new collection of that name begins with its first one
    assert store.info(generations).generation == 1


@pytest.mark.parametrize("name", ["книги", "my docs", "本", "a@b", "-x", "x" * 64, "Ärzte & Söhne (2)", "हिन्दी"])
def test_a_name_in_any_script_is_a_name(store: Store, name: str) -> None:
    store.create(name, SPEC)
    assert name in store.collections()
    store.upsert(name, [segment("cat")], directions(1), fingerprint=PRINT)
    assert (store.count(name), store.info(name).name) == (1, name)
    store.drop(name)
    assert name not in store.collections()


def test_an_embedded_store_opens_by_its_folder(tmp_path: Path) -> None:
    store = open_store("", home=tmp_path)
    assert store.collections() == []
    store.stop()  # type: ignore[attr-defined]
