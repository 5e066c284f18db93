"""Teach a collection's model: find and review pairs, judge answers, tune, and take out what training and tests need.

  python -m labse_search.teach mine
  python -m labse_search.teach add pairs.tsv --threshold 0.2
  python -m labse_search.teach review --threshold 1.06
  python -m labse_search.teach precision --threshold 1.06
  python -m labse_search.teach pairs kept.tmx --threshold 1.06
  python -m labse_search.teach clear --measure
  python -m labse_search.search "Who repairs shoes?" --json > hits.json
  python -m labse_search.teach judge "Who repairs shoes?" hits.json --right 1,3 --wrong 2
  python -m labse_search.teach judgements folder --split verdict
  python -m labse_search.teach questions question-pairs.tsv
  python -m labse_search.teach tune --threshold 1.06
  python -m labse_search.teach runs

mine looks for translations among the passages of the collection. add takes what mining or aligning wrote, with its
scores, and --measure pairs that people translated, to measure a tuned model on; clear takes off the list what nobody
judged, and with --measure those: what was judged among them is on the review list again. review asks about one pair
after the other, difficult ones first: r right, w wrong, s skip, u undo, q quit. judgements writes queries.tsv and TREC
qrels; questions writes pairs of question and passage to train on, of the half of the questions that no verdict is
based on. tune says what it takes, trains on what is kept and on those questions, and keeps the model only if it is
better: exit status 3 where the base stays.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

from labse_search.corpora.written import write_pairs
from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.library import JobRow, Library
from labse_search.settings import Settings, flags_again, write_privately
from labse_search.teach import Split, Teaching, Verdict, estimate_precision, passage_name
from labse_search.teach.pairs import PairRow, Purpose

REFUSED = 3  # as `labse_search.finetune` has it
KEYS: dict[str, Verdict] = {"r": "right", "w": "wrong", "s": "skip"}


@quiet_when_unread
def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 done, 2 something a person can mend."""
    write_privately()
    options = parse(arguments)
    settings = Settings.from_env(os.environ)
    settings = settings.with_arguments(store=options.store, collection=options.collection, model=None)
    options.settings = settings
    try:
        with closing(Teaching(settings.home)) as teaching:
            return options.run(teaching, settings.collection, options) or 0
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2


def mine(teaching: Teaching, collection: str, options: argparse.Namespace) -> int:
    """The command that finds translations in a collection, for the review list. 0, or 1 if the job ended early."""
    from labse_search.store import open_store
    from labse_search.teach.mining import add_mine_job

    settings: Settings = options.settings
    library = Library(settings.home)
    with closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store:
        job = add_mine_job(library, store, collection, options.languages)
    row = follow(
        library, settings, job, lambda row: f"{row.files_done} of {row.files} pairs of languages: {row.current}"
    )
    listed = len(teaching.pairs.all(collection))
    print(f"{row.segments:,} pairs found; {listed:,} on the review list of {collection!r}")
    if row.state == "done" and listed:
        print(f"Next: python -m labse_search.teach review{flags_again(options.store, options.collection)}")
    return 0 if row.state == "done" else 1


def tune(teaching: Teaching, collection: str, options: argparse.Namespace) -> int:
    """Say what it takes, ask, and train as a job. Status 3 where the base stays."""
    from labse_search.teach.runs import Recipe, find_run, plan_run
    from labse_search.teach.tuning import add_tune_job, estimate, plan_sentence

    settings: Settings = options.settings
    library = Library(settings.home)
    known = library.ledger.collections.all().get(collection)
    if known is None:
        raise UserError(f"There is no collection {collection!r}. Add documents first: python -m indexer FOLDER")
    recipe = Recipe(
        epochs=options.epochs, processes=options.processes, keep_answers=not options.pairs_only, lenient=options.lenient
    )
    run = estimate(plan_run(teaching, collection, base=known[0], recipe=recipe, threshold=options.threshold))
    print(plan_sentence(run))
    if options.dry_run or not (options.yes or asked("Start? (y/n): ", ended="n") == "y"):
        shutil.rmtree(run.folder)
        return 0
    row = follow(library, settings, add_tune_job(library, run), lambda row: row.current)
    if row.state != "done":
        return 1
    print("\n".join(line for line in run.said() if not line.startswith("next: ")))
    if find_run(settings.home, run.name).state != "accepted":
        return REFUSED
    again = flags_again(options.store, options.collection)
    model = shlex.quote(str(run.model))
    print(f"Next: python -m labse_search.library reembed --model {model} --switch{again}")
    return 0


