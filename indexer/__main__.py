"""python -m indexer PATH... : add files and folders to a collection, in the foreground, with progress."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.library import JobFile, JobRow, Library, Source
from labse_search.library.log import open_log
from labse_search.settings import Settings, write_privately

EXAMPLE = "example: python -m indexer examples && python -m labse_search.search 'Where can I buy bread at night?'"


@quiet_when_unread
def main() -> int:
    """Exit status: 0 done, 1 the job ended otherwise, 2 something a person can mend, 130 interrupted."""
    write_privately()
    arguments = _parser().parse_args()
    try:
        return _index(arguments)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What was indexed is safe; run the same command again to go on.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m indexer", description=__doc__, epilog=EXAMPLE)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file, or a folder with all below it")
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    parser.add_argument("--model", metavar="NAME|PATH", help="sentence-transformers folder or hub name")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of the encoder (default: auto)")
    parser.add_argument("--processes", type=int, metavar="N", help="encode in N processes, one a GPU (default: 1)")
    parser.add_argument("--remove-missing", action="store_true", help="remove documents whose files are gone")
    parser.add_argument("--yes", action="store_true", help="answer yes where most of a folder is gone: remove it")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    parser.add_argument("--watch", action="store_true", help="stay, and keep in step with the folders until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return parser


def _index(arguments: argparse.Namespace) -> int:
    from indexer.console import print_summary, show, summary
    from indexer.sources import is_folder, walk
    from indexer.worker import do_job, do_or_follow, waiting

    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if int(os.environ.get("RANK", "0")) > 0:
        return 0  # `accelerate launch -m indexer`: the first process starts the others itself, one a device
    if arguments.watch and (arguments.json or arguments.dry_run):
        raise UserError("--watch goes neither with --json nor with --dry-run.")
    settings = Settings.from_env(os.environ).with_arguments(
        store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
    )
    library = Library(settings.home)
    open_log(settings.home)
    paths = _there(arguments, library, settings.collection)
    sources = walk(paths, library, settings.collection)
    if arguments.dry_run:
        return _dry_run(arguments, library, settings, sources)
    model = _model(library, settings)
    progress = (lambda row: None) if arguments.json or not sys.stderr.isatty() else show

    def do(sources: Sequence[Source]) -> tuple[JobRow, list[JobFile]]:
        job = library.add_index_job(settings.collection, model, sources)
        try:
            row = do_or_follow(library, settings, job, report=progress, processes=arguments.processes or launched)
        except KeyboardInterrupt:
            library.ask(job, "cancel")  # where it is done by a worker of the app; here it has ended already
            raise
        return row, library.job_files(job)

    row, files = do(sources)
    removed = 0
    try:
        if arguments.remove_missing and row.state == "done":
            removed = _remove_missing(library, settings, arguments)
    finally:  # what was indexed is told also where nothing may be removed
        if arguments.json:
            print(json.dumps(summary(row, files, removed, library), ensure_ascii=False, indent=2))
        else:
            print_summary(row, files, removed, library)
    for left in waiting(library):  # what a killed process left half done goes on by itself
        if left.state == "running" and left.collection == settings.collection:
            print(f"Going on with an interrupted job: {left.files - left.files_done} files.", file=sys.stderr)
            do_job(library, settings, left, report=progress)
    if arguments.watch and row.state == "done":
        _watch(library, settings, [path for path in paths if is_folder(path)], do)
    return 0 if row.state == "done" else 1


def _there(arguments: argparse.Namespace, library: Library, collection: str) -> list[Path]:
    """The paths; with --remove-missing without those that are gone and from which something was read. UserError if one
    of these is not to be taken for deleted."""
    from indexer.sources import is_gone, missing

    if not arguments.remove_missing:
        return list(arguments.paths)
    gone = [path for path in arguments.paths if is_gone(str(path)) and missing([path], library, collection)]
    if not arguments.dry_run:
        _check_doubtful(gone, library, collection, yes=arguments.yes)  # before anything else is done
    return [path for path in arguments.paths if path not in gone]


def _check_doubtful(paths: Sequence[Path], library: Library, collection: str, *, yes: bool) -> None:
    """UserError unless a person says that so much was deleted."""
    from indexer.console import agreed
    from indexer.sources import is_doubtful, missing

    for path in paths:
        if is_doubtful(path, library, collection):
            count = len(missing([path], library, collection))
            question = (
                f"{path} is gone or holds little of what was read from it: perhaps its drive is not there. Remove what "
                f"came from {count:,} files? It can be put back."
            )
            if not agreed(question, yes=yes):
                raise UserError(f"Nothing that came from {path} was removed.")


def _model(library: Library, settings: Settings) -> str:
    """What the collection is embedded with, or will be where it is new."""
    from labse_search.encoder import default_model

    known = library.ledger.collections.all().get(settings.collection)
    return settings.model_for(known[0]) if known else settings.model or default_model()


def _dry_run(arguments: argparse.Namespace, library: Library, settings: Settings, sources: Sequence[Source]) -> int:
    from indexer.console import plan_value, print_plan
    from indexer.estimate import measured_rate
    from indexer.preflight import preflight
    from indexer.sources import missing

    rate = measured_rate(library, _model(library, settings))
    plan = preflight(library, settings.collection, sources, max_file_bytes=settings.max_file_mb << 20, rate=rate)
    gone = missing(arguments.paths, library, settings.collection) if arguments.remove_missing else []
    if arguments.json:
        print(json.dumps(plan_value(plan, gone), ensure_ascii=False, indent=2))
    else:
        print_plan(plan, gone)
    return 0


def _watch(
    library: Library,
    settings: Settings,
    folders: Sequence[Path],
    do: Callable[[Sequence[Source]], tuple[JobRow, list[JobFile]]],
) -> None:
    """Until Ctrl-C."""
    from indexer.console import WatchConsole
    from indexer.documents import remove_gone
    from indexer.watch import FolderWatch
    from labse_search.store import open_store

    if not folders:
        raise UserError("--watch needs a folder.")
    store = open_store(settings.store, home=library.home, api_key=settings.api_key)
    console = WatchConsole(do, lambda names: remove_gone(library, store, settings.collection, names))
    print(f"Watching {', '.join(map(str, folders))}. Ctrl-C ends.", flush=True)
    try:
        FolderWatch(library, settings.collection, folders, console).run()
    finally:
        store.close()


def _remove_missing(library: Library, settings: Settings, arguments: argparse.Namespace) -> int:
    """How many names. UserError while a job is at work, whose files may be those that seem gone under other names, or
    if a person does not say that so much was deleted."""
    from indexer.documents import remove_gone
    from indexer.sources import is_gone, missing
    from indexer.worker import collection_lock
    from labse_search.store import open_store

    collection = settings.collection
    there = [path for path in arguments.paths if not is_gone(str(path))]  # the others were asked about
    _check_doubtful(there, library, collection, yes=arguments.yes)
    lock = library.lock(collection_lock(collection))
    if lock is None:
        raise UserError(
            f"Documents are being added to {collection!r}: nothing was removed. Try again when that is done."
        )
    try:
        names = missing(arguments.paths, library, collection)
        if names:
            with closing(open_store(settings.store, home=library.home, api_key=settings.api_key)) as store:
                remove_gone(library, store, collection, names)
        return len(names)
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main())
