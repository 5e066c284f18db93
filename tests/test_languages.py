"""The table of languages: names, codes, scripts."""

from __future__ import annotations

import itertools
import re

import pytest

from labse_search.languages import (
    LANGUAGES,
    SCRIPTS,
    canonical,
    find_language,
    in_wrong_script,
    is_right_to_left,
    language_name,
    language_named,
    unicode_words,
)

# The languages of the LaBSE paper's appendix, as Google's model card spells them.
LABSE = """af am ar as az be bg bn bo bs ca ceb co cs cy da de el en eo es et eu fa fi fr fy ga gd gl gu ha haw he hi
hmn hr ht hu hy id ig is it ja jv ka kk km kn ko ku ky la lb lo lt lv mg mi mk ml mn mr ms mt my ne nl no ny or pa pl
pt ro ru rw si sk sl sm sn so sq sr st su sv sw ta te tg th tk tl tr tt ug uk ur uz vi wo xh yi yo zh zu""".split()


def test_every_language_of_labse_has_a_name_of_its_own() -> None:
    assert [code for code in LABSE if find_language(code) is None] == []
    assert len({language.name for language in LANGUAGES}) == len(LANGUAGES)


def test_no_code_means_two_languages() -> None:
    codes = [code for language in LANGUAGES for code in (language.code, *language.also.split())]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("name", "code"),
    [("German", "de"), ("deutsch", "de"), ("FRANÇAIS", "fr"), ("francais", "fr"), ("Русский", "ru"), ("日本語", "ja")]
    + [("العربية", "ar"), ("हिन्दी", "hi"), ("castellano", "es"), ("norsk", "no"), ("tlhIngan Hol", None), ("", None)],
)
def test_a_language_is_known_by_its_name_in_english_and_in_itself(name: str, code: str | None) -> None:
    found = language_named(name)
    assert (found.code if found else None) == code


def test_no_name_means_two_languages() -> None:
    names = [(name, one.code) for one in LANGUAGES for name in (one.name, *filter(None, one.own.split(",")))]
    assert [(name, code) for name, code in names if (found := language_named(name)) is None or found.code != code] == []


def test_every_language_is_written_in_scripts_that_are_known_and_share_no_letter() -> None:
    names = [script.name for script in SCRIPTS]
    assert {name for language in LANGUAGES for name in language.scripts} <= set(names)
    assert len(set(names)) == len(names)
    letters = [re.compile(f"[{script.letters}]") for script in SCRIPTS]
    assert not [chr(n) for n in range(0x20000) if sum(bool(one.match(chr(n))) for one in letters) > 1]


def test_the_usual_language_of_a_script_is_written_in_it() -> None:
    for script in SCRIPTS:
        usual = find_language(script.usual)
        assert not script.usual or usual is not None and script.name in usual.scripts


def test_a_code_with_a_region_has_the_name_of_its_language_and_an_unknown_one_stands_for_itself() -> None:
    assert language_name("zh-cn") == language_name("zh_Hant") == "Chinese"
    assert language_name("unknown") == "unknown language"
    assert language_name("tlh") == "tlh"


def test_right_to_left_languages_are_known() -> None:
    assert all(is_right_to_left(code) for code in ("ar", "fa", "he", "ur", "yi", "ug", "ps", "ar-EG"))
    assert not any(is_right_to_left(code) for code in ("en", "ja", "ru", "unknown", ""))


def test_all_codes_of_a_language_have_one_that_identification_gives() -> None:
    same = {"iw": "he", "nob": "no", "nb": "no", "fil": "tl", "cmn": "zh", "zh-Hant": "zh", "DEU": "de", "xx": "xx"}
    assert {code: canonical(code) for code in same} == same


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        ("kk", ("Барлық адамдар тең", "Barlyq adamdar teń", "بارلىق ادامدار تەڭ"), ("全ての人間は",)),
        ("tt", ("Барлык кешеләр дә", "Barlıq keşelär dä"), ("すべての人間は",)),
        ("sr", ("Сва људска бића", "Sva ljudska bića"), ("Όλοι οι άνθρωποι",)),
        ("ru", ("Все люди рождаются",), ("All people are born",)),
        ("ja", ("すべての人間は", "人類社会"), ("All people are born", "Все люди рождаются")),
        ("ko", ("모든 인간은", "大韓民國"), ("All people are born",)),
        ("xx", ("Все люди рождаются", "All people are born"), ()),
        ("ru", ("OK", "Ja?"), ()),
    ],
)
def test_texts_in_every_script_of_a_language_are_right(
    code: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    assert [text for text in right if in_wrong_script(text, code)] == []
    assert [text for text in wrong if not in_wrong_script(text, code)] == []


def test_the_letters_of_a_language_are_named_by_its_scripts() -> None:
    assert unicode_words("kk") == ("CYRILLIC", "LATIN", "ARABIC")
    assert "CJK" in unicode_words("ko") and unicode_words("xx") == ()


def test_scripts_are_told_by_ranges_that_hold_their_letters() -> None:
    samples = {
        "latin": "ñ",
        "cyrillic": "ж",
        "arabic": "پ",
        "devanagari": "द",
        "han": "河",
        "kana": "さ",
        "hangul": "강",
    }
    for (name, letter), script in itertools.product(samples.items(), SCRIPTS):
        assert bool(re.match(f"[{script.letters}]", letter)) == (script.name == name)
