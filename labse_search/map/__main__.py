"""A collection as a map of its passages: what is about the same thing lies together, whatever its language.

  python -m labse_search.map make
  python -m labse_search.map topics
  python -m labse_search.map write map.html

make computes the map, or adds what came since to the one that is there (--anew: everything anew). topics lists its
groups with the words that tell them apart. write gives the map away, with the passages' texts: .json, .csv or .html.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.library import JobRow, Library
from labse_search.map.file import PassageMap, find_changes, load_map
from labse_search.map.written import KINDS, map_rows, write_map
from labse_search.settings import Settings, write_privately
from labse_search.store import open_store


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 1 the job ended early, 2 something a person can mend."""
    write_privately()
    options = parse(arguments)
    settings = Settings.from_env(os.environ)
    settings = settings.with_arguments(store=options.store, collection=options.collection, model=None)
    try:
        return int(options.run(settings, options))
    except (UserError, OSError) as error:  # the file to be written, or the disk
        print(f"error: {told(error)}", file=sys.stderr)
        return 2


def make(settings: Settings, options: argparse.Namespace) -> int:
    """The command that computes the map. 0, or 1 if the job ended early."""
    from indexer.worker import do_or_follow
    from labse_search.map.job import add_map_job

    library = Library(settings.home)
    with closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store:
        job = add_map_job(library, store, settings.collection, anew=options.anew)
    before = [""]

    def report(row: JobRow) -> None:
        if row.current not in ("", before[0]):
            before[0] = row.current
            print(row.current, file=sys.stderr)

    row = do_or_follow(library, settings, job, report=report)
    if row.error:
        print(f"error: {row.error}", file=sys.stderr)
    if row.state != "done":
        return 1
    known = _known(settings)
    print(f"{len(known):,} passages in {len(known.topics)} topics; see: python -m labse_search.map topics")
    return 0


def topics(settings: Settings, options: argparse.Namespace) -> int:
    """The command that lists the groups of the map, the largest first."""
    known = _known(settings)
    for topic in known.topics:
        words = "; ".join(f"{language}: {', '.join(terms)}" for language, terms in topic.terms)
        print(f"{topic.size:7,}  {words}")
    changes = find_changes(Library(settings.home), known)
    if changes.any:
        print(f"{changes.added:,} passages came since, {changes.gone:,} went: python -m labse_search.map make")
    return 0


def write(settings: Settings, options: argparse.Namespace) -> int:
    """The command that writes the map with its texts."""
    if options.file.suffix not in KINDS:
        raise UserError(f"{options.file}: the name must end in {', '.join(KINDS)}.")
    with closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store:
        rows = map_rows(store, _known(settings))
    write_map(options.file, rows, settings.collection)
    print(f"{len(rows):,} passages: {options.file}")
    return 0


def _known(settings: Settings) -> PassageMap:
    known = load_map(settings.home, settings.collection)
    if known is None:
        raise UserError(
            f"Collection {settings.collection!r} has no map yet. Compute it: python -m labse_search.map make "
            f"--collection {settings.collection}"
        )
    return known


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.map",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    common.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    tasks = parser.add_subparsers(dest="task", required=True)
    one = tasks.add_parser("make", parents=[common], help="compute the map, or add what came since")
    one.set_defaults(run=make)
    one.add_argument("--anew", action="store_true", help="everything, also where a map is there")
    tasks.add_parser("topics", parents=[common], help="its groups and their words").set_defaults(run=topics)
    one = tasks.add_parser("write", parents=[common], help="the map with its texts, as .json, .csv or .html")
    one.set_defaults(run=write)
    one.add_argument("file", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
