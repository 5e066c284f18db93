"""python -m labse_search.search "question" : the passages that answer it, in any language."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from labse_search.errors import CollectionMissing, UserError, quiet_when_unread, told
from labse_search.files import written_aside
from labse_search.languages import language_name
from labse_search.naming import generation_name
from labse_search.places import describe_place
from labse_search.records import Filter
from labse_search.search import Answer, Searcher
from labse_search.search.batch import answer_all, read_questions
from labse_search.search.opening import make_searcher
from labse_search.search.rows import Row, csv_text
from labse_search.search.steer import Steer, read_question_steer, read_steer
from labse_search.search.values import hit_value
from labse_search.settings import Settings, write_privately

EXAMPLE = "example: python -m labse_search.search 'Where can I buy bread at night?' --limit 3 --language de,ja"


@quiet_when_unread
def main() -> int:
    """Exit status: 0 with or without hits, 2 something a person can mend."""
    write_privately()
    arguments = _parser().parse_args()
    try:
        answer = _search(arguments)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    if answer is None:
        return 0
    for note in answer.notes:
        print(f"note: {note}", file=sys.stderr)
    if arguments.json:
        print(json.dumps([hit_value(hit) for hit in answer.hits], ensure_ascii=False, indent=2))
    else:
        _print(answer)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labse_search.search", description=__doc__, epilog=EXAMPLE)
    parser.add_argument(
        "question",
        nargs="?",
        help='a question, sentence or paragraph, in any language; "quoted phrases" must stand there, -words must not',
    )
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the model the collection was made with")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of the encoder (default: auto)")
    parser.add_argument("--limit", type=_limit, default=10, metavar="N", help="how many documents at most")
    parser.add_argument("--mode", choices=("meaning", "words", "both"), default="both", help="default: both")
    parser.add_argument(
        "--intent",
        choices=("about", "translation"),
        default="about",
        help="what answers the question, or what says the same in other languages (default: about)",
    )
    parser.add_argument("--language", metavar="de,ja", help="only passages in these languages, by code or by name")
    parser.add_argument("--other-languages", action="store_true", help="only in other languages than the question")
    parser.add_argument("--kind", metavar="pdf,md", help="only these file types")
    parser.add_argument("--folder", metavar="NAME", help="only documents below this folder of the collection")
    parser.add_argument("--added-after", type=_date, metavar="YYYY-MM-DD", help="only documents added since then")
    passage = "DOCUMENT_ID.INDEX[:WEIGHT]"
    parser.add_argument(
        "--more",
        action="append",
        default=[],
        metavar=passage,
        help="more like this passage (weight 0.1 to 2, default 0.5)",
    )
    parser.add_argument("--less", action="append", default=[], metavar=passage, help="less like it (default 0.2)")
    parser.add_argument(
        "--also", action="append", default=[], metavar="QUESTION[::WEIGHT]", help="another question at the same time"
    )
    parser.add_argument(
        "--batch", type=Path, metavar="FILE", help="answer the questions of a CSV, TSV or text file, one a row"
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="of --batch: a .csv or .json file")
    parser.add_argument("--flat", action="store_true", help="every passage on its own, documents not grouped")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list in the order of rank; score is the cosine"
    )
    return parser


def _limit(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a limit: give a number from 1 to 1000")
    return int(text)


def _date(text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d").timestamp()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day: write it as 2026-01-31") from None


def _search(arguments: argparse.Namespace) -> Answer | None:
    """The answer; None where many were written to a file."""
    if (arguments.question is None) == (arguments.batch is None):
        raise UserError("Give either a question or --batch FILE.")
    if (arguments.batch is None) != (arguments.output is None):
        raise UserError("--batch and --output go together.")
    if arguments.output and arguments.output.suffix.lower() not in (".csv", ".json"):
        raise UserError(f"{arguments.output}: write to a file that ends in .csv or .json.")
    questions = read_questions(arguments.batch) if arguments.batch else []
    settings = Settings.from_env(os.environ).with_arguments(
        store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
    )
    where = Filter(
        languages=_split(arguments.language),
        kinds=_split(arguments.kind),
        folders=(arguments.folder,) if arguments.folder else (),
        added_after=arguments.added_after,
    )
    how: dict[str, Any] = {
        "mode": arguments.mode,
        "intent": arguments.intent,
        "where": where,
        "other_languages_only": arguments.other_languages,
        "group": not arguments.flat,
        "steers": _steers(arguments),
    }
    searcher = open_searcher(settings)
    try:
        if arguments.question is not None:
            return searcher.search(arguments.question, limit=arguments.limit, **how)
        rows = answer_all(searcher, questions, arguments.limit, told=_progress(len(questions)), **how)
    finally:
        searcher.store.close()
    _write(rows, arguments.output)
    print(f"{len(questions):,} questions answered in {len(rows):,} rows: {arguments.output}", file=sys.stderr)
    return None


def _progress(total: int) -> Callable[[int], None]:
    """A line that counts, where somebody looks on."""
    if not sys.stderr.isatty():
        return lambda done: None
    return lambda done: print(f"\r{done:,} of {total:,}", end="\n" if done == total else "", file=sys.stderr)


def _write(rows: Sequence[Row], output: Path) -> None:
    with written_aside(output) as lines:
        if output.suffix.lower() == ".json":
            json.dump(rows, lines, ensure_ascii=False, indent=1)
        else:
            lines.write(csv_text(rows))


def _steers(arguments: argparse.Namespace) -> tuple[Steer, ...]:
    passages = [
        read_steer(one, sign=sign) for sign, given in ((1, arguments.more), (-1, arguments.less)) for one in given
    ]
    return (*passages, *map(read_question_steer, arguments.also))


def open_searcher(settings: Settings) -> Searcher:
    """A searcher on the settings' collection, with the model it was made with unless the settings name another."""
    from labse_search.encoder import load_encoder
    from labse_search.store import open_store

    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    try:
        info = store.info(settings.collection)
    except CollectionMissing as error:
        store.close()
        raise CollectionMissing(f"{error} Index something first: python -m indexer PATH") from None
    encoder = load_encoder(settings.model_for(info.spec.model), precision=settings.precision)
    name = generation_name(settings.collection, info.generation)
    return make_searcher(store, encoder, name, settings.home, tell=lambda line: print(line, file=sys.stderr))


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _print(answer: Answer) -> None:
    if not answer.hits:
        print("No passage fits. Try other words, search by meaning, or remove a filter.")
    elif not answer.good:
        print("No passage is close enough. The nearest ones:")
    for hit, strength in zip(answer.hits, answer.strengths, strict=True):
        stored = hit.stored
        place = describe_place(stored.segment.place)
        name = stored.names[0] if stored.names else stored.document
        head = f"{hit.rank}. {name}" + (f" · {place}" if place else "")
        print(f"\n{head} · {language_name(stored.segment.language)} · {strength} ({hit.probability:.0%})")
        print("   " + " ".join(stored.segment.text.split()))
        if hit.translations:
            also = [f"{language_name(one.segment.language)} ({one.names[0]})" for one in hit.translations]
            print("   also in " + ", ".join(also))
    print(f"\n{len(answer.hits)} of {answer.segments} passages in {answer.seconds * 1000:.0f} ms", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
