"""python -m labse_search.library : look after what was indexed."""

from __future__ import annotations

import argparse
import functools
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from labse_search.errors import CollectionDamaged, CollectionMissing, UserError, quiet_when_unread, told
from labse_search.files import written_whole
from labse_search.library import JobRow, Library
from labse_search.library.arguments import parser
from labse_search.naming import generation_name
from labse_search.settings import Settings, flags_again, write_privately
from labse_search.store import Store, open_store

if TYPE_CHECKING:
    from indexer.check import Problem


@quiet_when_unread
def main() -> int:
    """Exit status: 0 done, 1 problems are left or nothing was done, 2 something a person can mend."""
    write_privately()
    arguments = parser().parse_args()
    commands = {
        "list": _list,
        "check": _check,
        "take-over": _take_over,
        "backup": _backup,
        "restore": _restore,
        "export": _export,
        "remove": _remove,
        "undo": _undo,
        "forget": _forget,
        "reembed": _reembed,
        "generations": _generations,
        "switch": _switch,
        "drop": _drop,
        "rename": _rename,
        "merge": _merge,
        "delete": _delete,
    }
    try:
        settings = Settings.from_env(os.environ).with_arguments(
            store=arguments.store, collection=arguments.collection, model=None
        )
        return commands[arguments.command](settings, arguments)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2


@contextmanager
def _opened(settings: Settings, *, anywhere: bool = False) -> Iterator[tuple[Library, Store]]:
    """The home's library and its store, which is closed afterwards. CollectionElsewhere if another one holds the
    collection, unless it may be `anywhere`."""
    store = open_store(settings.store, home=settings.home, api_key=settings.api_key)
    try:
        library = Library(settings.home)
        if not anywhere:
            library.ledger.collections.check_store(settings.collection, store.location)
        yield library, store
    finally:
        store.close()


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
    """0 if nothing is wrong (any more), 1 otherwise. After a repair a second look decides."""
    from indexer.console import agreed
    from indexer.home_repair import discard, look, mend

    problems = left = look(settings, full=arguments.full)
    if problems and arguments.repair:
        mend(settings, problems, full=arguments.full, log=_log)
    if arguments.discard_unknown:
        discard(settings, agreed=functools.partial(agreed, yes=arguments.yes), log=_log)
    if problems and (arguments.repair or arguments.discard_unknown):
        left = look(settings, full=arguments.full)
    if arguments.json:
        print(json.dumps([_value(problem, left) for problem in problems], ensure_ascii=False, indent=2))
    else:
        for problem in problems:
            print(_line(problem) + (" [repaired]" if problem not in left else ""))
        _say_losses(settings, problems)
        summary = f"{_documents(settings, problems)} documents checked, {len(problems)} problems"
        _log(summary + (f", {len(left)} left" if arguments.repair or arguments.discard_unknown else ""))
    return 1 if left else 0


def _say_losses(settings: Settings, problems: Sequence[Problem]) -> None:
    """No problem of the library, but to be known: what files held that no passage has."""
    from indexer.losses import with_losses

    if any(problem.code == "ledger_damaged" for problem in problems):
        return
    library = Library(settings.home)
    for name in library.ledger.collections.all():
        for row, lost in with_losses(library.documents(name)):
            what = ", ".join(f"{reason.replace('_', ' ')} ({how})" if how else reason for reason, how in lost.items())
            print(f"{name}: {row.names[0] if row.names else row.title}: not in any passage: {what}")


def _value(problem: Problem, left: Sequence[Problem]) -> dict[str, object]:
    from indexer.check import PROBLEMS

    return {**vars(problem), "sentence": PROBLEMS[problem.code], "left": problem in left}


def _line(problem: Problem) -> str:
    from indexer.check import PROBLEMS

    detail = f" ({problem.detail})" if problem.detail else ""
    name = problem.name or problem.document or "-"
    return f"{problem.collection or '-'}: {name}: {PROBLEMS[problem.code]}{detail}"


