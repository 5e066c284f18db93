"""A question and its answer: the searcher over a real store, with vectors that are plain to see."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from labse_search.encoder import Task
from labse_search.errors import UserError
from labse_search.records import STRENGTHS, CollectionSpec, Filter, Segment, StoredSegment
from labse_search.search import Searcher
from labse_search.search.refining import FINER
from labse_search.search.values import hit_value
from labse_search.similarity import Vectors, normalize
from labse_search.store import Store, open_store

# Twelve concepts, each an axis; words of three languages that mean the same share it.
CONCEPTS = ["cat Katze кот", "dog Hund собака", "sea Meer море", "bread Brot хлеб", "rain Regen дождь",
            "bridge Brücke мост", "market Markt рынок", "salt Salz соль", "night Nacht ночь", "wind Wind ветер",
            "city Stadt город", "river Fluss река"]  # fmt: skip
AXES = {word: axis for axis, words in enumerate(CONCEPTS) for word in words.split()}


class WordTokenizer:
    max_tokens = 8

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def unreadable(self, texts: Sequence[str], ids: object = None) -> list[bool]:
        return ["???" in text for text in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        at, found = 0, []
        for word in text.split():
            at = text.index(word, at)
            found.append((at, at + len(word)))
            at += len(word)
        return found


class LexiconEncoder:
    """Knows the twelve concepts and nothing else; a text is the sum of its words."""

    model, dimension, fingerprint, languages = "lexicon", len(CONCEPTS) + 1, "f" * 64, ("en", "de", "ru")
    tokenizer = WordTokenizer()

    def describe(self) -> str:
        return "a lexicon"

    def token_states(self, texts: Sequence[str], tasks: Sequence[Task]) -> None:
        return None

    def encode(self, texts: Sequence[str], task: Task = "text", **_: object) -> Vectors:
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = text.split()
            if len(words) > 8:
                raise ValueError("longer than the window")
            row[-1] = 0.1
            for word in words:
                if word.strip(".?") in AXES:
                    row[AXES[word.strip(".?")]] += 1
        return normalize(rows)


DOCUMENTS = {
    "en/sea.txt": ("en", ["The sea and wind.", "The sea at night.", "Cold river."]),
    "de/meer.txt": ("de", ["Das Meer und Wind."]),
    "de/markt.txt": ("de", ["Brot und Salz Markt.", "Die Brücke."]),
    "ru/gorod.md": ("ru", ["город и мост", "кот и собака"]),
    "copies/sea.txt": ("en", ["The  sea and wind"]),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_store("", home=tmp_path_factory.mktemp("home"))
    encoder = LexiconEncoder()
    store.create("notes", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    for number, (name, (language, texts)) in enumerate(DOCUMENTS.items()):
        segments, at = [], 0
        for index, text in enumerate(texts):
            segments.append(Segment(index, at, at + len(text), text, language, {"line": index + 1}))
            at += len(text) + 1
        stored = [
            StoredSegment(f"{number:032x}", (name,), (name.split("/")[0],), name.rpartition(".")[2], number, segment)
            for segment in segments
        ]
        store.upsert("notes", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    yield store
    store.close()


@pytest.fixture
def searcher(store: Store) -> Searcher:
    return Searcher(store, LexiconEncoder(), "notes", identify=lambda text: "en" if "sea" in text else "unknown")


def small(store: Store, collection: str, texts: dict[str, tuple[str, str]]) -> Searcher:
    """A searcher of a collection with one passage a document: name → (language, text)."""
    encoder = LexiconEncoder()
    stored = [
        StoredSegment(name * 32, (f"{name}.txt",), (), "txt", 1.0, Segment(0, 0, len(text), text, language, {}))
        for name, (language, text) in texts.items()
    ]
    store.create(collection, CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    rows = encoder.encode([text for _, text in texts.values()])
    store.upsert(collection, stored, rows, fingerprint=encoder.fingerprint)
    return Searcher(store, encoder, collection, identify=lambda text: "en" if "sea" in text else "unknown")


def first_names(searcher: Searcher, question: str, **options: object) -> list[str]:
    return [hit.stored.names[0] for hit in searcher.search(question, **options).hits]  # type: ignore[arg-type]


def test_a_question_finds_the_passage_in_another_language(searcher: Searcher) -> None:
    assert first_names(searcher, "bread and salt", mode="meaning")[0] == "de/markt.txt"
    assert first_names(searcher, "мост город", mode="meaning")[0] == "ru/gorod.md"


def test_words_find_what_is_spelled_alike(searcher: Searcher) -> None:
    assert first_names(searcher, "собака", mode="words") == ["ru/gorod.md"]
    assert first_names(searcher, "dog", mode="words") == []


def test_passages_of_one_document_are_grouped_and_copies_collapsed(searcher: Searcher) -> None:
    answer = searcher.search("sea wind", mode="meaning", limit=2)
    first, second = answer.hits
    assert {first.stored.names[0], second.stored.names[0]} == {"en/sea.txt", "de/meer.txt"} or first.copies
    english = next(hit for hit in answer.hits if hit.stored.segment.language == "en")
    assert len(english.copies) == 1
    assert answer.segments == 9


def test_without_grouping_every_passage_stands_alone(searcher: Searcher) -> None:
    names = first_names(searcher, "sea night", mode="meaning", group=False)
    assert names.count("en/sea.txt") >= 2


def test_neighbours_come_in_reading_order(searcher: Searcher) -> None:
    hit = searcher.search("sea night", mode="meaning").hits[0]
    assert hit.stored.segment.text == "The sea at night."
    assert [one.segment.text for one in hit.neighbours] == ["The sea and wind.", "Cold river."]


class Counting:
    """A store that writes down which of its calls were made."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        return getattr(self._store, name)


