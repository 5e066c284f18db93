"""Segments: nothing lost, in order, inside the window, at the borders a reader would choose."""

from __future__ import annotations

import base64
import lzma
import random
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizing import TinyTokenizer

from indexer.segment import Segmenter, Split
from indexer.sentences import blocks, line_borders, sentences
from labse_search.encoder import Tokenizer, load_tokenizer
from labse_search.encoder.tokens import pack_ids
from labse_search.languages.identify import LanguageIdentifier
from labse_search.records import Extraction, Place, Segment, Unit

LANGUAGES = ("en", "de", "fr", "ru", "uk", "ar", "he", "hi", "th", "km", "ja", "zh", "ko", "el")
IDENTIFY = LanguageIdentifier(LANGUAGES)
LONGEST_CHARACTER = 64


def segmenter(tokenizer: Tokenizer | None = None, *, target: int = 96, sentences: int = 4) -> Segmenter:
    tokenizer = tokenizer or TinyTokenizer.of_words(256)
    return Segmenter(tokenizer, IDENTIFY, target_tokens=target, max_sentences=sentences)


def document(*texts: str, place: Place | None = None) -> Extraction:
    return Extraction(tuple(Unit(text, place or {}) for text in texts), "text")


def texts(split: Split) -> list[str]:
    return [segment.text for segment in split.segments]


def sentences_of(segment: Segment) -> list[str]:
    return [segment.text[start:end] for start, end in segment.sentences]


def assert_sound(extraction: Extraction, split: Split, tokenizer: Tokenizer) -> None:
    """All that must hold of any document whatever."""
    text = extraction.text
    assert len(text) == sum(s.end - s.start for s in split.segments) + sum(split.skipped.values())
    assert all(n > 0 for n in split.skipped.values())
    assert [s.index for s in split.segments] == list(range(len(split.segments)))
    starts = extraction.unit_starts()
    borders = [(start, start + len(unit.text)) for start, unit in zip(starts, extraction.units, strict=True)]
    for segment in split.segments:
        assert segment.start < segment.end
        assert segment.text == text[segment.start : segment.end]
        assert segment.text == segment.text.strip()
        unit = [(a, b) for a, b in borders if a <= segment.start and segment.end <= b]
        assert unit, "a segment crosses the border of a unit"
        covered = [at for start, end in segment.sentences for at in range(start, end)]
        assert covered == sorted(set(covered)), "sentences overlap"
        assert all(segment.text[at].isspace() for at in set(range(len(segment.text))) - set(covered))
        segment.text.encode()  # no half of a surrogate pair
    assert all(a.end <= b.start for a, b in pairwise(split.segments))
    ids = tokenizer.ids(texts(split))
    assert max(map(len, ids), default=0) <= tokenizer.max_tokens
    assert split.ids == tuple(map(pack_ids, ids))
    inside = {at for s in split.segments for at in range(s.start, s.end)}
    lost = [c for at, c in enumerate(text) if at not in inside and not c.isspace() and not "\ud800" <= c <= "\udfff"]
    assert len(lost) == sum(split.skipped.get(reason, 0) for reason in ("no_tokens", "over_window", "encoded"))


def assert_characters_whole(text: str, split: Split) -> None:
    """No segment begins inside what a person sees as one character."""
    borders = {0} | {match.end() for match in regex.finditer(r"\X", text)}
    for a, b in pairwise(split.segments):
        if a.end == b.start:
            assert b.start in borders, (text[b.start - 3 : b.start], text[b.start : b.start + 3])


