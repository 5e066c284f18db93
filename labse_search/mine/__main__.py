"""Mine translations from two monolingual corpora.

  python -m labse_search.mine german.txt english.txt --output pairs.tsv
  python -m labse_search.mine --collection documents --languages de,en --output pairs.tsv
  python -m labse_search.mine --collection documents --output memory.tmx
  python -m labse_search.mine fr-en.training.fr fr-en.training.en --bucc --gold fr-en.training.gold --output found.tsv

The output is what fine-tuning reads: source TAB target TAB score, best first. Of all languages of a collection, or of
three and more, TMX 1.4b too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from labse_search.corpora.bucc import read_gold_ids
from labse_search.corpora.lines import one_line
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.sentences import Corpus, read_corpus
from labse_search.encoder.texts import encode_texts
from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.files import written_aside
from labse_search.languages import canonical
from labse_search.mine.collection import read_collection
from labse_search.mine.filters import FilterRules, drop_reasons, in_language, known_languages
from labse_search.mine.margin import MARGINS, RETRIEVALS, Margins, Mined, margins, retrieve
from labse_search.mine.neighbours import Neighbours, find_neighbours
from labse_search.mine.threshold import (
    CHANCE,
    FALLBACK_THRESHOLDS,
    Quality,
    quality,
    threshold_of,
    tune_threshold,
)
from labse_search.progress import ProgressLine, clock
from labse_search.settings import write_privately
from labse_search.similarity import Vectors

if TYPE_CHECKING:
    from labse_search.store import Store


@dataclass(frozen=True)
class Side:
    """One of the two corpora."""

    corpus: Corpus
    vectors: Vectors


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 2 something a person can mend."""
    write_privately()
    options = parse(arguments)
    try:
        if options.collection and len(options.languages or ()) != 2:
            mine_every_language(options)
        else:
            mine(options)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    return 0


def mine(options: argparse.Namespace) -> None:
    """The command for two corpora: encode, find neighbours, score, filter, cut, write."""
    started = time.monotonic()
    source, target = open_sides(options)
    neighbours = find_neighbours(source.vectors, target.vectors, options.k, progress=ProgressLine("neighbours"))
    scored = margins(neighbours, options.margin)
    if options.candidates:
        write_candidates(options.candidates, source.corpus, target.corpus, neighbours, scored)
    mined = retrieve(neighbours, scored, options.retrieval)
    chance = None
    if options.margin in CHANCE:
        sides = source.vectors, target.vectors
        chance = threshold_of(mined, neighbours, scored, sides, CHANCE[options.margin])
    if not options.keep_junk:
        mined = filtered(mined, source.corpus, target.corpus, options)
    gold = read_gold(options.gold, by_id=options.bucc) if options.gold else None
    is_gold = None if gold is None else mark_gold(mined, source.corpus, target.corpus, gold, by_id=options.bucc)
    threshold = choose_threshold(options, mined, is_gold, len(set(gold or ())), chance)
    kept = mined.above(threshold)
    write_pairs(options.output, kept, source.corpus, target.corpus, as_bucc=options.bucc)
    if is_gold is not None:
        report(quality(is_gold[mined.scores >= threshold], len(set(gold or ()))), tuned=options.threshold is None)
    if options.plot:
        from labse_search.mine.plot import plot_scores

        plot_scores(options.plot, mined.scores, threshold, margin=options.margin, is_gold=is_gold)
    if not len(kept) and threshold == float("inf"):
        print("nothing stands out: chance alone makes as many pairs as good. --threshold keeps them all the same")
    took = clock(time.monotonic() - started)
    sizes = f"{len(source.corpus):,} × {len(target.corpus):,} sentences"
    print(f"{len(kept):,} pairs with a {options.margin} margin of {threshold:.4f} or more from {sizes}", end=" ")
    print(f"in {took}: {options.output}")


def mine_every_language(options: argparse.Namespace) -> None:
    """All pairs of three or more languages of a collection, or of all that it has."""
    from labse_search.corpora.written import write_pairs as write_any
    from labse_search.mine.language_pairs import mine_collection

    started = time.monotonic()
    with closing(open_store_of(options)) as store:
        pairs = mine_collection(
            store, options.collection, options.languages or (), progress=ProgressLine("pairs of languages")
        )
    write_any(options.output, pairs)
    found = Counter(f"{pair.source_language}-{pair.target_language}" for pair in pairs)
    print(", ".join(f"{languages} {count:,}" for languages, count in found.most_common()))
    print(f"{len(pairs):,} pairs in {clock(time.monotonic() - started)}: {options.output}")


def open_store_of(options: argparse.Namespace) -> Store:
    """The store that the flags and the environment name; whoever calls closes it."""
    from labse_search.settings import Settings
    from labse_search.store import open_store

    settings = Settings.from_env(os.environ).with_arguments(store=options.store, collection=None, model=None)
    return open_store(settings.store, home=settings.home, api_key=settings.api_key)