def test_more_hits_take_no_more_calls_of_the_store(store: Store) -> None:
    counting = Counting(store)
    searcher = Searcher(counting, LexiconEncoder(), "notes")  # type: ignore[arg-type]
    searcher.search("warm up")

    def calls(limit: int) -> tuple[int, list[str]]:
        counting.calls.clear()
        hits = searcher.search("sea night", group=False, limit=limit).hits
        assert any(hit.neighbours for hit in hits)
        return len(hits), sorted(counting.calls)

    (few, first), (many, second) = calls(1), calls(5)
    assert (few, many) == (1, 5)
    assert first == second == ["ask", "by_point"]  # what is found with all that belongs to it, and its neighbours


def test_only_other_languages_than_the_question(searcher: Searcher) -> None:
    answer = searcher.search("sea", mode="meaning", other_languages_only=True)
    assert answer.question_language == "en"
    assert "en" not in answer.languages
    assert answer.hits[0].stored.names == ("de/meer.txt",)


def test_the_language_of_a_question_filters_nothing_by_itself(searcher: Searcher) -> None:
    assert "de" in searcher.search("sea wind", mode="meaning").languages


def test_filters_hold(searcher: Searcher) -> None:
    assert set(first_names(searcher, "sea", mode="meaning", where=Filter(languages=("ru",)))) == {"ru/gorod.md"}
    assert set(first_names(searcher, "sea", where=Filter(folders=("de",)))) == {"de/meer.txt", "de/markt.txt"}
    assert set(first_names(searcher, "sea", where=Filter(kinds=("md",)))) == {"ru/gorod.md"}
    assert first_names(searcher, "sea", mode="meaning", where=Filter(added_after=4)) == ["copies/sea.txt"]


