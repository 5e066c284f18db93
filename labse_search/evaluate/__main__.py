"""Evaluate models: translations, mined pairs, retrieval.

  python -m labse_search.evaluate tatoeba ../shared/data/test/tatoeba --model labse_search/models/labse-mini
  python -m labse_search.evaluate retrieval ../shared/data/test/xquad_r --model A --model B --bm25 --plot plots
  python -m labse_search.evaluate judgements --model labse_search/models/labse-mini --model runs/mine
  python -m labse_search.evaluate pairs my-pairs.tsv more-pairs/ --json
  python -m labse_search.evaluate bucc bucc2018/ --model A
  python -m labse_search.evaluate un UNv1.0.en UNv1.0.fr --documents UNv1.0.ids --pools 10000,100000

Several --model give one table with the models side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from labse_search.corpora.aligned import read_aligned_sets, read_tatoeba
from labse_search.corpora.bucc import find_bucc, read_bucc
from labse_search.corpora.lines import PACKINGS
from labse_search.encoder import Encoder, default_model, load_encoder
from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.evaluate import bucc, tatoeba, un
from labse_search.evaluate.aligned import evaluate_pairs
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.evaluate.judgements import POOL, Judged, evaluate_judgements, read_judged, side_by_side
from labse_search.evaluate.rankers import Bm25Ranker, ModelRanker, Ranker
from labse_search.evaluate.read import read_paragraphs, read_retrieval
from labse_search.evaluate.report import Report, Section, render, to_json
from labse_search.evaluate.retrieval import evaluate_retrieval
from labse_search.evaluate.xquad import evaluate_xquad
from labse_search.search.measure import profile_of
from labse_search.settings import Settings, write_privately
from labse_search.store import open_store
from labse_search.teach import Split, Teaching

Measure = Callable[[Encoder], Report]


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 measured, 2 something a person can mend."""
    write_privately()
    options = parse(arguments)
    try:
        measure = options.task(options)  # reads the data: an error in it shows before any model is opened
        models = options.model or [default_model()]
        encoders = [load_encoder(model, precision=options.precision) for model in models]
        reports = [measure(encoder) for encoder in encoders]
        if getattr(options, "as_search", False):
            home = Settings.from_env(os.environ).home
            for encoder in encoders:
                reports.append(rank_task(options)(ModelRanker(EmbeddingCache(encoder), profile_of(encoder, home))))
        if getattr(options, "bm25", False):
            reports.append(rank_task(options)(Bm25Ranker()))
        published = PUBLISHED.get(reports[0].task)
        print_reports(reports, published() if published else None, as_json=options.json)
        if options.plot:
            from labse_search.evaluate.plot import plot_reports

            drawn = plot_reports(options.plot, reports)
            print(f"{len(drawn)} plots in {options.plot}", file=sys.stderr)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    return 0


def note(line: str) -> None:
    """What a reader says of a file."""
    print(line, file=sys.stderr)


PUBLISHED: dict[str, Callable[[], Section]] = {
    "tatoeba": tatoeba.published_section,
    "bucc": bucc.published_section,
}


def print_reports(reports: Sequence[Report], published: Section | None, *, as_json: bool) -> None:
    """Tables, or one JSON object; `published` stands below."""
    if as_json:
        rows: list[dict[str, Any]] = []
        if published:
            rows = [
                {"model": name, **dict(zip(published.columns, row, strict=True))}
                for name, row in published.rows.items()
            ]
            rows.append({"note": published.note})
        print(json.dumps(to_json(reports, rows), ensure_ascii=False, indent=2))
        return
    print(render(reports))
    if reports[0].items:
        print("\n" + side_by_side(reports))
    if published:
        print("\n" + render([Report("published", "", (published,))]).rstrip(": \n"))


def tatoeba_task(options: argparse.Namespace) -> Measure:
    """Reads the data; what it returns measures an encoder. So do the tasks below."""
    sets = read_tatoeba(options.folder, options.languages)
    return lambda encoder: tatoeba.evaluate_tatoeba(EmbeddingCache(encoder), sets)


def pairs_task(options: argparse.Namespace) -> Measure:
    """Of files of pairs or folders of them."""
    read = [one for path in options.paths for one in read_aligned_sets(path, columns=options.columns, say=note)]
    sets = [one.first(options.limit) for one in read]
    return lambda encoder: evaluate_pairs(EmbeddingCache(encoder), sets)


def bucc_task(options: argparse.Namespace) -> Measure:
    """Of a folder, or of three files."""
    if len(options.paths) == 3:
        sets = [read_bucc(*options.paths)]
    elif len(options.paths) == 1:
        sets = find_bucc(options.paths[0])
    else:
        raise UserError("bucc takes a folder, or three files: source, target, gold")
    return lambda encoder: bucc.evaluate_bucc(encoder, sets, k=options.k)


