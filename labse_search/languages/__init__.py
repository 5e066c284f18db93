"""Languages: their names and scripts (here), and which one a text is written in (`languages.identify`).

`table` is the one table that all of it is read from; a new language is a new line there. Codes may come in any spelling
that models and files use: "zh-CN", "zh_Hant", "cmn" and "zho" are all "zh".

    find_language("kaz")         Language(code="kk", name="Kazakh", scripts=("cyrillic", "latin", "arabic"), …) or None
    language_named("deutsch")    the same by its name in English or in itself, whatever case and accents; or None
    canonical("iw"), ("nob")     "he", "no": the code that identification gives; an unknown code as it is, lower case
    language_name("zh_Hant")     "Chinese"; the code itself where no name is known
    is_right_to_left("ar-EG")    True
    unicode_words("ko")          first words of the Unicode names of its letters; empty for an unknown code
    in_wrong_script(text, "ru")  whether fewer than half of the letters are in a script of the language

Identification, the first use of which loads py3langid's tables:

    from labse_search.languages.identify import LanguageIdentifier
    LanguageIdentifier(model_languages).label(["Ein Absatz …", "Another …"])        ["de", "en"], or "unknown"
"""

from __future__ import annotations

import unicodedata
from functools import cache

from labse_search.languages.table import LANGUAGES, SCRIPTS, Language, Script
from labse_search.records import UNKNOWN_LANGUAGE

__all__ = [
    "LANGUAGES",
    "SCRIPTS",
    "Language",
    "Script",
    "canonical",
    "find_language",
    "in_wrong_script",
    "is_right_to_left",
    "language_name",
    "language_named",
    "unicode_words",
]

FEWEST_LETTERS = 4  # of a text whose script is judged


def find_language(code: str) -> Language | None:
    """The language behind a code of two or three letters, with or without a region or a script."""
    return _by_code().get(_bare(code))


def language_named(name: str) -> Language | None:
    """The language of this name, in English or in the language itself, whatever the case, with or without accents."""
    return _by_names().get(_plain(name))


def canonical(code: str) -> str:
    """The code under which texts in this language are identified; an unknown code bare and in lower case."""
    language = find_language(code)
    return (language.identified_as or language.code) if language else _bare(code)


def language_name(code: str) -> str:
    """The English name of a language, "unknown language", or the code itself where no name is known."""
    if code == UNKNOWN_LANGUAGE:
        return "unknown language"
    language = find_language(code)
    return language.name if language else code


def is_right_to_left(code: str) -> bool:
    """Whether a language is usually written from right to left."""
    language = find_language(code)
    return language is not None and _by_name()[language.scripts[0]].right_to_left


def unicode_words(code: str) -> tuple[str, ...]:
    """First words of the Unicode names of the letters that texts in the language hold: ("HANGUL", "CJK"). Empty for
    an unknown code."""
    language = find_language(code)
    scripts = [_by_name()[name] for name in language.scripts] if language else []
    return tuple(dict.fromkeys(word for script in scripts for word in script.words))


def in_wrong_script(text: str, code: str) -> bool:
    """Whether fewer than half of the text's letters are in a script of the language. False where that cannot be said:
    an unknown code, fewer than four letters."""
    words = unicode_words(code)
    letters = [unicodedata.name(letter, "") for letter in text if letter.isalpha()]
    if not words or len(letters) < FEWEST_LETTERS:
        return False
    return 2 * sum(name.startswith(words) for name in letters) < len(letters)


def _bare(code: str) -> str:
    return code.replace("_", "-").split("-")[0].lower()


def _plain(name: str) -> str:
    """For comparing names as people type them."""
    letters = unicodedata.normalize("NFKD", name.strip().casefold())
    return "".join(letter for letter in letters if letter.isspace() or letter.isalpha())


@cache
def _by_names() -> dict[str, Language]:
    return {_plain(name): one for one in LANGUAGES for name in (*one.own.split(","), one.name) if name}


@cache
def _by_code() -> dict[str, Language]:
    return {code: language for language in LANGUAGES for code in (language.code, *language.also.split())}


@cache
def _by_name() -> dict[str, Script]:
    return {script.name: script for script in SCRIPTS}