def open_sides(options: argparse.Namespace) -> tuple[Side, Side]:
    """Both corpora with their vectors, from files or from a collection."""
    if options.collection:
        with closing(open_store_of(options)) as store:
            sides = [Side(*read_collection(store, options.collection, language)) for language in options.languages]
        for language, side in zip(options.languages, sides, strict=True):
            print(f"{language}: {len(side.corpus):,} segments, {side.corpus.repeated:,} repeated")
        return sides[0], sides[1]
    return encode_files(options)


def encode_files(options: argparse.Namespace) -> tuple[Side, Side]:
    """Both files as corpora with vectors; lines that are surely in another language are left out."""
    from labse_search.encoder import default_model, load_encoder

    corpora = []
    for path, language in zip((options.source, options.target), options.languages or (None, None), strict=True):
        repeated = "drop" if options.bucc else "first"
        corpus = read_corpus(path, with_ids=options.bucc, repeated=repeated)  # type: ignore[arg-type]
        line = f"{path}: {corpus.lines:,} lines, {corpus.repeated:,} repeated"
        if language:
            may = in_language(corpus.texts, language)
            corpus = corpus.keep([row for row, good in enumerate(may) if good])
            line += f", {may.count(False):,} surely not in {language!r}"
        print(line)
        if not len(corpus):
            raise UserError(f"{path} holds no sentences to mine from")
        corpora.append(corpus)
    encoder = load_encoder(options.model or default_model())
    source, target = (
        Side(corpus, encode_texts(encoder, corpus.texts, progress=ProgressLine(f"encode {path.name}")))
        for path, corpus in zip((options.source, options.target), corpora, strict=True)
    )
    return source, target


def filtered(mined: Mined, source: Corpus, target: Corpus, options: argparse.Namespace) -> Mined:
    """The pairs that no filter drops; says how many were dropped and why."""
    rules = FilterRules(max_length_ratio=options.max_length_ratio, max_score=options.max_score)
    sources = [source.texts[row] for row in mined.source]
    targets = [target.texts[row] for row in mined.target]
    reasons = drop_reasons(sources, targets, mined.scores.tolist(), rules)
    dropped = Counter(reason for reason in reasons if reason)
    if dropped:
        parts = ", ".join(f"{reason} {count:,}" for reason, count in dropped.most_common())
        print(f"dropped before the threshold: {parts} (--keep-junk keeps them)")
    return mined.keep(np.array([not reason for reason in reasons], dtype=bool))


def read_gold(path: Path, *, by_id: bool) -> list[tuple[str, str]]:
    """The known pairs: of ids, or of texts in any form that pairs come in."""
    if by_id:
        return read_gold_ids(path)
    return [(pair.source.strip(), pair.target.strip()) for pair in read_pairs(str(path), say=print)]


def mark_gold(
    mined: Mined, source: Corpus, target: Corpus, gold: Sequence[tuple[str, str]], *, by_id: bool
) -> NDArray[np.bool_]:
    """(n,): whether each mined pair is a gold pair."""
    known = set(gold)
    sources, targets = (source.ids, target.ids) if by_id else (source.texts, target.texts)
    pairs = zip(mined.source.tolist(), mined.target.tolist(), strict=True)
    return np.array([(sources[s], targets[t]) in known for s, t in pairs], dtype=bool)


def choose_threshold(
    options: argparse.Namespace, mined: Mined, is_gold: NDArray[np.bool_] | None, gold: int, chance: float | None
) -> float:
    """By hand, else tuned on gold pairs, else what chance hardly reaches."""
    if options.threshold is not None:
        return float(options.threshold)
    if is_gold is None:
        return FALLBACK_THRESHOLDS[options.margin] if chance is None else chance
    tuned = tune_threshold(mined.scores, is_gold, gold)
    if not tuned.quality.correct:
        raise UserError(
            f"None of the {gold:,} gold pairs is among the {len(mined):,} mined ones: does {options.gold} belong to "
            f"these corpora, and are its columns in the same order?"
        )
    return tuned.threshold


def report(found: Quality, *, tuned: bool) -> None:
    """Precision, recall and F1, and whether they can be believed."""
    where = " (on the pairs the threshold was tuned on: measure on others before you publish it)" if tuned else ""
    print(f"{found}{where}")


def write_pairs(path: Path, mined: Mined, source: Corpus, target: Corpus, *, as_bucc: bool) -> None:
    """source TAB target TAB score, or id TAB id as BUCC wants it."""
    with written_aside(path) as lines:
        for s, t, score in zip(mined.source.tolist(), mined.target.tolist(), mined.scores.tolist(), strict=True):
            if as_bucc:
                lines.write(f"{source.ids[s]}\t{target.ids[t]}\n")
            else:
                lines.write(f"{one_line(source.texts[s])}\t{one_line(target.texts[t])}\t{score:.6f}\n")