TRICKY = [
    " ", "\n", "\n\n", "\t", "\r\n", "\u3000", "\u2028", "\x00", "\x1f", "\u200b", "\ufeff", "\ud800", "\udc00",
    ". ", "! ", "Dr. ", "# ", "- ", "1. ", "。", "「はい。」", "، ", "؟ ", "। ", "...", '"', "(", "a", "e\u0301",
    "\u0301", "\ufffd",
    "👩‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽", "❤️", "ﷺ", "नमस्ते", "กำลัง", "ភាសា", "中文", "한국어", "\u1112\u1161\u11ab",
    "Das ist ein Satz. ", "Это предложение. ", "This is a sentence of some words, and it goes on; " * 3, "x" * 150,
]  # fmt: skip
ANY_CHARACTER = st.characters(categories=("L", "M", "N", "P", "S", "Z", "C"))
SOME_TEXT = st.lists(st.sampled_from(TRICKY) | st.text(ANY_CHARACTER, max_size=8), max_size=40).map("".join)


@pytest.mark.parametrize("make", [TinyTokenizer.of_words, TinyTokenizer.of_characters], ids=["words", "characters"])
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(units=st.lists(SOME_TEXT, max_size=4), window=st.integers(4, 40), target=st.integers(1, 60))
def test_any_text_is_kept_whole_in_order_and_inside_the_window(
    make, units: list[str], window: int, target: int
) -> None:  # type: ignore[no-untyped-def]
    tokenizer = make(window)
    extraction = document(*units)
    split = segmenter(tokenizer, target=target).split(extraction)
    assert_sound(extraction, split, tokenizer)
    assert split == segmenter(tokenizer, target=target).split(extraction)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(unit=SOME_TEXT)
def test_a_character_is_never_cut_when_it_fits_the_window(unit: str) -> None:
    tokenizer = TinyTokenizer.of_characters(2 * LONGEST_CHARACTER)
    unit = regex.sub(r"\p{Cs}", "", unit)
    extraction = document(unit)
    split = segmenter(tokenizer, target=LONGEST_CHARACTER).split(extraction)
    assert_sound(extraction, split, tokenizer)
    assert_characters_whole(unit, split)


LONG_LINES = {
    "chinese": "河水流过城市" * 4_000,
    "chinese with stops": "河水流过城市，桥很旧。" * 2_500,
    "japanese": "川の水が町を流れている" * 2_500,
    "thai": "น้ำในแม่น้ำไหลผ่านเมืองเก่า" * 1_200,
    "khmer": "ទឹកទន្លេហូរកាត់ទីក្រុង" * 1_400,
    "one letter": "a" * 25_000,
    "small letters": "".join(random.Random(1).choices("abcdefghijklmnop", k=5_000)),
    "emoji families": "👩‍👩‍👧‍👦" * 1_500,
    "flags": "🇩🇪🇫🇷" * 1_000,
    "stacked marks": "a" + "\u0301" * 20_000,
    "hieroglyphs": "𓀀𓁐" * 5_000,
    "spaces": "a" + " " * 50_000 + "b",
    "empty lines": "a" + "\n" * 50_000 + "b",
    "symbols": "*** --- ###\n" * 500,
    "quotes": '"' * 15_000,
}


@pytest.mark.parametrize("name", LONG_LINES)
def test_text_without_spaces_is_embedded_whole(name: str, tiny_labse: Path) -> None:
    text = LONG_LINES[name]
    for tokenizer in (TinyTokenizer.of_characters(128), load_tokenizer(str(tiny_labse))):
        split = segmenter(tokenizer).split(document(text))
        assert_sound(document(text), split, tokenizer)
        assert set(split.skipped) <= {"whitespace"}
        assert max(len(segment.text) for segment in split.segments) <= 4_000  # a person has to read it
        if name != "stacked marks":  # one character that fills no window
            assert_characters_whole(text, split)


def test_the_shared_model_tokenizer_sees_every_text_inside_its_window(shared: Path) -> None:
    tokenizer = TinyTokenizer.of_model(shared / "models" / "starter", 128)
    for text in LONG_LINES.values():
        assert_sound(document(text), segmenter(tokenizer).split(document(text)), tokenizer)


