"""How fast documents are cut into segments, beside the plain way: one tokenizer call for every sentence.

    python -m benchmarks.segmenting [--model FOLDER] [--characters 1000000] [--json]

Each document is real sentences of one language in one of four layouts: a sentence a line, paragraphs of eight
sentences, one single line, and a row of a table for each sentence. Times are processor seconds of one thread, the
language identification included, so that a busy machine gives the same figures; `tokens_only` is what the tokenizer
alone needs to count the finished segments once, which nobody can go below. Sentences come from ../shared/data, or from
examples/ where that is absent.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path

import py3langid
import sentencex

from indexer.segment import Segmenter
from labse_search.encoder import Tokenizer, default_model, load_tokenizer
from labse_search.languages.identify import LanguageIdentifier
from labse_search.records import Extraction, Unit

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data" / "dev"
LANGUAGES = ("de", "ru", "ar", "hi", "th", "zh", "ja")
ALL_LANGUAGES = (
    "af ar az be bg bn ca cs da de el en eo es et eu fa fi fr gl he hi hr hu hy id is it ja ka kk ko lt lv mk ml mr ms "
    "nb nl pl pt ro ru sk sl sq sr sv sw ta te th tl tr uk ur vi zh"
).split()
LAYOUTS: dict[str, Callable[[Sequence[str]], tuple[str, ...]]] = {
    "lines": lambda sentences: ("\n".join(sentences),),
    "paragraphs": lambda sentences: ("\n\n".join(" ".join(sentences[i : i + 8]) for i in range(0, len(sentences), 8)),),
    "one line": lambda sentences: (" ".join(sentences),),
    "rows": lambda sentences: tuple(sentences),
}
ROUNDS = 3  # the fastest counts: other processes only ever slow one down


@dataclass(frozen=True)
class Row:
    language: str
    layout: str
    characters: int
    segments: int
    mean_tokens: float
    seconds: float
    characters_per_second: float
    segments_per_second: float
    tokens_only_seconds: float
    plain_seconds: float
    times_faster: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="folder or name whose tokenizer is used (default: the app's)")
    parser.add_argument("--characters", type=int, default=1_000_000, help="length of each document")
    parser.add_argument("--languages", nargs="+", default=list(LANGUAGES))
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = load_tokenizer(arguments.model or default_model())
    segmenter = Segmenter(tokenizer, LanguageIdentifier(ALL_LANGUAGES))
    py3langid.set_languages([code for code in ALL_LANGUAGES if code != "nb"] + ["no"])
    segmenter.split(Extraction((Unit("This loads the model of the language identifier."),), "text"))
    rows = [
        measure(segmenter, tokenizer, language, layout, arguments.characters)
        for language in arguments.languages
        for layout in LAYOUTS
    ]
    total = sum(row.characters for row in rows)
    summary = {
        "characters_per_second": round(total / sum(row.seconds for row in rows)),
        "segments_per_second": round(sum(row.segments for row in rows) / sum(row.seconds for row in rows)),
        "tokens_only_share": round(sum(r.tokens_only_seconds for r in rows) / sum(r.seconds for r in rows), 2),
        "times_faster_than_plain": round(sum(r.plain_seconds for r in rows) / sum(r.seconds for r in rows), 2),
    }
    if arguments.json:
        json.dump({"rows": [asdict(row) for row in rows], **summary}, sys.stdout)
        print()
        return
    print(
        f"{'':2} {'layout':10} {'Mchar/s':>8} {'segments/s':>11} {'tokens':>7} {'floor s':>8} {'s':>6} {'plain s':>8}"
    )
    for row in rows:
        print(
            f"{row.language:2} {row.layout:10} {row.characters_per_second / 1e6:8.2f} {row.segments_per_second:11,.0f} "
            f"{row.mean_tokens:7.0f} {row.tokens_only_seconds:8.2f} {row.seconds:6.2f} {row.plain_seconds:8.2f}"
        )
    print(json.dumps(summary))


def measure(segmenter: Segmenter, tokenizer: Tokenizer, language: str, layout: str, characters: int) -> Row:
    found = real_sentences(language)
    count = max(1, characters * len(found) // sum(map(len, found)))
    extraction = Extraction(
        tuple(Unit(text) for text in LAYOUTS[layout](list(islice(cycle(found), count)))), kind="text"
    )
    split = segmenter.split(extraction)
    texts = [segment.text for segment in split.segments]
    seconds = fastest(lambda: segmenter.split(extraction))
    length = len(extraction.text)
    plain = fastest(lambda: plain_way(extraction, tokenizer, language))
    return Row(
        language=language,
        layout=layout,
        characters=length,
        segments=len(texts),
        mean_tokens=sum(tokenizer.count(texts)) / len(texts),
        seconds=seconds,
        characters_per_second=length / seconds,
        segments_per_second=len(texts) / seconds,
        tokens_only_seconds=fastest(lambda: tokenizer.count(texts)),
        plain_seconds=plain,
        times_faster=plain / seconds,
    )


def plain_way(extraction: Extraction, tokenizer: Tokenizer, language: str, target: int = 96) -> list[str]:
    """Sentences counted one by one, packed while the counts add up to the target; each segment counted again and its
    language identified. It is told the document's language, cuts no long sentence, and keeps neither offsets nor a
    ledger."""
    segments = []
    for unit in extraction.units:
        held, tokens = "", 0
        for sentence in sentencex.segment(language, unit.text):
            count = tokenizer.count([sentence])[0]
            if held and tokens + count > target:
                segments.append(held)
                held, tokens = "", 0
            held, tokens = held + sentence, tokens + count
        segments.append(held)
    for text in segments:
        tokenizer.count([text])
        py3langid.classify(text)
    return segments


def real_sentences(language: str) -> list[str]:
    path = DATA / f"dev.en-{language}.tsv.xz"
    if path.is_file():
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            return [line.rstrip("\n").split("\t")[3] for line in lines]
    return [line for path in sorted((ROOT / "examples").rglob("*.txt")) for line in path.read_text("utf-8").split("\n")]


def fastest(run: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