def write_candidates(path: Path, source: Corpus, target: Corpus, neighbours: Neighbours, scored: Margins) -> None:
    """All k candidates of every sentence in both directions, before retrieval, filters and threshold."""
    with written_aside(path) as lines:
        lines.write("direction\trank\tmargin\tcosine\tsource_id\ttarget_id\tsource\ttarget\n")
        for direction, nearest, scores in (
            ("forward", neighbours.forward, scored.forward),
            ("backward", neighbours.backward, scored.backward),
        ):
            for row, (indices, cosines) in enumerate(zip(nearest.indices, nearest.similarities, strict=True)):
                for place, (index, cosine) in enumerate(zip(indices.tolist(), cosines.tolist(), strict=True)):
                    s, t = (row, index) if direction == "forward" else (index, row)
                    texts = (
                        f"{source.ids[s]}\t{target.ids[t]}\t{one_line(source.texts[s])}\t{one_line(target.texts[t])}"
                    )
                    lines.write(f"{direction}\t{place + 1}\t{scores[row, place]:.6f}\t{cosine:.6f}\t{texts}\n")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.mine", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, nargs="?", help="one sentence a line, UTF-8; .gz and .xz too")
    parser.add_argument("target", type=Path, nargs="?")
    parser.add_argument("--output", type=Path, required=True, help="where the pairs go")
    parser.add_argument("--collection", help="mine from an indexed collection instead of files: two languages, or all")
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument(
        "--languages",
        type=lambda text: tuple(text.split(",")),
        help="two ISO 639-1 codes, source first: of the collection, or what the files should be in (lines that are "
        "surely in another language are dropped)",
    )
    parser.add_argument("--model", help="folder or hub name; default: labse-mini")
    parser.add_argument("--margin", choices=MARGINS, default="ratio")
    parser.add_argument("--retrieval", choices=RETRIEVALS, default="max")
    parser.add_argument("--k", type=int, default=4, help="neighbours a margin looks at (default 4, as in the paper)")
    parser.add_argument("--threshold", type=float, help="lowest score that is kept; default: tuned on --gold, "
                        "else where a hundredth of the pairs may be chance")  # fmt: skip
    parser.add_argument("--gold", type=Path, help="known pairs (a file of pairs, or id TAB id with --bucc): tunes the "
                        "threshold unless one is given, and prints precision, recall and F1")  # fmt: skip
    parser.add_argument("--bucc", action="store_true", help="BUCC 2018 format: id TAB sentence in, id TAB id out")
    parser.add_argument("--candidates", type=Path, help="also write all k candidates of every sentence here")
    parser.add_argument("--plot", type=Path, help="PNG with the histogram of scores and the threshold")
    parser.add_argument("--keep-junk", action="store_true", help="keep copies, other numbers and odd lengths")
    parser.add_argument("--max-length-ratio", type=float, default=3.0, help="against the usual ratio; 0: any")
    parser.add_argument("--max-score", type=float, default=float("inf"), help="drop what scores higher: often junk")
    options = parser.parse_args(arguments)
    check(parser, options)
    return options


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """What argparse cannot check by itself; wrong flags end the process with status 2."""
    if options.collection and (options.source or options.bucc):
        parser.error("give either two files or --collection, and --bucc only with files")

    def refuse(names: str, why: str) -> None:
        """What would be ignored, where it is not as it is by itself."""
        given = [name for name in names.split() if getattr(options, name) != parser.get_default(name)]
        if given:
            parser.error(f"{', '.join('--' + name.replace('_', '-') for name in given)}: {why}")

    if options.collection and len(options.languages or ()) != 2:
        refuse(
            "threshold gold candidates plot keep_junk k margin retrieval max_length_ratio max_score",
            "only with two --languages",
        )
    if options.collection:
        refuse("model", "a collection has its vectors already, of its own model")
    else:
        refuse("store", "only with --collection")
    if options.keep_junk:
        refuse("max_length_ratio max_score", "not with --keep-junk, which drops nothing")
    if not options.collection and not (options.source and options.target):
        parser.error("give two files, or --collection NAME")
    if options.languages and len(options.languages) != 2 and not (options.collection and len(options.languages) > 2):
        parser.error(f"--languages takes two codes, got {','.join(options.languages)!r}")
    if options.languages and not options.collection:
        known = known_languages()
        unknown = sorted(code for code in options.languages if canonical(code) not in known)
        if unknown:
            parser.error(f"--languages: {unknown} cannot be told apart; leave --languages out")
    if options.k < 1:
        parser.error(f"--k is {options.k}, expected at least 1")


if __name__ == "__main__":
    sys.exit(main())
