"""The page's words in every language: none lacks a key, a placeholder or a plural form."""

from __future__ import annotations

import json
import re

import pytest

from labse_search.ui.strings import STRINGS
from labse_search.ui.translations import CONTROLS, FOLDER, LANGUAGES, chosen, locale_json, table

OTHERS = [code for code in LANGUAGES if code != "en"]
# CLDR's plural forms of whole numbers; the others fall back to "other".
FORMS = {"ru": {"one", "few", "many", "other"}, "ar": {"one", "two", "few", "many", "other"}}
FORMS |= {code: {"other"} for code in ("ja", "zh")}


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"{(\w+)}", text))


def test_there_is_one_file_a_language() -> None:
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(OTHERS)


@pytest.mark.parametrize("code", OTHERS)
def test_no_language_lacks_a_key_a_placeholder_or_a_plural_form(code: str) -> None:
    words = table(code)
    assert list(words) == list(STRINGS)
    for key, english in STRINGS.items():
        here = words[key]
        if isinstance(english, str):
            assert isinstance(here, str) and here.strip() and placeholders(here) == placeholders(english), key
        else:
            assert isinstance(here, dict) and set(here) == FORMS.get(code, {"one", "other"}), key
            wanted = placeholders(english[1])
            assert all(placeholders(form) | {"n"} == wanted for form in here.values()), key
            assert placeholders(here["other"]) == wanted, key


@pytest.mark.parametrize(
    ("cookie", "accepted", "code"),
    [
        ("", "", "en"),
        ("", "de-CH,de;q=0.9,en;q=0.8", "de"),
        ("", "sw, fr;q=0.3, pt-BR;q=0.7", "pt"),
        ("", "ja;q=0, xx", "en"),
        ("ar", "de", "ar"),
        ("../x", "zh-Hant-TW", "zh"),
        ("", ";q=,;;q=x," * 1000, "en"),
    ],
)
def test_the_language_is_the_chosen_one_or_the_browsers(cookie: str, accepted: str, code: str) -> None:
    assert chosen(cookie, accepted) == code


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_the_browser_gets_words_and_direction(code: str) -> None:
    given = json.loads(locale_json(code))
    assert given["strings"] == table(code) and given["direction"] == ("rtl" if code == "ar" else "ltr")
    assert set(given["controls"]) == (set() if code == "en" else set(CONTROLS))
    for place, words in given["controls"].items():
        assert len(words) == len(CONTROLS[place]) and all(isinstance(word, str) for word in words.values())
