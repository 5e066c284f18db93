"""The page's words in the visitor's language: one JSON file a language in locales/, English in strings.

A value is a sentence, or an object of sentences by plural form (CLDR's names: one, few, many, other), chosen in the
browser by the placeholder {n}. What the app itself says (errors, notes of readers) is English.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

from labse_search.languages import LANGUAGES as KNOWN
from labse_search.languages import is_right_to_left
from labse_search.ui.strings import STRINGS

FOLDER = Path(__file__).parent / "locales"
COOKIE = "labse-language"
# As each calls itself.
LANGUAGES = {
    "en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "pt": "Português", "ru": "Русский",
    "ar": "العربية", "hi": "हिन्दी", "ja": "日本語", "zh": "中文",
}  # fmt: skip
# Words of Gradio's own controls, which are drawn in English and translated in the browser, by the place they stand in:
# one English word may be two elsewhere.
CONTROLS = {
    "#tabs > .tab-wrapper": ("tab_search", "tab_findings", "tab_add", "tab_collection", "tab_teach", "tab_settings"),
    "#ask-row": ("ask", "search"),
    "#how-row": ("mode", "mode_meaning", "mode_words", "mode_both", "mode_translation", "only_other"),
    "#filters": (
        "filters", "filter_languages", "filter_kinds", "filter_folders", "filter_documents", "filter_added", "any_time",
        "last_day", "last_week", "last_month", "last_year",
    ),
}  # fmt: skip

Table = dict[str, str | dict[str, str]]


@functools.cache
def table(language: str) -> Table:
    """Key → sentence or plural forms. `language`: a key of LANGUAGES."""
    if language == "en":
        return {
            key: entry if isinstance(entry, str) else {"one": entry[0], "other": entry[1]}
            for key, entry in STRINGS.items()
        }
    found: Table = json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found


def chosen(cookie: str, accepted: str, usual: str = "") -> str:
    """The language of the cookie, else the usual one, else the first known one of an Accept-Language header, else
    English."""
    for given in (cookie, usual):
        if given in LANGUAGES:
            return given
    wanted: list[tuple[float, int, str]] = []
    for at, part in enumerate(accepted.split(",")[:50]):
        tag, _, weight = part.strip().partition(";q=")
        code = tag.partition("-")[0].lower()
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if code in LANGUAGES and quality > 0:
            wanted.append((-quality, at, code))
    return min(wanted)[2] if wanted else "en"


@functools.cache
def locale_json(language: str, theme: str = "auto") -> str:
    """What page.js asks for first. Nothing in it comes from a document or a visitor."""
    words = table(language)
    controls = CONTROLS if language != "en" else {}
    values = {
        "locale": language,
        "direction": "rtl" if is_right_to_left(language) else "ltr",
        "strings": words,
        "controls": {place: {STRINGS[key]: words[key] for key in keys} for place, keys in controls.items()},
        "languages": LANGUAGES,
        "theme": theme,
        "rightToLeft": [one.code for one in KNOWN if is_right_to_left(one.code)],
    }
    return json.dumps(values, ensure_ascii=False)