def test_documents_in_many_languages_fill_the_target_and_balance(shared: Path) -> None:
    tokenizer = TinyTokenizer.of_model(shared / "models" / "starter", 256)
    for language in ("de", "th", "zh", "ja", "ar", "hi", "ru"):
        path = shared / "data" / "dev" / f"dev.en-{language}.tsv.xz"
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            found = [line.rstrip("\n").split("\t")[3] for line, _ in zip(lines, range(300), strict=False)]
        for separator in ("\n", " ", "\n\n"):
            extraction = document(separator.join(found))
            split = segmenter(tokenizer).split(extraction)
            assert_sound(extraction, split, tokenizer)
            assert split.language == language
            counts = tokenizer.count(texts(split))
            assert 30 < sum(counts) / len(counts) < 110
            assert set(split.skipped) <= {"whitespace"}


def test_short_neighbouring_sentences_share_a_segment() -> None:
    six = "One is short. Two is short. Three is short. Four is short. Five is short. Six is short."
    split = segmenter().split(document(six))
    assert texts(split) == [
        "One is short. Two is short. Three is short. Four is short.",
        "Five is short. Six is short.",
    ]
    assert sentences_of(split.segments[0]) == ["One is short.", "Two is short.", "Three is short.", "Four is short."]


def test_headings_leave_room_for_the_sentences_of_their_section() -> None:
    text = "# The town\n\n## The river\n\n### Its bridges\n\nOne is long. Two is long. Three is long. Four is long."
    assert texts(segmenter().split(document(text))) == [text]


def test_a_short_last_sentence_joins_those_before_it_in_its_section() -> None:
    five = "One is short. Two is short. Three is short. Four is short. Five is short."
    assert texts(segmenter().split(document(five))) == [five]
    assert texts(segmenter().split(document(f"{five}\n\n# The river\n\nIt rises."))) == [
        five,
        "# The river\n\nIt rises.",
    ]
    narrow = TinyTokenizer.of_words(16)
    assert texts(segmenter(narrow).split(document(five)))[1:] == ["Four is short. Five is short."]  # the window is full


def test_a_last_sentence_that_is_no_scrap_is_not_left_alone() -> None:
    long = [f"Sentence {n} is as long as a sentence has to be." for n in range(5)]
    split = segmenter(target=32).split(document(" ".join(long)))
    assert [sentences_of(segment) for segment in split.segments] == [long[:2], long[2:4], long[4:]]
    four = segmenter(target=40).split(
        document(" ".join(long[:4] + ["The last one is a long sentence of eleven words too."]))
    )
    assert [len(segment.sentences) for segment in four.segments] == [3, 2]


def test_a_line_above_the_first_section_stays_with_it() -> None:
    text = "Miller & Co.\n\n1. Keys\nThree keys are handed over to the tenant."
    assert texts(segmenter().split(document(text))) == [text]


def test_no_heading_is_left_behind_by_a_long_sentence_of_its_section() -> None:
    def line(words: int) -> str:
        return "Word " + "word " * (words - 2) + "word"

    top, heading, long, last = line(20) + ".", "# " + line(14), line(65) + ".", line(40) + "."
    found = segmenter().split(document(f"{top}\n\n{heading}\n\n{long} {last}")).segments
    assert [segment.headings for segment in found] == [(), (0,), ()]
    short = " ".join(line(5) + "." for _ in range(2))
    found = segmenter().split(document(f"{short}\n\n# {line(4)}\n\n{line(30)}. {line(60)}.")).segments
    assert not any(segment.headings and segment.headings[-1] + 1 == len(segment.sentences) for segment in found)


def test_a_segment_ends_where_the_next_sentence_would_pass_the_target() -> None:
    split = segmenter(target=10).split(document("One two three four five. Six seven eight nine. Ten eleven twelve."))
    assert texts(split) == ["One two three four five. Six seven eight nine.", "Ten eleven twelve."]


