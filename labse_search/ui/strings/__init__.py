"""Every sentence on the page, in one place. The page's scripts get the same table, so a translation is one more table.

A value is a sentence with {placeholders}, or a pair (one, other) chosen by the placeholder {n}.
"""

from __future__ import annotations

from labse_search.ui.strings.align import ALIGN
from labse_search.ui.strings.library import LIBRARY
from labse_search.ui.strings.map import MAP
from labse_search.ui.strings.search import SEARCH
from labse_search.ui.strings.teach import TEACH

STRINGS: dict[str, str | tuple[str, str]] = {**SEARCH, **TEACH, **LIBRARY, **ALIGN, **MAP}

# Three questions in three scripts: for the sample collection, which answers them in other languages, and for others.
SAMPLE_QUESTIONS = (
    ("How are carpets cleaned with snow in winter?", "en"),
    ("Что означает чёрный конус на мачте в порту?", "ru"),
    ("শিশুদের চোখের পরীক্ষা কোন মাসে বিনামূল্যে হয়?", "bn"),
)
GENERAL_QUESTIONS = (
    ("What was decided, and who is responsible for it?", "en"),
    ("Сколько это стоит и до какого числа нужно заплатить?", "ru"),
    ("緊急のときはどうすればいいですか。", "ja"),
)


def text(key: str, **values: object) -> str:
    """The sentence of that key with its placeholders filled; numbers get thousands separators."""
    entry = STRINGS[key]
    template = entry if isinstance(entry, str) else entry[0] if values.get("n") == 1 else entry[1]
    return template.format(
        **{name: f"{value:,}" if isinstance(value, int) else value for name, value in values.items()}
    )