def asked(question: str, *, ended: str) -> str:
    """The first letter of the answer, in lower case; `ended` where the input has ended and nobody answers."""
    try:
        return input(question).strip().lower()[:1]
    except EOFError:
        print()
        return ended


def runs(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that lists the tunings of a collection."""
    from labse_search.teach import runs as kept
    from labse_search.teach.tuning import forget_cancelled

    forget_cancelled(Library(options.settings.home))
    for run in kept.runs(options.settings.home, collection):
        reason = run.read("metrics.json").get("reason", "")
        print(f"{run.name}  {run.state:8}  {run.pairs:7,} pairs  {run.tuned or run.folder}  {reason}")


def follow(library: Library, settings: Settings, job: str, line: Callable[[JobRow], str]) -> JobRow:
    """The job's row at its end; a line whenever it changes on the way."""
    from indexer.worker import do_or_follow

    told = [""]

    def report(row: JobRow) -> None:
        if row.current and line(row) != told[0]:
            told[0] = line(row)
            print(told[0], file=sys.stderr)

    row = do_or_follow(library, settings, job, report=report)
    if row.error:
        print(f"error: {row.error}", file=sys.stderr)
    return row


def add(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that puts a file of pairs on the review list."""
    purpose: Purpose = "measure" if options.measure else "train"
    taken = teaching.pairs.take_in(collection, options.file, purpose, threshold=options.threshold)
    there = taken.given - taken.new
    print(f"{taken.new:,} new pairs on the review list of {collection!r}, {there:,} were there: {options.file}")


def clear(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that takes pairs off the list."""
    cleared = teaching.pairs.clear(collection, "measure" if options.measure else "train")
    print(f"{cleared:,} pairs taken off; {len(teaching.pairs.all(collection)):,} on the review list of {collection!r}")


def review(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """One pair after the other until the list or the input ends."""
    while rows := teaching.pairs.to_review(collection, options.threshold, limit=1):
        show(rows[0])
        key = asked("right, wrong, skip, undo, quit (r/w/s/u/q): ", ended="q")
        if key == "q":
            break
        if key == "u":
            print("nothing to undo" if teaching.pairs.undo(collection) is None else "taken back")
        elif key in KEYS:
            teaching.pairs.judge(rows[0].id, KEYS[key])
    precision(teaching, collection, options)


def show(row: PairRow) -> None:
    """One pair of the review list, with its score and languages."""
    languages = "-".join(code for code in (row.pair.source_language, row.pair.target_language) if code)
    print(f"\n{row.pair.score:.4f} {languages}\n  {row.pair.source}\n  {row.pair.target}")


def precision(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that says how many of the kept pairs are right, from those that were reviewed."""
    found = estimate_precision(teaching.pairs.all(collection), options.threshold)
    above = "" if options.threshold == float("-inf") else f" at or above {options.threshold}"
    if not found.reviewed:
        print(f"{found.kept:,} pairs{above}; none of them reviewed yet")
        return
    interval = f"95 % between {found.low:.1%} and {found.high:.1%}"
    print(f"{found.kept:,} pairs{above}, {found.reviewed:,} reviewed:", end=" ")
    print(f"precision {found.precision:.1%}, {interval}")


def pairs(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that writes the kept pairs; UserError where there are none."""
    kept = teaching.pairs.kept(collection, options.threshold)
    if not kept:
        raise UserError(f"The review list of {collection!r} has no pairs to keep. See: precision, review")
    write_pairs(options.file, kept)
    print(f"{len(kept):,} pairs: {options.file}")


def judge(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that takes what a person says of a search's hits; UserError for ranks that there are not."""
    try:
        hits = {int(hit["rank"]): hit for hit in json.loads(options.hits.read_text(encoding="utf-8"))}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{options.hits} is not what the search prints with --json ({error}).") from error
    said = {rank: True for rank in options.right} | {rank: False for rank in options.wrong}
    missing = sorted(set(said) - set(hits))
    if missing or set(options.right) & set(options.wrong):
        raise UserError(f"{options.hits} has the ranks {sorted(hits)}; each may be right or wrong, got {sorted(said)}.")
    for rank, answers in said.items():
        passage, text = passage_of(hits[rank])
        teaching.judgements.put(collection, options.question, passage, text, answers=answers)
    print(f"{len(said):,} answers judged; {len(teaching.judgements.questions(collection)):,} questions so far")


def passage_of(hit: dict[str, Any]) -> tuple[str, str]:
    """Its name and its text."""
    try:
        return passage_name(str(hit["document_id"]), int(hit["start"]), int(hit["end"])), str(hit["text"])
    except KeyError as error:
        raise UserError(f"A hit has no {error}: give what the search prints with --json.") from error


def judgements(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that writes the judged questions as a test set."""
    questions, judged = teaching.judgements.export(collection, options.folder, options.split)
    print(f"{questions:,} questions, {judged:,} judged answers: {options.folder}")


def questions(teaching: Teaching, collection: str, options: argparse.Namespace) -> None:
    """The command that writes pairs to train on; UserError where there are none."""
    found = teaching.judgements.training_pairs(collection)
    if not found:
        raise UserError(f"Collection {collection!r} has no right answers to questions of the training half yet.")
    write_pairs(options.file, found)
    print(f"{len(found):,} pairs of question and passage: {options.file}")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags; wrong ones end the process with status 2."""
    parser = argparse.ArgumentParser(
        prog="python -m labse_search.teach", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    common.add_argument("--store", metavar="DIR", help="the home folder, where the file of all verdicts lies")
    threshold = argparse.ArgumentParser(add_help=False)
    threshold.add_argument("--threshold", type=float, default=float("-inf"), metavar="SCORE", help="lowest score kept")
    tasks = parser.add_subparsers(required=True, metavar="TASK")

    def task(run: Callable[[Teaching, str, argparse.Namespace], int | None], text: str, *, scored: bool) -> Any:
        one = tasks.add_parser(run.__name__, parents=[common, threshold] if scored else [common], help=text)
        one.set_defaults(run=run)
        return one

    ranks: dict[str, Any] = {"type": lambda text: [int(rank) for rank in text.split(",")], "default": []}
    one = task(mine, "find translations among the passages of the collection", scored=False)
    one.add_argument(
        "--languages", type=lambda text: tuple(text.split(",")), default=(), help="two or more; default: all"
    )
    one = task(add, "put a file of pairs on the review list", scored=True)
    one.add_argument("file", type=Path)
    one.add_argument("--measure", action="store_true", help="people translated them: measure a tuned model on them")
    one = task(clear, "take pairs off the list that nobody judged", scored=False)
    one.add_argument("--measure", action="store_true", help="the pairs to measure on")
    task(review, "judge pair after pair", scored=True)
    task(precision, "how many of the kept pairs are right", scored=True)
    task(pairs, "write the pairs to train on, .tmx or TSV", scored=True).add_argument("file", type=Path)
    one = task(judge, "say which of a search's answers answer the question", scored=False)
    one.add_argument("question")
    one.add_argument("hits", type=Path, help="what the search printed with --json")
    one.add_argument("--right", **ranks, metavar="1,3", help="ranks of the hits that answer it")
    one.add_argument("--wrong", **ranks, metavar="2", help="ranks of those that don't")
    one = task(judgements, "write queries.tsv, qrels.txt (TREC) and passages.tsv", scored=False)
    one.add_argument("folder", type=Path)
    one.add_argument("--split", choices=get_args(Split), help="only this half of the questions")
    task(questions, "write question and passage pairs to train on", scored=False).add_argument("file", type=Path)
    one = task(tune, "train a copy of the collection's model, and keep it if it is better", scored=True)
    one.add_argument("--epochs", type=float, default=3.0, help="passes over the pairs (default 3)")
    one.add_argument("--processes", type=int, default=0, help="default: two on a CPU that has the room")
    one.add_argument("--pairs-only", action="store_true", help="do not keep what the model knows of answers")
    one.add_argument("--lenient", action="store_true", help="accept a gain that is not certain")
    one.add_argument("--dry-run", action="store_true", help="only say what it takes")
    one.add_argument("--yes", action="store_true", help="do not ask")
    task(runs, "what was tuned and what came of it", scored=False)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