def test_a_paragraph_border_is_preferred_once_there_is_enough() -> None:
    split = segmenter(target=15).split(
        document("One two three. Four five six.\n\nSeven eight nine. Ten eleven twelve.")
    )
    assert texts(split) == ["One two three. Four five six.", "Seven eight nine. Ten eleven twelve."]


def test_short_paragraphs_are_joined() -> None:
    split = segmenter().split(document("Good evening.\n\nCome in.\n\nSit down."))
    assert texts(split) == ["Good evening.\n\nCome in.\n\nSit down."]


@pytest.mark.parametrize("heading", ["# The river", "The river", "The river\n\nIts source"])
def test_a_heading_stays_with_what_follows(heading: str) -> None:
    before = "The city lies on both banks. It has seven bridges. The oldest is of wood."
    after = "It rises in the hills. Then it turns to the south. There are mills on it."
    split = segmenter(target=20).split(document(f"{before}\n\n{heading}\n\n{after}"))
    assert texts(split)[0] == before
    assert texts(split)[1].startswith(heading)
    assert "It rises in the hills." in texts(split)[1]


@pytest.mark.parametrize(
    "lines",
    [
        ["Front door: 4711", "Wifi: tulip", "Landlord: Koch", "Bins on Tuesday"],
        ["Wifi password: tulip", "Door code: 4711"],
        ["Orchid | once a week", "Cactus | once a month"],
        ["Milk", "Bread", "Salt"],
        ["Milk", "Bread", "Salt", "The shop closes at six in the evening."],
    ],
)
def test_short_paragraphs_in_a_row_are_a_list_and_no_headings(lines: list[str]) -> None:
    (segment,) = segmenter().split(document("\n\n".join(lines))).segments
    assert sentences_of(segment) == lines and segment.headings == ()


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("The river\n\nIt rises in the hills.", (0,)),
        ("The river\n\nIts source\n\nIt rises in the hills.", (0, 1)),
        ("The river\n\nsource in the hills", (0,)),
        ("Part 2: the river\n\nIt rises in the hills.", (0,)),
        ("# Milk\n\n# Bread\n\n# Salt\n\n# Wine\n\nAll of it is sold here.", (0, 1, 2, 3)),
    ],
)
def test_one_or_two_short_paragraphs_before_a_text_are_its_headings(text: str, headings: tuple[int, ...]) -> None:
    (segment,) = segmenter(sentences=9).split(document(text)).segments
    assert segment.headings == headings


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("4. Deposit\nThe tenant pays the deposit before the keys are handed over.", ["4. Deposit"]),
        ("4. Deposit\n4.1 The tenant pays a deposit.\n4.2 It is paid back.", ["4. Deposit"]),
        ("3. Opening hours\nMonday: nine to five\nTuesday: nine to six", ["3. Opening hours"]),
        ("§ 4 Bryggan\nDen västra bryggan skadades under stormen i januari.", ["§ 4 Bryggan"]),
        ("第3条 鍵\n鍵は借主が持っています。", ["第3条 鍵"]),
        ("٣. المفتاح\nيبقى المفتاح عند المستأجر في البيت.", ["٣. المفتاح"]),
        ("الموعد القادم\nالمراجعة بعد ستة أسابيع، مع إعادة تحليل السكر.", ["الموعد القادم"]),
        ("【お願い】\n最近、ヘルメットをかぶっていない児童が見られます。", ["【お願い】"]),
        (
            "The house\n\n1. Keys\nThree keys are handed over.\n\n2. Pets\nA dog must be agreed on.",
            ["The house", "1. Keys", "2. Pets"],
        ),
    ],
)
def test_a_short_line_above_its_text_is_a_heading(text: str, headings: list[str]) -> None:
    found = [s for s in segmenter().split(document(text)).segments]
    assert [sentences_of(s)[number] for s in found for number in s.headings] == headings


