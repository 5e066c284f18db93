"""python -m labse_search.search "question" : the passages that answer it, in any language."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labse_search.errors import CollectionMissing, UserError
from labse_search.places import describe_place, language_name
from labse_search.records import UNKNOWN_LANGUAGE, Filter, Hit, StoredSegment
from labse_search.search import Answer, Searcher
from labse_search.settings import Settings

if TYPE_CHECKING:
    from indexer.language import LanguageIdentifier
    from labse_search.encoder import Encoder
    from labse_search.store import Store

EXAMPLE = "example: python -m labse_search.search 'Where can I buy bread at night?' --limit 3 --language de,ja"


def main() -> int:
    arguments = _parser().parse_args()
    try:
        answer = _search(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps([hit_value(hit) for hit in answer.hits], ensure_ascii=False, indent=2))
    else:
        _print(answer)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labse_search.search", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("question", help="a question, a sentence or a paragraph, in any language")
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    parser.add_argument("--model", metavar="NAME|PATH", help="default: the model the collection was made with")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of the encoder (default: auto)")
    parser.add_argument("--limit", type=_limit, default=10, metavar="N", help="how many documents at most")
    parser.add_argument("--mode", choices=("meaning", "words", "both"), default="both", help="default: both")
    parser.add_argument("--language", metavar="de,ja", help="only passages in these languages")
    parser.add_argument("--other-languages", action="store_true", help="only in other languages than the question")
    parser.add_argument("--kind", metavar="pdf,md", help="only these file types")
    parser.add_argument("--folder", metavar="NAME", help="only documents below this folder of the collection")
    parser.add_argument("--added-after", type=_date, metavar="YYYY-MM-DD", help="only documents added since then")
    parser.add_argument("--flat", action="store_true", help="every passage on its own, documents not grouped")
    parser.add_argument(
        "--json", action="store_true", help="print a JSON list in the order of rank; score is the cosine"
    )
    return parser


def _limit(text: str) -> int:
    if not 1 <= int(text) <= 1000:
        raise ValueError
    return int(text)


def _date(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%d").timestamp()


def _search(arguments: argparse.Namespace) -> Answer:
    settings = Settings.from_env(os.environ).with_arguments(
        store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
    )
    where = Filter(
        languages=_split(arguments.language),
        kinds=_split(arguments.kind),
        folders=(arguments.folder.strip("/"),) if arguments.folder else (),
        added_after=arguments.added_after,
    )
    searcher = open_searcher(settings)
    try:
        return searcher.search(
            arguments.question,
            mode=arguments.mode,
            limit=arguments.limit,
            where=where,
            other_languages_only=arguments.other_languages,
            group=not arguments.flat,
        )
    finally:
        searcher.store.close()


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
    encoder = load_encoder(settings.model or info.spec.model, precision=settings.precision)
    return make_searcher(store, encoder, settings.collection, settings.home)


def make_searcher(store: Store, encoder: Encoder, collection: str, home: Path) -> Searcher:
    """A searcher whose questions go before whoever encodes in bulk in the same home."""
    from labse_search.encoder.turns import Turns

    turns = Turns(home / "locks" / "questions.lock")
    identify = question_identifier(encoder.languages)
    return Searcher(store, encoder, collection, identify=identify, go_first=turns.query)


def question_identifier(languages: tuple[str, ...]) -> Callable[[str], str]:
    """Names the language of a question, loading what that takes (a third of a second) at the first one."""

    @functools.cache
    def identifier() -> LanguageIdentifier:
        from indexer.language import LanguageIdentifier

        return LanguageIdentifier(languages)

    return lambda text: identifier().identify_question(text) or UNKNOWN_LANGUAGE


def hit_value(hit: Hit) -> dict[str, Any]:
    """A hit as JSON: what a program needs, with code-point offsets into the document's text. `rank` is the order;
    `score` is the cosine, one of the things that the order is made of, so it need not fall from rank to rank."""
    return {
        "rank": hit.rank,
        "score": round(hit.score, 4),
        **_segment_value(hit.stored),
        "neighbours": [_segment_value(one) for one in hit.neighbours],
        "copies": [{"document": name} for copy in hit.copies for name in copy.names],
        "more_in_document": [
            {"score": round(found.score, 4), **_segment_value(found.stored)} for found in hit.more_in_document
        ],
    }


def _segment_value(stored: StoredSegment) -> dict[str, Any]:
    segment = stored.segment
    return {
        "text": segment.text,
        "language": segment.language,
        "document": stored.names[0] if stored.names else stored.document,
        "document_id": stored.document,
        "place": dict(segment.place),
        "start": segment.start,
        "end": segment.end,
    }


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in (text or "").split(",") if part.strip())


def _print(answer: Answer) -> None:
    if not answer.good:
        print("No passage is close enough." + (" The nearest ones:" if answer.hits else ""))
    for hit, strength in zip(answer.hits, answer.strengths, strict=True):
        stored = hit.stored
        place = describe_place(stored.segment.place)
        name = stored.names[0] if stored.names else stored.document
        head = f"{hit.rank}. {name}" + (f" · {place}" if place else "")
        print(f"\n{head} · {language_name(stored.segment.language)} · {strength} ({hit.score:.2f})")
        print("   " + " ".join(stored.segment.text.split()))
    print(f"\n{len(answer.hits)} of {answer.segments} passages in {answer.seconds * 1000:.0f} ms", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