def un_task(options: argparse.Namespace) -> Measure:
    """Of two line-aligned files, with the documents that their lines belong to."""
    sets = [un.read_un(options.source, options.target, options.documents)]
    return lambda encoder: un.evaluate_un(encoder, sets, pools=options.pools)


def retrieval_task(options: argparse.Namespace) -> Measure:
    """Of BEIR's layout or XQuAD-R, each document by its closest sentence."""
    measure = rank_task(options)
    return lambda encoder: measure(ModelRanker(EmbeddingCache(encoder)))


def judgements_task(options: argparse.Namespace) -> Measure:
    """Of answers that a person judged, looked for among passages of the collection."""
    settings = Settings.from_env(os.environ).with_arguments(
        store=options.store, collection=options.collection, model=None
    )
    split: Split | None = None if options.split == "all" else options.split
    with (
        closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store,
        closing(Teaching(settings.home)) as teaching,
    ):
        judged: Judged = read_judged(teaching, store, settings.collection, split=split, pool=options.pool)
    return lambda encoder: evaluate_judgements(
        EmbeddingCache(encoder), judged, lambda: profile_of(encoder, settings.home)
    )


def rank_task(options: argparse.Namespace) -> Callable[[Ranker], Report]:
    """A BEIR-like folder if it holds a corpus, else paragraphs with questions by language."""
    if any((options.folder / f"corpus.jsonl{ending}").is_file() for ending in PACKINGS):
        judged = read_retrieval(options.folder, options.split)
        language = options.languages[0] if options.languages else "en"
        return lambda ranker: evaluate_retrieval(ranker, judged, language)
    paragraphs = read_paragraphs(options.folder, tuple(options.languages))
    return lambda ranker: evaluate_xquad(ranker, paragraphs)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags; wrong ones end the process with status 2."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--model", action="append", help="folder or hub name; repeat it to compare models")
    common.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    common.add_argument("--json", action="store_true", help="print JSON instead of tables")
    common.add_argument("--plot", type=Path, metavar="DIR", help="also draw every table into this folder")
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    tasks = parser.add_subparsers(required=True, metavar="TASK")

    def task(name: str, run: Callable[[argparse.Namespace], Measure], text: str) -> argparse.ArgumentParser:
        one = tasks.add_parser(name, parents=[common], help=text, description=text)
        one.set_defaults(task=run)
        return one

    codes: dict[str, Any] = {"type": lambda text: tuple(text.split(",")), "default": ()}
    one = task("tatoeba", tatoeba_task, "112 languages against English, with the groups that papers report")
    one.add_argument("folder", type=Path, help="tatoeba.xxx-eng.xxx and .eng, or tatoeba.xxx-eng.tsv[.xz]")
    one.add_argument("--languages", **codes, help="only these, for example de,fra")
    one = task("retrieval", retrieval_task, "documents for queries: BEIR's layout, or XQuAD-R")
    one.add_argument("folder", type=Path, help="corpus.jsonl, queries.jsonl and qrels/, or xx.jsonl[.xz] a language")
    one.add_argument("--languages", **codes, help="XQuAD-R: only these; BEIR: the documents' language (default en)")
    one.add_argument("--split", default="test", help="BEIR: which qrels (default test)")
    one.add_argument("--bm25", action="store_true", help="BM25 beside the models")
    one.add_argument("--as-search", action="store_true", help="each model also as the search asks it, whatever the "
                     "language of a question")  # fmt: skip
    one = task(
        "judgements", judgements_task, "a person's own judged questions, of the half that no model is trained on"
    )
    one.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    one.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    one.add_argument("--split", choices=("verdict", "training", "all"), default="verdict")
    one.add_argument("--pool", type=int, default=POOL, help=f"passages beside the judged ones (default {POOL})")
    one = task("bucc", bucc_task, "mined pairs against gold, by cosine and by margin")
    one.add_argument("paths", type=Path, nargs="+", help="a folder, or source, target and gold files")
    one.add_argument("--k", type=int, default=4)
    one = task("un", un_task, "sentences in one big pool, and documents by their mean vectors")
    one.add_argument("source", type=Path)
    one.add_argument("target", type=Path)
    one.add_argument("--documents", type=Path, help="a line a pair, its first word names the document; default: empty "
                     "lines in both files stand between documents")  # fmt: skip
    one.add_argument("--pools", type=lambda text: [int(size) for size in text.split(",")], default=[],
                     help="smaller pools to measure too, for example 10000,100000")  # fmt: skip
    one = task("pairs", pairs_task, "pairs in any of the formats that fine-tuning reads, or folders of them")
    one.add_argument("paths", nargs="+", metavar="PATH", help="files of pairs (.tsv .csv .jsonl .tmx, packed or not), "
                     "SOURCE,TARGET for two line-aligned files, or folders")  # fmt: skip
    one.add_argument("--columns", **codes, help="the two columns of a table that hold the texts, by name or number")
    one.add_argument("--limit", type=int, help="only the first N pairs of each file")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
