"""The language of blocks, documents and questions."""

from __future__ import annotations

import lzma
import sys
from pathlib import Path

import pytest
from processes import run

from labse_search.languages.identify import LanguageIdentifier, majority

PROSE = {
    "de": "Das alte Haus am Fluss hat einen Garten, in dem im Sommer viele Rosen blühen.",
    "fr": "La vieille maison au bord de la rivière a un jardin où fleurissent des roses en été.",
    "en": "The old house by the river has a garden in which many roses bloom in the summer.",
    "ru": "У старого дома на берегу реки есть сад, в котором летом цветёт много роз.",
    "uk": "Біля старого будинку на березі річки є сад, у якому влітку цвіте багато троянд.",
    "ar": "للبيت القديم على ضفة النهر حديقة تتفتح فيها ورود كثيرة في فصل الصيف.",
    "fa": "خانه‌ی قدیمی کنار رودخانه باغی دارد که در تابستان گل‌های سرخ زیادی در آن می‌شکفد.",
    "hi": "नदी के किनारे पुराने घर में एक बगीचा है जिसमें गर्मियों में बहुत सारे गुलाब खिलते हैं।",
    "ja": "川のそばの古い家には庭があり、夏になるとたくさんのバラが咲きます。",
    "zh": "河边的老房子有一个花园，夏天有许多玫瑰盛开。",
    "ko": "강가의 오래된 집에는 여름에 많은 장미가 피는 정원이 있습니다.",
    "th": "บ้านเก่าริมแม่น้ำมีสวนที่มีกุหลาบบานมากมายในฤดูร้อน",
}
ALL = LanguageIdentifier(tuple(PROSE))


@pytest.mark.parametrize("language", PROSE)
def test_a_document_has_the_language_it_is_written_in(language: str) -> None:
    assert ALL.document(PROSE[language] * 20) == language


def test_paragraphs_of_a_mixed_document_have_each_its_own_language() -> None:
    order = [*PROSE, *reversed(PROSE)]
    assert ALL.label([PROSE[language] for language in order]) == order


def test_short_and_symbol_only_blocks_take_the_language_of_the_block_before_or_after() -> None:
    blocks = ["1. 2. 3.", "Kapitel", PROSE["de"], "***", "42", "Ende", PROSE["fr"], "OK"]
    assert ALL.label(blocks) == ["de", "de", "de", "de", "de", "de", "fr", "fr"]


def test_a_short_block_between_two_languages_takes_the_one_it_sounds_like() -> None:
    assert ALL.label([PROSE["de"], "Le jardin", PROSE["fr"]]) == ["de", "fr", "fr"]
    assert ALL.label([PROSE["de"], "Ende der Fahrt", PROSE["fr"]]) == ["de", "de", "fr"]


def test_a_short_block_prefers_the_language_of_its_own_unit() -> None:
    assert ALL.label([PROSE["de"], "id: 2", PROSE["fr"], "id: 3", PROSE["en"]], [0, 1, 1, 2, 2]) == [
        "de",
        "fr",
        "fr",
        "en",
        "en",
    ]


def test_blocks_with_nothing_to_tell_by_are_unknown() -> None:
    assert ALL.label(["", "123", "OK", "***"]) == ["unknown"] * 4
    assert ALL.label([]) == []
    assert ALL.document("") == "unknown"


SHORT = {
    "en": "The boat is at the pier.",
    "ru": "Собака спит на диване.",
    "ar": "الباب مغلق اليوم.",
    "hi": "दरवाज़ा आज बंद है।",
    "de": "Das Brot ist frisch.",
}


@pytest.mark.parametrize("language", SHORT)
def test_a_document_of_one_short_sentence_has_a_language(language: str) -> None:
    assert ALL.label([SHORT[language]]) == [language]
    assert ALL.label(["1.", SHORT[language]]) == [language, language]


def test_short_lines_without_anything_else_are_told_together() -> None:
    lines = ["Brot und Butter", "Äpfel, Birnen", "Milch", "***", "Frische Brötchen"]
    assert ALL.label(lines) == ["de"] * 5


def test_a_script_of_one_language_decides_even_for_one_word() -> None:
    known = LanguageIdentifier(("en", "ko", "ja", "th", "km", "el", "he", "ka", "hy"))
    words = {
        "기후": "ko",
        "さくら": "ja",
        "แม่น้ำ": "th",
        "ទឹក": "km",
        "νερό": "el",
        "מים": "he",
        "წყალი": "ka",
        "ջուր": "hy",
    }
    assert {word: known.label([word])[0] for word in words} == words
    assert {word: known.label([PROSE["en"], word, PROSE["en"]])[1] for word in words} == words


def test_a_heading_of_han_alone_is_of_the_language_around_it() -> None:
    assert ALL.label(["気候変動", PROSE["ja"]]) == ["ja", "ja"]
    assert ALL.label(["气候变化", PROSE["zh"]]) == ["zh", "zh"]
    assert ALL.label(["气候变化"]) == ["zh"]


