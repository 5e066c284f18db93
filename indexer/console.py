"""What `python -m indexer` prints: progress, outcomes, plans, and what a watch sees."""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from indexer.preflight import Preflight, extension
from labse_search.errors import REASONS, UserError, note_sentence
from labse_search.library import DocumentRow, JobFile, JobRow, Library, Source
from labse_search.naming import kind_name
from labse_search.records import FACTS


def show(row: JobRow) -> None:
    """Redraw the line that says how far the job is."""
    left = f", {_duration(row.seconds_left)} left" if row.seconds_left is not None else ""
    line = f"{row.files_done}/{row.files} files, {row.segments} passages, {row.rate:.0f}/s{left}  {row.current[:40]}"
    print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def summary(row: JobRow, files: list[JobFile], removed: int, library: Library) -> dict[str, object]:
    """What --json prints of a finished job."""
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
        value |= {note.code: note.detail for note in row.notes if note.code in FACTS}
        value["notes"] = [{"code": note.code, "detail": note.detail} for note in row.notes if note.code not in FACTS]
    return value


def print_summary(row: JobRow, files: list[JobFile], removed: int, library: Library) -> None:
    """What became of each file that was not simply indexed, and the totals."""
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    rows = (
        {one.document: one for one in library.documents(row.collection)} if any(file.detail for file in files) else {}
    )
    for file in files:
        if file.reason:
            print(f"skipped  {file.source.name}: {REASONS[file.reason]}")
        elif file.detail:
            print(f"note     {file.source.name}: {_noted(rows.get(file.document)) or file.detail}")
    counts = ", ".join(f"{count} {outcome}" for outcome, count in row.outcomes.items()) or "no files"
    counts += f", {removed} removed" if removed else ""
    seconds = (row.finished or 0) - (row.started or 0)
    print(f"{row.state}: {counts}; {row.segments} passages in {seconds:.1f} s; collection “{row.collection}” in "
          f"{library.home}")  # fmt: skip
    if removed:
        print("To put removed documents back: python -m labse_search.library undo NAME...")
    if row.error:
        print(f"error: {row.error}", file=sys.stderr)


def _noted(row: DocumentRow | None) -> str:
    """What was noted of a document, in sentences; the outcome itself keeps codes, for the log."""
    notes = row.notes if row is not None else ()
    return " ".join(note_sentence(note.code, note.detail) for note in notes if note.code not in FACTS)


def agreed(question: str, *, yes: bool) -> bool:
    """Whether the person at the terminal says yes. UserError where nobody is there and a script did not say `yes`."""
    if yes:
        print(question, file=sys.stderr)
        return True
    if not sys.stdin.isatty():
        raise UserError(f"{question} Nobody is there to answer: add --yes.")
    return input(f"{question} Type yes: ").strip().lower() == "yes"


def plan_value(plan: Preflight, gone: Sequence[str]) -> dict[str, object]:
    """A plan as JSON: names by what would become of them."""
    skipped = [(source.name, source.reason) for source in plan.passed_over]
    skipped += [(source.name, "unsupported") for source in plan.unsupported]
    skipped += [(name, "too_large") for name, _ in plan.too_large]
    skipped += [(name, "vanished") for name in plan.refused]
    return {
        "new": [source.name for source in plan.new],
        "already": [source.name for source in plan.already],
        "skipped": [{"name": name, "reason": reason, "advice": REASONS[reason]} for name, reason in sorted(skipped)],
        "removed": list(gone),
        "bytes": sum(source.size for source in plan.new),
        "seconds": None if plan.seconds is None else round(plan.seconds, 1),
    }


def print_plan(plan: Preflight, gone: Sequence[str]) -> None:
    """What --dry-run prints: `gone` are names whose files are missing."""
    value = plan_value(plan, gone)
    for file in value["skipped"]:  # type: ignore[attr-defined]
        print(f"skip     {file['name']}: {file['advice']}")
    for name in gone:
        print(f"remove   {name}")
    kinds = Counter(kind_name(extension(source.name)) or "no extension" for source in plan.new)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    megabytes = sum(source.size for source in plan.new) / 1e6
    about = f", about {_duration(plan.seconds)}" if plan.seconds is not None else ""
    print(f"new: {len(plan.new)} files ({listed or 'none'}), {megabytes:.1f} MB{about}; already there: "
          f"{len(plan.already)}; nothing was done")  # fmt: skip


class WatchConsole:
    """Does what a watch notices, in the foreground, and says so, a line each. `do`: a job for these files, done;
    `take_out`: removes names."""

    def __init__(
        self, do: Callable[[Sequence[Source]], tuple[JobRow, list[JobFile]]], take_out: Callable[[Sequence[str]], None]
    ) -> None:
        self._do = do
        self._take_out = take_out

    def index(self, sources: Sequence[Source]) -> bool:
        """Whether all of it was done."""
        row, files = self._do(sources)
        for file in files:
            if file.outcome != "unchanged":
                _say(file.outcome or row.state, file.source.name, REASONS[file.reason] if file.reason else "")
        if row.error:
            _say("error", row.error)
        return row.state == "done"

    def announce(self, names: Sequence[str], seconds: float) -> None:
        """Say of files that are gone when what came from them will be removed: infinity is never."""
        when = f"will be removed in {seconds:.0f} s unless the file comes back; Ctrl-C keeps it"
        if seconds == math.inf:
            when = "stays, because more than half of the folder is gone at once; --remove-missing removes it"
        for name in names:
            _say("gone", name, when)

    def back(self, names: Sequence[str]) -> None:
        """Say that files are there again."""
        for name in names:
            _say("back", name)

    def remove(self, names: Sequence[str]) -> None:
        """Remove the documents of these names and say so."""
        self._take_out(names)
        for name in names:
            _say("removed", name, "can be put back in the Collection tab")

    def lost(self, folder: Path) -> None:
        """Say that the folder itself is gone."""
        _say("lost", str(folder), "the folder is gone; what came from it stays")


def _say(what: str, name: str, why: str = "") -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what:9}{name}{': ' if why else ''}{why}", flush=True)