@pytest.mark.parametrize(
    "text",
    [
        "1. Milk\n2. Bread\n3. Salt",
        "1. Flour\nfive hundred grams.\n2. Eggs\nfour of them, not too small.",
        "1. Take the flour and the eggs.\n2. Stir until it is smooth.",
        "6. joulukuuta oli kylmä\nja satoi lunta.",
        "1. Take the bread\nand cut it in two.\n\n2. Take the butter\nand put it on the bread.",
        "Anna Miller\n5 Mill Lane\n90100 Oulu",
        "Anna Miller\nTelephone: 123",
        "bread and salt\nwind and rain\nsun and sea.",
        "Roses are red,\nviolets are blue, and so is the sky above the town.",
        "- Milk\nfrom the farm behind the hill, where it is cheap.",
        "Telephone: 123\nCall before noon, since nobody is there later.",
    ],
)
def test_lists_addresses_and_poems_have_no_headings(text: str) -> None:
    assert [segment.headings for segment in segmenter().split(document(text)).segments] == [()]


def test_sections_with_numbers_are_not_glued_to_each_other() -> None:
    contract = (
        "1. Holidays\nThere are 25 days of holiday. Five of them may be carried over. They must be taken by March. "
        "The office is closed at Christmas. Please ask for leave four weeks ahead.\n\n"
        "2. Sickness\nIf you cannot come to work, telephone before nine. A note is needed after a week."
    )
    found = segmenter().split(document(contract)).segments
    assert [(segment.text[:9], segment.headings) for segment in found] == [("1. Holida", (0,)), ("2. Sickne", (0,))]


def test_wrapped_lines_are_one_sentence_and_meant_line_ends_are_borders() -> None:
    wrapped = (
        "The bridge over the river was built by the people of\n"
        "the town in a single summer, and it has stood there\n"
        "ever since without a nail or a screw in any of the\n"
        "beams"
    )
    assert len(segmenter().split(document(wrapped)).segments[0].sentences) == 1
    poem = "bread and salt\nwind and rain\nsun and sea"
    split = segmenter(target=12).split(document(poem))
    assert sentences_of(split.segments[0]) == ["bread and salt", "wind and rain", "sun and sea"]


@pytest.mark.parametrize(
    ("language", "item"),
    [
        ("en", "6. Sickness of the tenant must be told at once."),
        ("en", "4.2 The tenant keeps the key."),
        ("en", "4.2. The tenant keeps the key."),
        ("en", "a) The tenant keeps the key."),
        ("en", "(iii) The tenant keeps the key."),
        ("en", "iv. The tenant keeps the key."),
        ("de", "§ 4. Der Mieter behält den Schlüssel."),
        ("de", "1. September 1990 war ein Samstag."),
        ("ru", "а) Ключ остаётся у жильца дома."),
        ("fi", "6. joulukuuta on juhla koko maassa."),
        ("ja", "第3条 鍵は借主が持っています。"),
        ("ar", "٣. يبقى المفتاح عند المستأجر في البيت."),
        ("hi", "३. चाबी किराएदार के पास रहती है।"),
    ],
)
def test_an_enumerator_at_the_beginning_of_a_line_is_no_sentence(language: str, item: str) -> None:
    whole = f"{item}\n\n{item}"
    lines = line_borders(whole)
    stretches = list(blocks(whole, lines))
    found = sentences(whole, lines, stretches, [language] * len(stretches))
    assert [whole[one.start : one.end] for one in found] == [item, item]


def test_an_enumerator_on_a_line_of_its_own_stays_with_the_next_one() -> None:
    (segment,) = segmenter().split(document("1.\nThe key stays here.\n2.\nThe door stays shut.")).segments
    assert sentences_of(segment) == ["1.\nThe key stays here.", "2.\nThe door stays shut."]


