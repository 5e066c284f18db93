"""Align two translations of one text, sentence by sentence.

  python -m labse_search.align book.de.epub book.en.epub --output pairs.tsv
  python -m labse_search.align german.txt english.txt --lines --output memory.tmx
  python -m labse_search.align --collection documents --translations
  python -m labse_search.align --collection documents letter.de.docx letter.en.docx --output pairs.tsv

Any format that can be indexed is read; --lines takes every line of a text file as a sentence. The output is what
fine-tuning reads: source TAB target TAB score in the order of the text, or TMX 1.4b.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from labse_search.align.documents import Alignment, align_documents, align_segments
from labse_search.align.translations import find_translations
from labse_search.corpora.written import write_pairs
from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.progress import ProgressLine, clock
from labse_search.records import UNKNOWN_LANGUAGE, Pair, Segment
from labse_search.settings import Settings, write_privately

if TYPE_CHECKING:
    from labse_search.encoder import Encoder
    from labse_search.store import Store


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 written, 2 something a person can mend."""
    write_privately()
    options = parse(arguments)
    try:
        if options.translations:
            list_translations(options)
        else:
            align(options)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    return 0


def align(options: argparse.Namespace) -> None:
    """The command for two documents."""
    from labse_search.encoder import default_model, load_encoder

    started = time.monotonic()
    settings = settings_of(options)
    if options.collection:
        with closing(open_store_of(settings)) as store:
            encoder = load_encoder(settings.model_for(store.info(options.collection).spec.model))
            aligned = align_stored(encoder, store, settings, options)
    else:
        encoder = load_encoder(settings.model or default_model())
        sides = [read_lines_of(path) if options.lines else read_file(path, encoder) for path in options.documents]
        aligned = align_segments(encoder, sides[0], sides[1], progress=ProgressLine("encode"))
    pairs = [pair for pair in aligned.pairs() if pair.score >= options.threshold]
    write_pairs(options.output, with_alone(aligned, pairs) if options.alone else pairs)
    one_to_one = sum(len(bead.source) == len(bead.target) == 1 for bead in aligned.beads)
    alone = aligned.alone()
    sizes = f"{len(aligned.source):,} and {len(aligned.target):,} sentences"
    print(f"{sizes}: {len(pairs):,} pairs written, {one_to_one:,} sentences stand one to one,", end=" ")
    print(f"{alone[0]:,} only in the first text and {alone[1]:,} only in the second;", end=" ")
    print(f"{clock(time.monotonic() - started)}: {options.output}")


def list_translations(options: argparse.Namespace) -> None:
    """The command that finds which documents of a collection are translations of each other."""
    settings = settings_of(options)
    with closing(open_store_of(settings)) as store:
        found = find_translations(store, settings.collection)
        names = document_names(settings)
    for one in found:
        print(f"{one.share:.0%}\t{names.get(one.source, one.source)}\t{names.get(one.target, one.target)}")
    print(f"{len(found):,} pairs of documents are translations of each other", file=sys.stderr)


def align_stored(encoder: Encoder, store: Store, settings: Settings, options: argparse.Namespace) -> Alignment:
    """Two documents of a collection, by name or by id."""
    by_name = {name: document for document, name in document_names(settings).items()}
    source, target = (by_name.get(str(name), str(name)) for name in options.documents)
    return align_documents(encoder, store, settings.collection, (source, target), progress=ProgressLine("encode"))


def document_names(settings: Settings) -> dict[str, str]:
    """Id → name of every document of the collection."""
    from labse_search.library import Library

    with closing(Library(settings.home)) as library:
        return {row.document: row.names[0] for row in library.documents(settings.collection) if row.names}


def read_file(path: Path, encoder: Encoder) -> Sequence[Segment]:
    """The segments of a file, read as the indexer reads it."""
    from indexer.sandbox import ReaderPool

    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    with ReaderPool(1, model=encoder.model, languages=encoder.languages) as pool:
        _, split = pool.submit(path, path.name).result()
    return split.segments


def read_lines_of(path: Path) -> Sequence[Segment]:
    """Every line that is not empty as a sentence; nobody asks what language it is in."""
    from labse_search.corpora.lines import read_lines

    lines = [line.strip() for line in read_lines(path) if line.strip()]
    if not lines:
        raise UserError(f"{path} holds no lines with text.")
    return [Segment(at, 0, len(line), line, UNKNOWN_LANGUAGE, {}) for at, line in enumerate(lines)]


def with_alone(aligned: Alignment, pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, and after them what stands on one side only, the other side empty."""
    found = list(pairs)
    for bead in aligned.beads:
        if not bead.target:
            found += [Pair(aligned.source[number].text, "", 0.0) for number in bead.source]
        elif not bead.source:
            found += [Pair("", aligned.target[number].text, 0.0) for number in bead.target]
    return found


def settings_of(options: argparse.Namespace) -> Settings:
    """Of the environment, with the flags before it."""
    settings = Settings.from_env(os.environ)
    return settings.with_arguments(store=options.store, collection=options.collection, model=options.model)


def open_store_of(settings: Settings) -> Store:
    """The store of these settings; whoever calls closes it."""
    from labse_search.store import open_store

    return open_store(settings.store, home=settings.home, api_key=settings.api_key)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.align", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("documents", type=Path, nargs="*", metavar="A B", help="two files, or with --collection two "
                        "names of documents")  # fmt: skip
    parser.add_argument("--output", type=Path, help="where the pairs go: .tmx, else TSV")
    parser.add_argument("--lines", action="store_true", help="every line is a sentence")
    parser.add_argument("--threshold", type=float, default=float("-inf"), metavar="SCORE",
                        help="lowest score to write; most translations have 0.2 to 0.6; default: all")  # fmt: skip
    parser.add_argument("--alone", action="store_true", help="also write what stands on one side only, after the "
                        "pairs, with the other side empty")  # fmt: skip
    parser.add_argument("--collection", help="align documents of this collection")
    parser.add_argument("--translations", action="store_true", help="list the documents of the collection that are "
                        "translations of each other")  # fmt: skip
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--model", help="folder or hub name; default: labse-mini; with --collection the collection's")
    options = parser.parse_args(arguments)
    if options.translations and not options.collection:
        parser.error("--translations needs --collection")
    if not options.translations and (len(options.documents) != 2 or not options.output):
        parser.error("give two documents and --output")
    if options.lines and options.collection:
        parser.error("--lines is for files, not for --collection")
    return options


if __name__ == "__main__":
    sys.exit(main())
