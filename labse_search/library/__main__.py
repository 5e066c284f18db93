"""python -m labse_search.library : look after what was indexed."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from labse_search.errors import LedgerDamaged, StoreUnavailable, UserError
from labse_search.library import Library
from labse_search.settings import Settings
from labse_search.store import Store, open_store

if TYPE_CHECKING:
    from indexer.check import Problem

EXAMPLE = "example: python -m labse_search.library check --full && python -m labse_search.library backup notes.tar"


def main() -> int:
    arguments = _parser().parse_args()
    commands = {
        "list": _list,
        "check": _check,
        "backup": _backup,
        "restore": _restore,
        "export": _export,
        "remove": _remove,
        "undo": _undo,
        "forget": _forget,
    }
    try:
        settings = Settings.from_env(os.environ).with_arguments(
            store=arguments.store, collection=arguments.collection, model=None
        )
        return commands[arguments.command](settings, arguments)
    except (UserError, OSError) as error:  # OSError: a file or folder that was named on the command line
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m labse_search.library", description=__doc__, epilog=EXAMPLE)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    common.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    command("list", "the documents of the collection").add_argument("--json", action="store_true")
    check = command("check", "verify store, ledger and originals; exit status 1 if something is wrong")
    check.add_argument("--full", action="store_true", help="read every segment and every original, not only counts")
    check.add_argument("--repair", action="store_true", help="rebuild what is wrong from the originals")
    check.add_argument("--json", action="store_true")
    command("backup", "everything in one file").add_argument("file", type=Path)
    command("restore", "read a backup into a new --store folder").add_argument("file", type=Path)
    export = command("export", "the collection as JSON lines")
    export.add_argument("file", type=Path, nargs="?", help="default: the terminal")
    export.add_argument("--vectors", action="store_true", help="with the vectors")
    command("remove", "take documents out; `undo` puts them back").add_argument("names", nargs="+")
    command("undo", "put removed documents back").add_argument("names", nargs="+")
    command("forget", "erase removed documents for good")
    return parser


def _open(settings: Settings) -> tuple[Library, Store]:
    return Library(settings.home), open_store(settings.store, home=settings.home, api_key=settings.api_key)


def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    for row in Library(settings.home).documents(settings.collection):
        if arguments.json:
            keys = ("document", "names", "kind", "title", "bytes", "characters", "embedded", "segments", "encoding")
            value = {key: getattr(row, key) for key in keys}
            value |= {"skipped": dict(row.skipped), "languages": dict(row.languages), "added": row.added}
            print(json.dumps(value, ensure_ascii=False))
        else:
            print(f"{row.segments:6} passages  {', '.join(row.languages):12}  {', '.join(row.names)}")
    return 0


def _check(settings: Settings, arguments: argparse.Namespace) -> int:
    """0 if nothing is wrong (any more), 1 otherwise. With `--repair` a second look decides."""
    from indexer.check import PROBLEMS

    problems = _problems(settings, full=arguments.full)
    if problems and arguments.repair:
        _repair(settings, problems, full=arguments.full)
        left = _problems(settings, full=arguments.full)
    else:
        left = problems

    def line(problem: Problem) -> str:
        detail = f" ({problem.detail})" if problem.detail else ""
        name = problem.name or problem.document or "-"
        return f"{problem.collection or '-'}: {name}: {PROBLEMS[problem.code]}{detail}"

    if arguments.json:
        values = [
            {**vars(problem), "sentence": PROBLEMS[problem.code], "left": problem in left} for problem in problems
        ]
        print(json.dumps(values, ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            print(line(problem) + (" [repaired]" if problem not in left else ""))
        _log(f"{_documents(settings, problems)} documents checked, {len(problems)} problems"
             + (f", {len(left)} left" if arguments.repair else ""))  # fmt: skip
    return 1 if left else 0


def _problems(settings: Settings, *, full: bool) -> list[Problem]:
    from indexer.check import Problem, check, check_ledger

    try:
        library = Library(settings.home)
        store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
        try:
            problems = check_ledger(library, store)
            for collection in [] if problems else library.ledger.collections():
                problems += check(library, store, collection, full=full)
            return problems
        finally:
            store.close()
            library.close()
    except LedgerDamaged as error:
        return [Problem("ledger_damaged", "", detail=str(error))]


def _repair(settings: Settings, problems: list[Problem], *, full: bool) -> None:
    from indexer.check import ORIGINAL_LOST, Problem, check, rebuild_ledger

    ledger_lost = any(problem.code in ("ledger_damaged", "ledger_empty") for problem in problems)
    library = _put_ledger_aside(settings.home) if ledger_lost else Library(settings.home)
    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    if ledger_lost:
        _do(library, settings, rebuild_ledger(library, store, log=_log))
    for collection in library.ledger.collections():
        found = check(library, store, collection, full=full)
        if found and not _mend(library, settings, store, collection, found):
            still = check(library, store, collection, full=full)
            if any(problem.code not in ORIGINAL_LOST for problem in still):  # the damage goes deeper than it seemed
                _mend(library, settings, store, collection, [Problem("collection_damaged", collection)])
    store.close()
    library.close()


def _mend(library: Library, settings: Settings, store: Store, collection: str, problems: Sequence[Problem]) -> bool:
    """Repair, and do the job that this takes. Whether all went well."""
    from indexer.check import repair

    try:
        job = repair(library, store, collection, problems, log=_log)
    except StoreUnavailable as error:
        _log(str(error))
        return False
    return _do(library, settings, [job] if job else []) == 0


def _documents(settings: Settings, problems: list[Problem]) -> int:
    if any(problem.code == "ledger_damaged" for problem in problems):
        return 0
    library = Library(settings.home)
    return sum(len(library.documents(name)) for name in library.ledger.collections())


def _put_ledger_aside(home: Path) -> Library:
    aside = home / f"ledger.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", "-wal", "-shm"):
        path = home / f"ledger.sqlite3{suffix}"
        if path.exists():
            path.rename(f"{aside}{suffix}")
    _log(f"the old ledger now lies in {aside}; making a new one from the store and the originals")
    return Library(home)


def _do(library: Library, settings: Settings, jobs: list[str]) -> int:
    from indexer.jobs import do_or_follow

    states = []
    for job in jobs:
        row = do_or_follow(library, settings, job, report=lambda row: None)
        states.append(row.state)
        _log(f"{row.collection}: {row.state}, {row.files_done} of {row.files} files read again {row.error}".rstrip())
    return 0 if all(state == "done" for state in states) else 1


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import backup

    target = arguments.file.expanduser().resolve()
    library, store = _open(settings)
    try:
        counts = backup(library, store, target)
    finally:
        store.close()
    size = target.stat().st_size
    print(f"{target}: {sum(counts.values())} passages in {len(counts)} collections, {size / 1e6:.1f} MB")
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import restore

    if not arguments.store or settings.store:
        raise UserError("Say where to: --store NEW_FOLDER")
    counts = restore(arguments.file.expanduser(), settings.home)
    print(f"{settings.home}: {sum(counts.values())} passages in {len(counts)} collections")
    return 0


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import export
    from labse_search.library import written_whole

    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    lines = export(store, settings.collection, vectors=arguments.vectors)
    try:
        if arguments.file is None:
            for line in lines:
                print(line)
        else:
            with written_whole(arguments.file.expanduser().resolve()) as file:
                file.writelines(f"{line}\n".encode() for line in lines)
    finally:
        store.close()
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.documents import remove_documents

    library, store = _open(settings)
    documents = [_document(library, settings.collection, name) for name in arguments.names]
    count = remove_documents(library, store, settings.collection, documents)
    store.close()
    print(f"{count} documents removed. To put them back: python -m labse_search.library undo NAME...")
    return 0


def _undo(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.documents import restore_documents

    library = Library(settings.home)
    documents = [_document(library, settings.collection, name) for name in arguments.names]
    model = library.ledger.collections()[settings.collection][0]
    return _do(library, settings, [restore_documents(library, settings.collection, model, documents)])


def _forget(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.documents import forget_removed

    print(f"{forget_removed(Library(settings.home), settings.collection)} documents erased")
    return 0


def _document(library: Library, collection: str, name: str) -> str:
    known = library.ledger.name(collection, name)
    if known is None:
        raise UserError(f"The collection {collection!r} has no document named {name!r}. See: … library list")
    return known[0]


def _log(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