def test_a_date_at_the_beginning_of_a_wrapped_line_is_no_item() -> None:
    wrapped = (
        "Itsenäisyyspäivää vietetään koko maassa vuosittain\n"
        "6. joulukuuta, ja kaupat ovat silloin suljettuina.\n"
        "Die deutschen Länder wurden wieder ein Staat am Tag\n"
        "3. Oktober 1990, und daran erinnert seither ein Fest"
    )
    assert [border for _, border in line_borders(wrapped)] == []


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("ar", "الطبيب المعالج: د. عمر حدّاد"),
        ("ar", "حضر أ.د. علي حسن"),
        ("tr", "Atatürk Mah. Lale Sok. No: 7 Daire: 4"),
        ("tr", "Yıldız Mobilya San. ve Tic. Ltd. Şti."),
        ("tr", "Tel. 0224 555 01 62"),
        ("fr", "Le bail est signé par M. Dupont et Mme. Durand"),
        ("el", "Μένει στην οδ. Ερμού 5, τηλ. 123"),
        ("sv", "Mötet börjar kl. 18.30 hos Lars"),
        ("en", "It weighs approx. 5 kilos"),
        ("id", "Alamatnya Jl. Merdeka No. 5"),
        ("unknown", "Lale Sok. No. 7"),
    ],
)
def test_titles_streets_and_what_has_a_number_end_no_sentence(language: str, sentence: str) -> None:
    found = sentences(sentence, [], list(blocks(sentence, [])), [language])
    assert [sentence[one.start : one.end] for one in found] == [sentence]


def test_what_looks_like_an_abbreviation_ends_a_sentence_where_no_number_follows() -> None:
    text = "The answer is no. Then he left. He has 3. They have none."
    found = sentences(text, [], list(blocks(text, [])), ["en"])
    assert [text[one.start : one.end] for one in found] == [
        "The answer is no.",
        "Then he left.",
        "He has 3.",
        "They have none.",
    ]


def test_the_fields_of_a_row_are_not_counted_as_sentences() -> None:
    row = "\n".join(f"column {n}: value" for n in range(12))
    split = segmenter().split(document(row))
    assert texts(split) == [row]
    assert len(split.segments[0].sentences) <= 4


def test_the_short_first_fields_of_a_row_have_the_language_of_their_row() -> None:
    german = "id: 1\nKrebsfest\nDas Fest findet am alten Steg statt, und alle bringen Käse und Brot mit."
    french = "id: 2\nCovoiturage\nJe vais chaque vendredi à la préfecture et j'ai trois places dans la voiture."
    split = segmenter().split(document(german, french, german))
    assert [segment.language for segment in split.segments] == ["de", "fr", "de"]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    clauses = [f"the {n} bridge is old and it is made of wood and stone and iron" for n in range(20)]
    split = segmenter(target=30).split(document(", ".join(clauses) + "."))
    assert len(split.segments) > 5
    assert all(text.endswith((",", ".")) for text in texts(split))


def test_no_segment_crosses_a_unit_a_row_or_a_language() -> None:
    rows = document("bread", "salt", "", "   ", "wind")
    assert texts(segmenter().split(rows)) == ["bread", "salt", "wind"]
    assert segmenter().split(rows).skipped == {"separator": 4, "whitespace": 3}
    german = "Das Haus steht am Fluss und hat einen Garten."
    russian = "Дом стоит у реки, и возле него большой сад."
    split = segmenter().split(document(f"{german}\n\n{russian}"))
    assert [(segment.text, segment.language) for segment in split.segments] == [(german, "de"), (russian, "ru")]


def test_a_line_of_unknown_language_stays_with_its_neighbours() -> None:
    german = "Das Haus steht am Fluss und hat einen Garten."
    split = segmenter().split(document(f"Москва\n\n{german}\n\nМосква"))
    assert [segment.language for segment in split.segments] == ["de"]


def test_the_place_is_that_of_the_unit_and_the_line_is_counted_on() -> None:
    text = "One.\n\nTwo two two.\nThree three.\n\n\nFour four four."
    split = segmenter(target=4, sentences=1).split(document(text, text, place={"line": 10, "section": "Salt"}))
    assert [segment.place["line"] for segment in split.segments] == [10, 12, 13, 16] * 2
    assert all(segment.place["section"] == "Salt" for segment in split.segments)
    page = {"page": 3, "pages": 9}
    assert all(segment.place == page for segment in segmenter().split(document(text, place=page)).segments)