def test_a_short_block_does_not_take_a_language_of_another_script() -> None:
    assert ALL.label([PROSE["de"], "Москва", PROSE["de"]]) == ["de", "unknown", "de"]
    assert ALL.label([PROSE["de"], "Москва", PROSE["ru"]]) == ["de", "ru", "ru"]


def test_only_languages_of_the_model_come_out_in_the_model_s_own_spelling() -> None:
    few = LanguageIdentifier(("en", "nb", "zh-cn"))
    norwegian = "Det gamle huset ved elven har en hage der det blomstrer mange roser om sommeren."
    assert few.label([norwegian, PROSE["zh"], PROSE["th"], PROSE["ru"]]) == ["nb", "zh", "unknown", "unknown"]


def test_without_a_list_all_two_letter_languages_are_told_apart() -> None:
    assert LanguageIdentifier().label(list(PROSE.values())) == list(PROSE)


def test_yiddish_is_not_hebrew() -> None:
    known = LanguageIdentifier(("he", "yi"))
    assert known.label(["דאָס אַלטע הויז בײַם טײַך האָט אַ גאָרטן"]) == ["yi"]
    assert known.label(["וואו איז דער שליסל פון דעם הויז"]) == ["yi"]  # as it is written without points
    assert known.label(["לבית הישן על גדת הנהר יש גינה"]) == ["he"]


@pytest.mark.parametrize(
    "hebrew", ["הספרייה סגורה ביום שני.", "מתי נבנה הבניין?", "ייתכן", "חוויה", "אָמַר לִי אָבִי", "תאודור פון קרמן"]
)
def test_a_doubled_letter_is_no_proof_of_yiddish(hebrew: str) -> None:
    assert LanguageIdentifier(("he", "yi")).label([hebrew]) == ["he"]


def test_sorani_is_not_persian() -> None:
    known = LanguageIdentifier(("ar", "fa", "ku", "ug", "ur"))
    assert known.label(["کتێبخانەکە ڕۆژی هەینی داخراوە."]) == ["ku"]
    assert known.label(["کتابخانه روزهای جمعه بسته است."]) == ["fa"]
    assert known.label(["بۈگۈن كۈتۈپخانا ئېتىك، كىشىلەر ئۆيىدە."]) == ["ug"]
    assert LanguageIdentifier(("ar", "fa")).label(["کتێبخانەکە ڕۆژی هەینی داخراوە."]) != ["ku"]


def test_noise_has_no_language() -> None:
    many = LanguageIdentifier("cs da de en eo es et eu fi fr hr hu it lt nl no pl pt ro sk sl sv sw tr".split())
    assert many.label(["aGVsbG8gd29ybGQgdGhpcyBpcyBiYXNlNjQ+/8sKjQzXw9vPq7Lm2TnB5cYdR4hFgUeW1oZiA0uIyMx"]) == [
        "unknown"
    ]


def test_questions_are_identified_only_when_clear() -> None:
    clear = {"Wie heißt der längste Fluss?": "de", "How much does the bread cost?": "en", "강은 어디에 있나요?": "ko"}
    assert {text: ALL.identify_question(text) for text in clear} == clear
    assert {ALL.identify_question(text) for text in ("", "42", "OK", "a", "?!", "Taxi")} == {"unknown"}


def test_odd_characters_do_no_harm() -> None:
    assert ALL.label(["\x00\ud800\u200b", "👩‍👩‍👧‍👦" * 50]) == ["unknown", "unknown"]
    assert ALL.identify_question("\ud800 Wie heißt der längste Fluss?") == "de"


def test_the_majority_is_by_weight_and_unknown_only_when_alone() -> None:
    assert majority(iter([("de", 3), ("fr", 2), ("fr", 2), ("unknown", 99)])) == "fr"
    assert majority(iter([("unknown", 1)])) == majority(iter([])) == "unknown"


def test_real_lines_of_54_languages_are_right_98_times_in_100(shared: Path) -> None:
    paths = sorted((shared / "data" / "dev").glob("dev.en-*.tsv.xz"))
    languages = [path.name.split(".")[1].removeprefix("en-") for path in paths]
    identify = LanguageIdentifier([*languages, "en"])
    right = total = 0
    for language, path in zip(languages, paths, strict=True):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            found = [line.rstrip("\n").split("\t")[3] for line, _ in zip(lines, range(100), strict=False)]
        right += identify.label(found).count(language)
        total += len(found)
    assert right / total > 0.98  # measured: 0.998 on 300 lines of each


def test_the_identifier_is_loaded_at_first_use() -> None:
    code = "import sys, indexer.segment, labse_search.languages.identify as l; l.LanguageIdentifier(('en',)); "
    run(sys.executable, "-c", code + "assert 'py3langid.langid' not in sys.modules")
