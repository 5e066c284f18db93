"""python -m indexer PATH... : add files and folders to a collection, in the foreground, with progress."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from labse_search.errors import REASONS, UserError
from labse_search.library import DocumentRow, JobFile, JobRow, Library
from labse_search.library.log import open_log
from labse_search.settings import Settings

EXAMPLE = "example: python -m indexer examples && python -m labse_search.search 'Where can I buy bread at night?'"


def main() -> int:
    arguments = _parser().parse_args()
    try:
        return _index(arguments)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
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
    parser.add_argument("--json", action="store_true", help="print the outcome as JSON")
    return parser


def _index(arguments: argparse.Namespace) -> int:
    from indexer.jobs import do_job, do_or_follow, waiting
    from indexer.sources import missing, walk
    from labse_search.encoder import default_model

    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if int(os.environ.get("RANK", "0")) > 0:
        return 0  # `accelerate launch -m indexer`: the first process starts the others itself, one a device
    settings = Settings.from_env(os.environ).with_arguments(
        store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
    )
    library = Library(settings.home)
    open_log(settings.home)
    sources = walk(arguments.paths, library, settings.collection)
    known = library.ledger.collections().get(settings.collection)
    model = settings.model or (known[0] if known else default_model())
    job = library.add_index_job(settings.collection, model, sources)
    show = (lambda row: None) if arguments.json or not sys.stderr.isatty() else _show
    try:
        row = do_or_follow(library, settings, job, report=show, processes=arguments.processes or launched)
    except KeyboardInterrupt:
        library.ask(job, "cancel")  # where it is done by a worker of the app; here it has ended already
        raise
    removed = _remove_missing(library, settings, missing(arguments.paths, library, settings.collection)) if (
        arguments.remove_missing and row.state == "done"
    ) else 0  # fmt: skip
    files = library.job_files(job)
    if arguments.json:
        print(json.dumps(_summary(row, files, removed, library), ensure_ascii=False, indent=2))
    else:
        _print_summary(row, files, removed, library)
    for left in waiting(library):  # what a killed process left half done goes on by itself
        if left.state == "running" and left.collection == settings.collection:
            print(f"Going on with an interrupted job: {left.files - left.files_done} files.", file=sys.stderr)
            do_job(library, settings, left, report=show)
    return 0 if row.state == "done" else 1


def _remove_missing(library: Library, settings: Settings, names: list[str]) -> int:
    from indexer.documents import remove_name
    from labse_search.store import open_store

    if names:
        store = open_store(settings.store, home=library.home, api_key=settings.api_key)
        for name in names:
            remove_name(library, store, settings.collection, name)
        store.close()
    return len(names)


def _show(row: JobRow) -> None:
    left = f", {_duration(row.seconds_left)} left" if row.seconds_left is not None else ""
    line = f"{row.files_done}/{row.files} files, {row.segments} passages, {row.rate:.0f}/s{left}  {row.current[:40]}"
    print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _summary(row: JobRow, files: list[JobFile], removed: int, library: Library) -> dict[str, object]:
    documents = {one.document: one for one in library.documents(row.collection)}
    return {
        "job": row.id,
        "state": row.state,
        "error": row.error,
        "collection": row.collection,
        "model": row.model,
        "seconds": round((row.finished or 0) - (row.started or 0), 3),
        "segments": row.segments,
        "outcomes": dict(row.outcomes) | ({"removed": removed} if removed else {}),
        "files": [_file(file, documents) for file in files],
    }


def _file(file: JobFile, documents: dict[str, DocumentRow]) -> dict[str, object]:
    value: dict[str, object] = {"name": file.source.name, "outcome": file.outcome}
    if file.reason:
        value |= {"reason": file.reason, "advice": REASONS[file.reason]}
    row = documents.get(file.document)
    if row is not None:
        for key in ("document", "encoding", "characters", "embedded", "skipped", "segments", "languages"):
            value[key] = getattr(row, key)
        value["notes"] = [{"code": note.code, "detail": note.detail} for note in row.notes]
    return value


def _print_summary(row: JobRow, files: list[JobFile], removed: int, library: Library) -> None:
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    for file in files:
        if file.reason:
            print(f"skipped  {file.source.name}: {REASONS[file.reason]}")
        elif file.detail:
            print(f"note     {file.source.name}: {file.detail}")
    counts = ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.items()) or "no files"
    counts += f", {removed} removed" if removed else ""
    seconds = (row.finished or 0) - (row.started or 0)
    print(f"{row.state}: {counts}; {row.segments} passages in {seconds:.1f} s; collection “{row.collection}” in "
          f"{library.home}")  # fmt: skip
    if row.error:
        print(f"error: {row.error}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