def test_halves_of_surrogate_pairs_are_left_out_and_counted() -> None:
    split = segmenter().split(document("Half a\ud800pair.\udfff"))
    assert texts(split) == ["Half a", "pair."]
    assert split.skipped == {"undecodable": 2}


def test_what_the_model_has_no_token_for_is_counted() -> None:
    class Blind(TinyTokenizer):
        """Drops zero-width spaces, as normalising tokenizers do."""

        def ids(self, texts):  # type: ignore[no-untyped-def]
            return super().ids([text.replace("\u200b", "") for text in texts])

    tokenizer = Blind.of_words(64)
    split = segmenter(tokenizer).split(document("\u200b \u200b\u200b", "bread\u200b"))
    assert texts(split) == ["bread\u200b"]
    assert split.skipped == {"no_tokens": 3, "whitespace": 1, "separator": 1}


def test_joined_sentences_are_counted_not_added_up() -> None:
    class Jealous(TinyTokenizer):
        """Makes far more tokens of two sentences than of each alone."""

        def ids(self, texts):  # type: ignore[no-untyped-def]
            found = zip(super().ids(texts), texts, strict=True)
            return [ids * 20 if text.count(".") > 1 else ids for ids, text in found]

    tokenizer = Jealous.of_words(32)
    split = segmenter(tokenizer).split(document("One is short. Two is short. Three is short. Four is short."))
    assert texts(split) == ["One is short.", "Two is short.", "Three is short.", "Four is short."]


def test_tokens_of_a_whole_document_are_counted_in_a_few_calls() -> None:
    tokenizer = TinyTokenizer.of_words(64)
    cut = segmenter(tokenizer)
    tokenizer.calls = 0
    cut.split(document("\n\n".join(f"Sentence {n} has some words. It has a neighbour." for n in range(3000))))
    assert tokenizer.calls <= 5


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        segmenter(TinyTokenizer.of_words(2))


def test_an_empty_document_has_no_segments() -> None:
    for extraction in (Extraction((), "text"), document(""), document(" \n ")):
        split = segmenter().split(extraction)
        assert (split.segments, split.language) == ((), "unknown")
        assert sum(split.skipped.values()) == len(extraction.text)


def test_headings_that_a_reader_knows_are_told_from_sentences() -> None:
    units = (
        Unit("Name | Price", headings=((0, 12),)),
        Unit("Watering the plants in summer. Water them\nin the evening, when the sun is low.", headings=((0, 30),)),
    )
    first, second = segmenter(target=60).split(Extraction(units, "text")).segments
    assert first.headings == (0,) and first.sentences == ((0, 12),)
    assert second.headings == (0,)
    assert [second.text[a:b] for a, b in second.sentences][0] == "Watering the plants in summer."


def test_encoded_stretches_make_no_segments_and_are_counted() -> None:
    packed = base64.encodebytes(random.Random(1).randbytes(600)).decode()
    dump = " ".join(f"{byte:02x}" for byte in random.Random(2).randbytes(200))
    program = "!function(e){" + "".join(f"var a{n}=e[{n}];if(a{n}){{b.push({n})}}" for n in range(40)) + "}"
    for junk in (packed, dump, program):
        split = segmenter().split(document(f"The words before it.\n{junk}\nThe words behind it."))
        assert texts(split) == ["The words before it.", "The words behind it."]
        assert split.skipped["encoded"] == len("".join(junk.split()))


def test_long_words_addresses_and_checksums_are_no_junk() -> None:
    text = "https://example.org/" + "a-path-of-many-parts/" * 12 + "\nsha256 " + "9f86d081884c7d65" * 4
    assert "encoded" not in segmenter().split(document(text)).skipped
