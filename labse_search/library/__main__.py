"""python -m labse_search.library : look after what was indexed."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

from labse_search.errors import UserError
from labse_search.library import Library
from labse_search.settings import Settings
from labse_search.store import Store, open_store

EXAMPLE = "example: python -m labse_search.library check --full && python -m labse_search.library backup notes.tar"


def main() -> int:
    arguments = _parser().parse_args()
    settings = Settings.from_env(os.environ).with_arguments(
        store=arguments.store, collection=arguments.collection, model=None
    )
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
        return commands[arguments.command](settings, arguments)
    except UserError as error:
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
    from indexer.check import PROBLEMS, check, rebuild_ledger, repair

    try:
        library = Library(settings.home)
    except UserError:
        if not arguments.repair or not _is_damaged(settings.home):
            raise
        library = _put_ledger_aside(settings.home)
    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    jobs: list[str | None] = []
    if not library.ledger.collections():
        jobs += rebuild_ledger(library, store, log=_log)
    problems = []
    for collection in library.ledger.collections():
        found = [] if jobs else check(library, store, collection, full=arguments.full)
        problems += found
        if found and arguments.repair:
            jobs.append(repair(library, store, collection, found, log=_log))
    store.close()
    if arguments.json:
        print(json.dumps([vars(problem) for problem in problems], ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            detail = f" ({problem.detail})" if problem.detail else ""
            print(f"{problem.collection}: {problem.name or '-'}: {PROBLEMS[problem.code]}{detail}")
    todo = [job for job in jobs if job]
    if todo:
        return _do(library, settings, todo)
    if problems and arguments.repair:
        return 0
    if not arguments.json:
        documents = sum(len(library.documents(name)) for name in library.ledger.collections())
        print(f"{documents} documents checked, {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


def _is_damaged(home: Path) -> bool:
    return (home / "ledger.sqlite3").is_file()


def _put_ledger_aside(home: Path) -> Library:
    aside = home / f"ledger.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
    for suffix in ("", "-wal", "-shm"):
        path = home / f"ledger.sqlite3{suffix}"
        if path.exists():
            shutil.move(path, f"{aside}{suffix}")
    _log(f"the damaged ledger now lies in {aside}; making a new one from the store and the originals")
    return Library(home)


def _do(library: Library, settings: Settings, jobs: list[str]) -> int:
    from indexer.jobs import do_job

    states = []
    for job in jobs:
        row = do_job(library, settings, library.job(job)) or library.job(job)
        states.append(row.state)
        _log(f"{row.collection}: {row.state}, {row.files_done} of {row.files} files read again {row.error}".rstrip())
    return 0 if all(state == "done" for state in states) else 1


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import backup

    library, store = _open(settings)
    counts = backup(library, store, arguments.file.expanduser().resolve())
    store.close()
    size = arguments.file.stat().st_size
    print(f"{arguments.file}: {sum(counts.values())} passages in {len(counts)} collections, {size / 1e6:.1f} MB")
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import fill_store, restore

    if not arguments.store:
        raise UserError("Say where to: --store NEW_FOLDER")
    folder = restore(arguments.file, settings.home)
    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    counts = fill_store(folder, store)
    store.close()
    shutil.rmtree(folder)
    print(f"{settings.home}: {sum(counts.values())} passages in {len(counts)} collections")
    return 0


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import export
    from labse_search.library import written_whole

    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    lines = export(store, settings.collection, vectors=arguments.vectors)
    if arguments.file is None:
        for line in lines:
            print(line)
    else:
        with written_whole(arguments.file.expanduser().resolve()) as file:
            file.writelines(f"{line}\n".encode() for line in lines)
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
