"""Which scripts a language is written in, by the first word of its letters' Unicode names. Latin unless listed."""

from __future__ import annotations

from collections.abc import Iterable

from labse_search.errors import UserError

_JAPANESE = "CJK HIRAGANA KATAKANA KATAKANA-HIRAGANA IDEOGRAPHIC FULLWIDTH HALFWIDTH"
_SCRIPTS = {
    "am": "ETHIOPIC",
    "ar": "ARABIC",
    "as": "BENGALI",
    "be": "CYRILLIC",
    "bg": "CYRILLIC",
    "bn": "BENGALI",
    "bo": "TIBETAN",
    "dv": "THAANA",
    "el": "GREEK",
    "fa": "ARABIC",
    "gu": "GUJARATI",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "hy": "ARMENIAN",
    "ja": _JAPANESE,
    "ka": "GEORGIAN",
    "kk": "CYRILLIC",
    "km": "KHMER",
    "kn": "KANNADA",
    "ko": "HANGUL CJK",
    "ku": "LATIN ARABIC",
    "ky": "CYRILLIC",
    "lo": "LAO",
    "mk": "CYRILLIC",
    "ml": "MALAYALAM",
    "mn": "CYRILLIC",
    "mr": "DEVANAGARI",
    "my": "MYANMAR",
    "ne": "DEVANAGARI",
    "or": "ORIYA",
    "pa": "GURMUKHI",
    "ps": "ARABIC",
    "ru": "CYRILLIC",
    "sd": "ARABIC",
    "si": "SINHALA",
    "sr": "CYRILLIC LATIN",
    "ta": "TAMIL",
    "te": "TELUGU",
    "tg": "CYRILLIC",
    "th": "THAI",
    "ti": "ETHIOPIC",
    "tk": "LATIN CYRILLIC",
    "tt": "CYRILLIC",
    "ug": "ARABIC",
    "uk": "CYRILLIC",
    "ur": "ARABIC",
    "uz": "LATIN CYRILLIC",
    "wo": "LATIN",
    "yi": "HEBREW",
    "zh": "CJK IDEOGRAPHIC FULLWIDTH BOPOMOFO",
}
_MODIFIERS = {"MODIFIER", "FEMININE", "MASCULINE"}  # ʼ ª º: written with many scripts


def scripts_of(languages: Iterable[str]) -> set[str]:
    """First words of Unicode names of the letters; UserError for something that is no two-letter code."""
    scripts = set(_MODIFIERS)
    for language in languages:
        if len(language) != 2 or not language.isalpha() or not language.islower():
            raise UserError(f"{language!r} is no language code. Use two letters, such as en, de or ja.")
        scripts.update(_SCRIPTS.get(language, "LATIN").split())
    return scripts