def _documents(settings: Settings, problems: Sequence[Problem]) -> int:
    if any(problem.code == "ledger_damaged" for problem in problems):
        return 0
    library = Library(settings.home)
    return sum(len(library.documents(name)) for name in library.ledger.collections.all())


def _take_over(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.generations import agree_on_generations

    with _opened(settings, anywhere=True) as (library, store):
        store.take_over(settings.collection)
        spec = store.info(settings.collection).spec
        library.ledger.collections.put(
            settings.collection, model=spec.model, fingerprint=spec.fingerprint, store=store.location
        )
        agree_on_generations(library, store, settings.collection)
    print(f"{settings.collection} at {store.location} is this home's now; the home that made it only reads it.")
    return 0


def _do(library: Library, settings: Settings, job: str) -> int:
    from indexer.worker import do_all

    return 0 if do_all(library, settings, [job], log=_log) else 1


def _backup(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import backup
    from indexer.home_files import backup_sentence, weight_bytes

    target = arguments.file.expanduser().resolve()
    with _opened(settings, anywhere=True) as (library, store):
        weights = weight_bytes(library)
        counts = backup(library, store, target, weights=not arguments.without_models, warn=_log)
    print(backup_sentence(target, counts, weights, kept=not arguments.without_models))
    return 0


def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import restore
    from indexer.home_files import without_model

    if not arguments.store or settings.store:
        raise UserError("Say where to: --store NEW_FOLDER")
    counts = restore(arguments.file.expanduser(), settings.home, warn=_log)
    print(f"{settings.home}: {sum(counts.values())} passages in {len(counts)} collections")
    library = Library(settings.home)
    print("".join(f"{sentence}\n" for sentence in [*_further(library), *without_model(library)]), end="")
    return 0


def _further(library: Library) -> list[str]:
    """A sentence for each collection that can be switched back to a model it had before."""
    found = []
    for collection in library.ledger.collections.all():
        generations = library.ledger.generations.all(collection)
        serving = next(one for one in generations if one.state == "serving")
        others = ", ".join(f"{one.number} by {one.model}" for one in generations if one.state == "ready")
        if others:
            back = f"python -m labse_search.library switch N --collection {collection} --store {library.home}"
            answers = f"generation {serving.number} by {serving.model} answers"
            found.append(f"{collection}: {answers}; kept beside it: {others}. Back: {back}")
    return found


def _export(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.archive import export

    number = arguments.generation
    name = settings.collection if number is None else generation_name(settings.collection, number)
    with _opened(settings) as (_, store):
        lines = export(store, name, vectors=arguments.vectors)
        if arguments.file is None:
            for line in lines:
                print(line)
        else:
            with written_whole(arguments.file.expanduser().resolve()) as file:
                file.writelines(f"{line}\n".encode() for line in lines)
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.removal import remove_matching

    with _opened(settings) as (library, store):
        count, names = remove_matching(library, store, settings.collection, arguments.names)
    further = f" and {names} further name{'s' if names > 1 else ''}" if names else ""
    print(f"{count} documents{further} removed. To put them back: python -m labse_search.library undo NAME...")
    return 0


def _undo(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.documents import restore_documents
    from indexer.removal import matching

    library = Library(settings.home)
    documents = list(matching(library.removed_documents(settings.collection), arguments.names))
    model = library.ledger.collections.all()[settings.collection][0]
    return _do(library, settings, restore_documents(library, settings.collection, model, documents))


def _forget(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.documents import forget_removed

    print(f"{forget_removed(Library(settings.home), settings.collection)} documents erased")
    return 0


def _reembed(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.reembed import add_reembed_job
    from labse_search.encoder import load_encoder

    encoder = load_encoder(settings.with_arguments(store=None, collection=None, model=arguments.model).model)
    library = Library(settings.home)
    job = add_reembed_job(library, settings.collection, model=encoder.model, fingerprint=encoder.fingerprint)
    del encoder
    state = "done" if job is None else _follow(library, settings, job)
    found = [one for one in library.ledger.generations.all(settings.collection) if one.state in ("ready", "serving")]
    built = max(found, key=lambda one: one.created)
    if state != "done":
        return 1
    if arguments.switch and built.state != "serving":
        return _switch(settings, argparse.Namespace(**{**vars(arguments), "number": built.number}))
    if built.state == "serving":
        print(f"{settings.collection}: generation {built.number} by {built.model} answers already.")
    else:
        again = flags_again(arguments.store, arguments.collection)
        print(f"Generation {built.number} is whole. Next: python -m labse_search.library switch {built.number}{again}")
    return 0


def _follow(library: Library, settings: Settings, job: str) -> str:
    from indexer.worker import do_or_follow

    def report(row: JobRow) -> None:
        _log(f"{row.files_done} of {row.files} documents, {row.rate:.0f} passages a second")

    row = do_or_follow(library, settings, job, report=report)
    _log(f"{row.collection}: {row.state}, {row.segments} passages {row.error}".rstrip())
    return row.state


def _generations(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.generations import finish_switch

    with _opened(settings) as (library, store):
        finish_switch(library, store, settings.collection)
    for one in library.ledger.generations.all(settings.collection):
        if arguments.json:
            print(json.dumps(vars(one), ensure_ascii=False))
        else:
            counts = f"{one.documents:7} documents {one.segments:9} passages"
            print(f"{one.number:3}  {one.state:9} {counts}  {one.model} ({one.fingerprint[:12]})")
    return 0


def _switch(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.generations import switch

    with _opened(settings) as (library, store):
        before = library.ledger.generations.serving(settings.collection)
        job = switch(library, store, settings.collection, arguments.number)
    if before == arguments.number:
        print(f"{settings.collection}: generation {before} answers already.")
        return 0
    print(
        f"{settings.collection}: generation {arguments.number} answers. Back again: python -m labse_search.library "
        f"switch {before}{flags_again(arguments.store, arguments.collection)}"
    )
    return _do(library, settings, job) if job else 0


def _drop(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.generations import drop

    with _opened(settings) as (library, store):
        dropped = drop(library, store, settings.collection, arguments.number)
    print(f"{settings.collection}: generation {dropped.number} by {dropped.model} is gone.")
    return 0


def _rename(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.merge import rename

    with _opened(settings) as (library, store):
        name = rename(library, store, settings.collection, arguments.name)
    print(f"{settings.collection} is called {name} now.")
    return 0


def _merge(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.merge import merge

    with _opened(settings) as (library, store):
        if arguments.into not in library.ledger.collections.all():
            raise UserError(f"There is no collection {arguments.into!r}. To give this one another name: rename")
        count = merge(library, store, settings.collection, arguments.into)
    print(f"{count} documents of {settings.collection} are in {arguments.into} now; {settings.collection} is gone.")
    return 0


def _delete(settings: Settings, arguments: argparse.Namespace) -> int:
    from indexer.console import agreed
    from indexer.documents import unknown_documents
    from indexer.generations import delete_collection

    states = ("stored", "storing", "removing", "removed")
    with _opened(settings) as (library, store):
        unknown: dict[str, int] = {}
        with suppress(CollectionMissing, CollectionDamaged):
            unknown = unknown_documents(library, store, settings.collection)
        count = len(library.ledger.documents.all(settings.collection, states)) + len(unknown)
        further = f" ({len(unknown):,} of them not known to this home)" if unknown else ""
        question = (
            f"Erase the collection {settings.collection!r} with {count:,} documents{further} and their originals?"
        )
        if not agreed(question, yes=arguments.yes):
            return 1
        count = delete_collection(library, store, settings.collection)
    print(f"{settings.collection}: erased, {count:,} documents")
    return 0


def _log(line: str) -> None:
    print(line, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
