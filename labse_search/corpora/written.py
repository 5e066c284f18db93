"""Pairs into files: TSV, which fine-tuning reads, or TMX 1.4b, which translators' programs read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from labse_search import __version__
from labse_search.corpora.lines import one_line
from labse_search.corpora.tmx import SCORE
from labse_search.files import written_aside
from labse_search.records import Pair

UNDETERMINED = "und"  # BCP 47's code for a language that nobody knows
# What XML 1.0 has no way to write, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_pairs(path: Path, pairs: Sequence[Pair]) -> None:
    """TMX where the name ends in .tmx, else lines of source TAB target TAB score. White space becomes single spaces."""
    lines = _tmx(pairs) if path.suffix.lower() == ".tmx" else _tsv(pairs)
    with written_aside(path) as file:
        file.writelines(lines)


def _tsv(pairs: Iterable[Pair]) -> Iterator[str]:
    for pair in pairs:
        yield f"{one_line(pair.source)}\t{one_line(pair.target)}\t{pair.score:.6f}\n"


def _tmx(pairs: Sequence[Pair]) -> Iterator[str]:
    """https://www.gala-global.org/tmx-14b. The score is a property of the unit, which other programs keep."""
    sources = Counter(pair.source_language or UNDETERMINED for pair in pairs)
    language = next(iter(sources)) if len(sources) == 1 else "*all*"
    yield '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4">\n'
    yield (
        f'<header creationtool="labse-search" creationtoolversion={quoteattr(__version__)} segtype="sentence" '
        f'o-tmf="labse-search" adminlang="en" srclang={quoteattr(language)} datatype="plaintext"/>\n<body>\n'
    )
    for pair in pairs:
        yield f'<tu><prop type="{SCORE}">{pair.score:.6f}</prop>'
        yield _variant(pair.source_language, pair.source) + _variant(pair.target_language, pair.target) + "</tu>\n"
    yield "</body>\n</tmx>\n"


def _variant(language: str, text: str) -> str:
    text = escape(_FORBIDDEN.sub("", one_line(text)))
    return f"<tuv xml:lang={quoteattr(language or UNDETERMINED)}><seg>{text}</seg></tuv>"