def test_a_file_type_is_found_however_it_is_written(store: Store) -> None:
    encoder = LexiconEncoder()
    store.create("pages", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    names = ["a.htm", "b.html", "c.yml", "d.txt"]
    stored = [
        StoredSegment(f"{at:032x}", (name,), (), name[2:], 1.0, Segment(0, 0, 4, f"sea {at}", "en", {}))
        for at, name in enumerate(names)
    ]
    rows = encoder.encode([one.segment.text for one in stored])
    store.upsert("pages", stored, rows, fingerprint=encoder.fingerprint)
    searcher = Searcher(store, encoder, "pages", identify=lambda text: "en")
    for kinds in (("html",), ("htm",), (".HTM", "html")):
        assert set(first_names(searcher, "sea", where=Filter(kinds=kinds))) == {"a.htm", "b.html"}
    assert first_names(searcher, "sea", where=Filter(kinds=("yaml",))) == ["c.yml"]
    with pytest.raises(UserError, match=r"file type “pdf”.*: html, 2; (txt, 1; yaml|yaml, 1; txt), 1\."):
        searcher.search("sea", where=Filter(kinds=("pdf",)))


@pytest.mark.parametrize(
    ("where", "says"),
    [
        (Filter(languages=("fr",)), r"No passage is in French.*German \(de\), 3"),
        (Filter(languages=("xx",)), r"“xx” is no language.*Russian \(ru\)"),
        (Filter(kinds=("pdf",)), r"No document has the file type “pdf”.*txt, 7"),
        (Filter(folders=("nowhere",)), r"No document has the folder “nowhere”.*copies, 1"),
    ],
)
def test_a_filter_that_nothing_can_pass_says_what_there_is(searcher: Searcher, where: Filter, says: str) -> None:
    with pytest.raises(UserError, match=says):
        searcher.search("sea", where=where)


def test_a_language_that_no_passage_is_known_to_be_in_is_told_with_those_there_are(store: Store) -> None:
    searcher = small(store, "unsure", {"a": ("de", "Das Meer."), "b": ("unknown", "See.")})
    answer = searcher.search("sea", where=Filter(languages=("fr", "French")))
    assert answer.notes[0].startswith("No passage is known to be in French. This collection has")
    assert "in the script of French are among" in answer.notes[1]


def test_filters_are_taken_as_people_type_them(searcher: Searcher) -> None:
    assert set(first_names(searcher, "sea", where=Filter(languages=("german",)))) == {"de/meer.txt", "de/markt.txt"}
    assert set(first_names(searcher, "sea", where=Filter(languages=("deu",)))) == {"de/meer.txt", "de/markt.txt"}
    assert set(first_names(searcher, "sea", where=Filter(languages=("deutsch",)))) == {"de/meer.txt", "de/markt.txt"}
    assert set(first_names(searcher, "sea", where=Filter(kinds=(".MD",)))) == {"ru/gorod.md"}
    assert set(first_names(searcher, "sea", where=Filter(folders=("/de/",)))) == {"de/meer.txt", "de/markt.txt"}


def test_passages_of_unknown_language_pass_where_their_script_fits(store: Store) -> None:
    texts = {"a": ("unknown", "the boat sea"), "b": ("unknown", "море лодка"), "c": ("en", "sea wind")}
    searcher = small(store, "short", texts)
    answer = searcher.search("sea", where=Filter(languages=("en",)))
    assert {hit.stored.document[0] for hit in answer.hits} == {"a", "c"}
    assert "2 passages are too short" in answer.notes[0]
    answer = searcher.search("sea", where=Filter(languages=("ru",)))
    assert {hit.stored.document[0] for hit in answer.hits} == {"b"}


def test_only_other_languages_says_when_it_cannot_apply(searcher: Searcher) -> None:
    answer = searcher.search("wind", mode="meaning", other_languages_only=True)
    assert "could not be told" in answer.notes[0] and "en" in answer.languages


def test_only_other_languages_says_when_there_are_none(store: Store) -> None:
    searcher = small(store, "english", {"a": ("en", "sea wind"), "b": ("en", "bread")})
    answer = searcher.search("sea", other_languages_only=True)
    assert answer.hits == () and "none in other languages" in answer.notes[0]


def test_phrases_and_exclusions_hold_in_words_and_in_both(store: Store) -> None:
    texts = {"a": ("en", "sea and wind"), "b": ("en", "wind and sea"), "c": ("de", "Meer und Wind")}
    searcher = small(store, "phrases", texts)
    assert [name[0] for name in first_names(searcher, '"wind and sea"', mode="words")] == ["b"]
    assert [name[0] for name in first_names(searcher, '"wind and sea"', mode="both")] == ["b"]
    assert {name[0] for name in first_names(searcher, "sea -and", mode="both")} == {"c"}
    assert {name[0] for name in first_names(searcher, "sea -and", mode="words")} == set()


def test_a_phrase_that_stands_nowhere_is_looked_for_without_its_quotes(searcher: Searcher) -> None:
    answer = searcher.search('"wind on the sea"')
    assert answer.hits and "“wind on the sea”" in answer.notes[0]


def test_what_is_spelled_exactly_so_comes_first(store: Store) -> None:
    texts = {"a": ("fr", "un résumé"), "b": ("en", "a resume"), "c": ("fr", "bread")}
    searcher = small(store, "accents", texts)
    assert [name[0] for name in first_names(searcher, "resume", mode="words")] == ["b", "a"]
    assert [name[0] for name in first_names(searcher, "résumé", mode="words")] == ["a", "b"]


def test_a_heading_is_never_the_answer(store: Store) -> None:
    """The sentence that is marked is the closest of the others, and a passage of headings alone comes last."""
    encoder = LexiconEncoder()
    section = "Rain\nDer Regen. Das Meer."
    segment = Segment(0, 0, len(section), section, "de", {}, ((0, 4), (5, 15), (16, 25)), headings=(0,))
    alone = Segment(0, 0, 4, "Rain", "en", {}, ((0, 4),), headings=(0,))
    stored = [
        StoredSegment(name * 32, (f"{name}.txt",), (), "txt", 9.0, one) for name, one in (("a", segment), ("b", alone))
    ]
    store.create("headings", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    rows = encoder.encode([one.segment.text.replace("\n", " ") for one in stored])
    store.upsert("headings", stored, rows, fingerprint=encoder.fingerprint)
    hits = Searcher(store, encoder, "headings").search("rain Rain Regen", mode="meaning").hits
    assert [hit.stored.names[0] for hit in hits] == ["a.txt", "b.txt"]
    assert section[slice(*hits[0].sentence)] == "Der Regen."


def test_the_translation_of_a_sentence_is_in_another_language_and_stands_out(searcher: Searcher) -> None:
    answer = searcher.search("the sea and wind", intent="translation")
    assert answer.hits[0].stored.names == ("de/meer.txt",)
    assert "en" not in answer.languages
    chances = [hit.probability for hit in answer.hits]
    assert chances[0] == max(chances)


def test_neighbours_of_a_translation_take_one_call_of_the_store_and_nothing_found_is_left_out(store: Store) -> None:
    texts = {name: ("de", f"Das Meer {number} und Wind.") for number, name in enumerate("abcdefghijklmnopqrst")}
    counting = Counting(store)
    searcher = small(counting, "translated", texts)  # type: ignore[arg-type]
    searcher.search("sea wind")
    counting.calls.clear()
    answer = searcher.search("the sea and wind", intent="translation", limit=20)
    assert len(answer.hits) == len(texts)
    assert sorted(counting.calls) == ["ask", "by_point", "count", "nearest_cosines"]


def test_what_says_the_same_in_another_language_is_named_and_not_hidden(searcher: Searcher) -> None:
    answer = searcher.search("wind sea", mode="meaning")
    hit = next(hit for hit in answer.hits if hit.stored.segment.text == "Das Meer und Wind.")
    assert [one.segment.language for one in hit.translations] == ["en"]
    assert "en" in answer.languages


def test_the_very_sentence_is_very_close_in_a_collection_of_any_size(store: Store) -> None:
    searcher = small(store, "one", {"a": ("de", "Der Basstölpel fliegt nach Helgoland.")})
    assert searcher.search("Der Basstölpel fliegt nach Helgoland").strengths == ("very close",)


def test_words_that_met_are_linked_on_request(searcher: Searcher) -> None:
    question = "bread and salt"
    (start, end), links = searcher.explain_words(question, f"{2:032x}", 0)
    text = "Brot und Salz Markt."
    assert text[start:end] == text
    pairs = {(question[slice(*link.question)], text[slice(*link.passage)]) for link in links}
    assert {("bread", "Brot"), ("salt", "Salz")} <= pairs


def test_an_old_index_of_words_is_told_with_the_answer(store: Store) -> None:
    searcher = small(store, "old", {"a": ("en", "the sea")})
    store.mark_words("old", 1)
    assert "check --repair" in searcher.search("sea").notes[0]


def test_more_like_this_comes_from_other_documents(searcher: Searcher) -> None:
    answer = searcher.more_like(f"{1:032x}", 0)
    assert answer.hits[0].stored.segment.text in ("The sea and wind.", "The  sea and wind")
    assert all(hit.stored.document != f"{1:032x}" for hit in answer.hits)


def test_more_like_something_gone_says_so(searcher: Searcher) -> None:
    with pytest.raises(UserError, match="no longer"):
        searcher.more_like("0" * 31 + "f", 0)


def test_an_empty_question_is_refused(searcher: Searcher) -> None:
    with pytest.raises(UserError):
        searcher.search("   ")


def test_a_question_longer_than_the_window_is_averaged_not_cut(searcher: Searcher) -> None:
    long = " ".join(["bread", "salt", "market"] * 8)
    answer = searcher.search(long, mode="meaning")
    assert answer.cut
    assert answer.hits[0].stored.names == ("de/markt.txt",)


def test_the_closest_sentence_of_a_passage_is_marked(store: Store) -> None:
    encoder = LexiconEncoder()
    text = "Die Katze. Der Regen."
    segment = Segment(0, 0, len(text), text, "de", {}, ((0, 10), (11, 21)))
    stored = StoredSegment("a" * 32, ("x.txt",), (), "txt", 9.0, segment)
    store.create("sentences", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert("sentences", [stored], encoder.encode([text]), fingerprint=encoder.fingerprint)
    hit = Searcher(store, encoder, "sentences").search("rain", mode="meaning").hits[0]
    assert text[slice(*hit.sentence)] == "Der Regen."


def test_the_closest_sentences_can_be_told_after_the_answer(searcher: Searcher) -> None:
    whole = searcher.search("the sea and wind")
    answer = searcher.search("the sea and wind", mark=False, refine=False)
    assert {hit.best_sentence for hit in answer.hits} == {None} and len(answer.hits) > 2
    marks = {hit.stored.point: hit.best_sentence for hit in whole.hits}
    told = searcher.marked(answer, answer.hits[1:3])
    assert [replace(hit, best_sentence=None) for hit in told] == list(answer.hits[1:3])
    assert [hit.best_sentence for hit in told] == [marks[hit.stored.point] for hit in told] != [None, None]


def test_the_first_few_are_read_whether_the_others_are_marked_or_not(store: Store) -> None:
    encoder = LexiconEncoder()
    texts = ["sea", "sea night", *(f"sea {' '.join(['wind'] * number)}" for number in range(1, 8))]
    stored = [StoredSegment(f"{n:032x}", (f"{n}.txt",), (), "txt", 1.0, Segment(0, 0, len(text), text, "en", {}))
              for n, text in enumerate(texts)]  # fmt: skip
    store.create("winds", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert("winds", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    searcher = Searcher(store, encoder, "winds")
    found = {limit: searcher.search("sea", mode="meaning", limit=limit, mark=False).hits for limit in (2, 9)}
    assert [hit.best_sentence is not None for hit in found[9]] == [True] * FINER + [False] * (9 - FINER)
    every = searcher.search("sea", mode="meaning", limit=9).hits
    assert None not in {hit.best_sentence for hit in every}
    assert [(hit.stored, hit.probability) for hit in every] == [(hit.stored, hit.probability) for hit in found[9]]
    assert [(hit.stored, hit.probability) for hit in found[2]] == [(hit.stored, hit.probability) for hit in every[:2]]


def test_of_a_table_more_rows_are_read_than_the_closest_by_its_vector(store: Store) -> None:
    encoder = LexiconEncoder()
    texts = ["sea.\nbread salt market dog.", *(f"sea wind.\n{number}" for number in range(9)), "river city.", "night."]

    def segment(n: int, text: str, place: dict[str, str | int]) -> Segment:
        return Segment(n, 0, len(text), text, "en", place, ((0, text.index(".") + 1), (text.index(".") + 2, len(text))))

    def first(name: str, *, rows: bool, limit: int = 10) -> tuple[str, int]:
        """Of a table, or a text, beside another document: the first passage, and of how many documents."""
        stored = [
            StoredSegment(
                ("a" if n < 10 else "b") * 32, (name,), (), "csv", 1.0, segment(n, text, {"row": n} if rows else {})
            )
            for n, text in enumerate(texts)
        ]
        store.create(name, CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
        store.upsert(name, stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
        hits = Searcher(store, encoder, name).search("sea", mode="meaning", limit=limit).hits
        assert all(hit.best_sentence for hit in hits)
        return hits[0].stored.segment.text, len(hits)

    assert first("table", rows=True) == (texts[0], 2)
    assert first("table-again", rows=True, limit=1) == (texts[0], 1)
    assert first("prose", rows=False)[0] != texts[0]  # of a document only the closest passage is read


def test_no_passage_stands_above_one_that_is_called_closer(store: Store) -> None:
    encoder = LexiconEncoder()
    texts = ["sea wind night salt market.", "sea night.", "sea bread dog. the code", "cat."]
    stored = [StoredSegment(f"{n:032x}", (f"{n}.txt",), (), "txt", 1.0, Segment(0, 0, len(text), text, "en", {}))
              for n, text in enumerate(texts)]  # fmt: skip
    store.create("order", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert("order", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    for question in ("sea night", "sea the code", "dog the code", "the wind at night"):
        hits = Searcher(store, encoder, "order").search(question).hits
        levels = [STRENGTHS.index(hit.strength) for hit in hits]
        assert levels == sorted(levels, reverse=True)
        for limit in range(1, 4):
            fewer = Searcher(store, encoder, "order").search(question, limit=limit).hits
            assert [hit.stored for hit in fewer] == [hit.stored for hit in hits[:limit]]


def test_a_heading_that_is_the_question_comes_after_what_answers(store: Store) -> None:
    encoder = LexiconEncoder()
    texts = ["Regen night.", "Regen sea wind.", "Rain"]
    stored = [StoredSegment(f"{n:032x}", (f"{n}.txt",), (), "txt", 1.0,
                            Segment(0, 0, len(text), text, "en", {}, ((0, len(text)),), (0,) if text == "Rain" else ()))
              for n, text in enumerate(texts)]  # fmt: skip
    store.create("headings", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert("headings", stored, encoder.encode(texts), fingerprint=encoder.fingerprint)
    hits = Searcher(store, encoder, "headings").search("Rain").hits
    assert [hit.stored.segment.text for hit in hits][-1] == "Rain"


def test_a_question_to_one_document_shows_its_passages_apart(searcher: Searcher) -> None:
    answer = searcher.search("sea night", mode="meaning", where=Filter(documents=(f"{0:032x}",)))
    assert len(answer.hits) == 3
    assert all(not hit.more_in_document for hit in answer.hits)


def test_a_long_document_does_not_hide_the_others(store: Store) -> None:
    encoder = LexiconEncoder()
    texts = [f"sea {number}" for number in range(150)]
    long = [
        StoredSegment("b" * 32, ("long.txt",), (), "txt", 1.0, Segment(i, i * 10, i * 10 + len(text), text, "en", {}))
        for i, text in enumerate(texts)
    ]
    other = StoredSegment("c" * 32, ("short.txt",), (), "txt", 1.0, Segment(0, 0, 12, "sea and bread", "en", {}))
    store.create("long", CollectionSpec(encoder.dimension, encoder.fingerprint, encoder.model))
    store.upsert("long", [*long, other], encoder.encode([*texts, "sea and bread"]), fingerprint=encoder.fingerprint)
    hits = Searcher(store, encoder, "long").search("sea", mode="meaning", limit=5).hits
    assert [hit.stored.names[0] for hit in hits] == ["long.txt", "short.txt"]


def test_the_json_is_in_the_order_of_its_ranks_and_documented_key_by_key(searcher: Searcher) -> None:
    values = [hit_value(hit) for hit in searcher.search("wind and night at sea").hits]
    assert [value["rank"] for value in values] == list(range(1, len(values) + 1)) and len(values) > 2
    readme = (Path(__file__).resolve().parent.parent / "README.md").read_text(encoding="utf-8")
    table = readme.partition("| key of a hit |")[2].partition("\n\n")[0]
    documented = set(re.findall(r"`(\w+)`", "".join(re.findall(r"\n\|([^|]*)\|", table))))
    assert documented == set(values[0])
