"""Filters as people type them → filters that the store can apply, or a reason why nothing could pass.

Languages by code or by name, in English or in the language itself, file types with or without the dot and in any of
the ways they are written (htm, html), folders with or without slashes. What the collection does not have is an error
that says what it has. Passages whose language is unknown, because they are too short to tell, pass a filter by language
where their script fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from labse_search.errors import UserError
from labse_search.languages import canonical, find_language, in_wrong_script, language_name, language_named
from labse_search.naming import count_kinds, kind_name, kind_spellings
from labse_search.records import UNKNOWN_LANGUAGE, Filter, Found, StoredSegment
from labse_search.search.question import Question, admits
from labse_search.store import Store

DEEPEST = 4_000  # segments looked at where few pass what the store cannot filter by: phrases, exclusions, scripts
MOST_NAMED = 12  # values that an error lists


@dataclass(frozen=True)
class Settled:
    """A filter that the store can apply, what is left to look at in each passage, and what a person should know."""

    where: Filter
    fits: Callable[[StoredSegment], bool] | None = None
    notes: tuple[str, ...] = ()


def settle(where: Filter, store: Store, collection: str) -> Settled:
    """UserError for a language, file type or folder that no passage of the collection has."""
    if where.kinds:
        kinds = [kind_name(kind) for kind in where.kinds]
        _check("file type", kinds, count_kinds(store.facet(collection, "kind")))
        where = replace(where, kinds=tuple(dict.fromkeys(one for kind in kinds for one in kind_spellings(kind))))
    if where.folders:
        folders = tuple(map(_folder, where.folders))
        _check("folder", folders, store.facet(collection, "folder"))
        where = replace(where, folders=folders)
    return _languages(where, store, collection) if where.languages else Settled(where)


def language_code(typed: str) -> str | None:
    """The code of a language typed as a code ("de", "deu", "de-AT") or by its name, in English or in itself; None for
    neither."""
    typed = typed.strip()
    if named := language_named(typed):
        return named.code
    return canonical(typed) if find_language(typed) else None


def _languages(where: Filter, store: Store, collection: str) -> Settled:
    there = store.facet(collection, "language")
    if not there:
        return Settled(where)
    known = {canonical(code): code for code in there}  # as the collection spells them
    unknown = there.get(UNKNOWN_LANGUAGE, 0)
    wanted: list[str] = []
    absent: list[str] = []
    for typed in where.languages:
        code = typed if typed in there else language_code(typed)
        if code is None:
            raise UserError(f"“{typed}” is no language that is known here. " + _has(_languages_of(there)))
        if code not in known and code not in there:
            absent.append(code)
        wanted.append(known.get(code, code))
    absent, wanted = list(dict.fromkeys(absent)), list(dict.fromkeys(wanted))
    names = " or ".join(map(language_name, absent))
    if absent and not unknown:
        raise UserError(f"No passage is in {names}. " + _has(_languages_of(there)))
    if not unknown or UNKNOWN_LANGUAGE in wanted:
        return Settled(replace(where, languages=tuple(wanted)))
    codes = tuple(wanted)

    def fits(stored: StoredSegment) -> bool:
        segment = stored.segment
        return segment.language != UNKNOWN_LANGUAGE or any(not in_wrong_script(segment.text, code) for code in codes)

    note = (
        f"{unknown:,} passages are too short for their language to be recognised: those in the script of "
        f"{' or '.join(language_name(code) for code in codes)} are among the answers, the others are left out."
    )
    notes = (f"No passage is known to be in {names}. {_has(_languages_of(there))}", note) if absent else (note,)
    return Settled(replace(where, languages=(*codes, UNKNOWN_LANGUAGE)), fits, notes)


def _check(what: str, wanted: Sequence[str], there: Mapping[str, int]) -> None:
    missing = [value for value in wanted if value not in there]
    if missing and there:
        raise UserError(f"No document has the {what} “{missing[0]}”. " + _has(there))


def _folder(name: str) -> str:
    return "/".join(part for part in name.strip().replace("\\", "/").split("/") if part not in ("", "."))


def _languages_of(there: Mapping[str, int]) -> dict[str, int]:
    return {
        "unknown language" if code == UNKNOWN_LANGUAGE else f"{language_name(code)} ({code})": count
        for code, count in there.items()
    }


def _has(there: Mapping[str, int]) -> str:
    named = [f"{name}, {count:,}" for name, count in list(there.items())[:MOST_NAMED]]
    more = f"; and {len(there) - len(named)} more" if len(there) > len(named) else ""
    return f"This collection has, with the number of passages: {'; '.join(named)}{more}."


def deep(
    look: Callable[[int], list[Found]], pool: int, passing: Callable[[Found], bool], found: list[Found]
) -> list[Found]:
    """The first `pool` that pass of those `found` at that depth, looking deeper while too few do."""
    depth = pool
    while True:
        kept = [one for one in found if passing(one)]
        if len(kept) >= pool or len(found) < depth or 4 * depth > DEEPEST:
            return kept[:pool]
        depth = 4 * depth
        found = look(depth)


def passes(question: Question, settled: Settled) -> Callable[[Found], bool] | None:
    """What a passage must pass that the store does not know of; None if there is nothing."""
    fits, admitted = settled.fits, admits(question)
    if fits is None:
        return (lambda one: admitted(one.stored.segment.text)) if question.demands else None
    return lambda one: fits(one.stored) and admitted(one.stored.segment.text)
