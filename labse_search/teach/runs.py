"""The folder of one tuning: what it was asked, what it read, what came of it.

HOME/tuned/NAME/run.json          collection, base, recipe, counts; `plan` once it was estimated
HOME/tuned/NAME/*.tsv             the pairs, the questions, the pairs to measure on
HOME/tuned/NAME/output.log        what the training said
HOME/tuned/NAME/model             the model, if it was accepted; model.partial while it is made, model.refused
HOME/tuned/NAME/judged.json       the person's own questions before and after
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labse_search.corpora.lines import one_line
from labse_search.errors import UserError
from labse_search.files import write_json, written_aside
from labse_search.home import at_home
from labse_search.records import Pair
from labse_search.search.measure import DATA
from labse_search.teach.state import Teaching

FOLDER = "tuned"
NAME = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
FEWEST_TO_MEASURE_ON = 20  # with fewer, training refuses to begin
DEV_PAIRS, DEV_SHARES = 200, (0.05, 0.2)  # cut from the pairs where nothing else is there to measure on
UNSTARTED_SECONDS = 24 * 3600.0  # an estimate that nobody started by then goes


@dataclass(frozen=True)
class Recipe:
    """What a person may choose. The defaults are what did well for labse-mini (benchmarks/results/training.md)."""

    epochs: float = 3.0
    processes: int = 0  # 0: two on a CPU that has the cores and the memory, else one
    batch: int = 0  # pairs of a step; 0: as many as the data sensibly allows
    learning_rate: float = 0.0  # 0: by the size of the model
    scale: float = 20.0
    margin: float = 0.1
    keep_answers: bool = True  # the base's own vectors are taught too, so that it still finds what answers a question
    lenient: bool = False  # a gain in the mean is enough


@dataclass(frozen=True)
class Run:
    """One tuning. `state`: planned, open (it waits, goes on or was interrupted), accepted or refused."""

    folder: Path
    collection: str
    base: str
    created: float
    recipe: Recipe
    pairs: int
    questions: int
    known: int
    plan: dict[str, Any]

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.folder.name

    @property
    def model(self) -> Path:
        """Where an accepted model lies."""
        return self.folder / "model"

    @property
    def partial(self) -> Path:
        """Where the training writes until it is done."""
        return self.folder / "model.partial"

    @property
    def refused(self) -> Path:
        """Where a refused training leaves its numbers."""
        return self.folder / "model.refused"

    @property
    def state(self) -> str:
        """ "accepted", "refused", "open" once a job was made of it, else "planned"."""
        if self.model.is_dir():
            return "accepted"
        if self.refused.is_dir():
            return "refused"
        return "open" if self.job else "planned"

    @property
    def job(self) -> str:
        """The id of the job that makes it; "" before there is one."""
        file = self.folder / "job"
        return file.read_text(encoding="ascii") if file.is_file() else ""

    @property
    def tuned(self) -> Path | None:
        """Where the tuned weights lie, also those that were refused."""
        for folder in (self.model, self.refused / "tuned"):
            if folder.is_dir():
                return folder
        return None

    def file(self, name: str) -> Path:
        """A file of the run's own folder, wherever that lies by now."""
        for folder in (self.model, self.refused, self.partial):
            if folder.is_dir():
                return folder / "run" / name
        return self.partial / "run" / name

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the run; empty where there is none yet."""
        for path in (self.folder / name, self.file(name)):
            try:
                value = json.loads(path.read_text(encoding="utf-8"))
            except (FileNotFoundError, NotADirectoryError):
                continue
            except ValueError as error:
                raise UserError(f"{path} is damaged ({error}).") from error
            return dict(value)
        return {}

    def history(self) -> list[dict[str, Any]]:
        """Steps with their loss, and with the accuracy where it was measured; a last line that is half written is left
        for the next look."""
        try:
            text = self.file("history.jsonl").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def said(self) -> list[str]:
        """The lines that the training said; not the launcher's traceback, with which every refusal ends."""
        try:
            text = (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        return [line for line in text.partition("Traceback (most recent call last)")[0].splitlines() if line.strip()]

    def last_line(self) -> str:
        """What the training said last."""
        return next((line.strip() for line in reversed(self.said())), "")


def plan_run(
    teaching: Teaching, collection: str, *, base: str, recipe: Recipe, threshold: float = float("-inf")
) -> Run:
    """A new folder with everything a training reads. UserError where there are no pairs."""
    home = teaching.path.parent
    given = _given(teaching, collection, threshold)
    if not given["pairs"]:
        raise UserError(
            f"Collection {collection!r} has no pairs to train on yet. Find translations first: python -m "
            f"labse_search.teach mine --collection {collection}"
        )
    sweep(home)
    folder = home / FOLDER / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    counts = {name: len(pairs) for name, pairs in given.items()}
    run = Run(folder, collection, base, time.time(), recipe, **counts, plan={})
    folder.mkdir(parents=True)
    for name, pairs in (given | {"everyday": everyday_pairs()}).items():
        with written_aside(folder / f"{name}.tsv") as lines:
            lines.write(table_text(pairs))
    save(run)
    return run


def is_outdated(teaching: Teaching, run: Run, *, base: str, recipe: Recipe, threshold: float) -> bool:
    """Whether the run, if it was planned now, would train another model, or otherwise, or on something else."""
    if (run.base, run.recipe) != (base, recipe):
        return True
    given = _given(teaching, run.collection, threshold)
    return any((run.folder / f"{name}.tsv").read_bytes() != table_text(some).encode() for name, some in given.items())


def _given(teaching: Teaching, collection: str, threshold: float) -> dict[str, list[Pair]]:
    """What a training of the collection reads."""
    return {
        "pairs": teaching.pairs.kept(collection, threshold),
        "questions": teaching.judgements.training_pairs(collection),
        "known": teaching.pairs.to_measure(collection),
    }


def everyday_pairs() -> list[Pair]:
    """Articles of the Declaration of Human Rights, each in 77 languages with its English: what a tuned model must not
    forget."""
    lines = [line.split("\t") for line in (DATA / "declaration.tsv").read_text(encoding="utf-8").splitlines()]
    english = {line[1]: line[2] for line in lines if line[0] == "en"}
    return [Pair(line[2], english[line[1]], 1.0, line[0], "en") for line in lines if line[0] != "en"]


def save(run: Run) -> None:
    """Write run.json, all but the folder."""
    values = {key: value for key, value in asdict(run).items() if key != "folder"}
    write_json(run.folder / "run.json", values)


def table_text(pairs: Sequence[Pair]) -> str:
    """Lines of source language TAB target language TAB source TAB target; "und" where nobody knows the language."""
    codes = [(pair.source_language or "und", pair.target_language or "und") for pair in pairs]
    rows = [(*two, one_line(one.source), one_line(one.target)) for two, one in zip(codes, pairs, strict=True)]
    return "".join("\t".join(row) + "\n" for row in rows)


def runs(home: Path, collection: str) -> list[Run]:
    """Newest first."""
    return [run for run in every_run(home) if run.collection == collection]


def every_run(home: Path) -> list[Run]:
    """Of all collections, newest first."""
    folders = sorted((home / FOLDER).glob("*/run.json"), reverse=True)
    return [load(file.parent) for file in folders if NAME.fullmatch(file.parent.name)]


def move_runs(home: Path, collection: str, into: str) -> None:
    """Give the tunings of one collection to another."""
    for run in runs(home, collection):
        save(replace(run, collection=into))


def find_run(home: Path, name: str) -> Run:
    """UserError if there is no such run."""
    folder = home / FOLDER / name
    if not NAME.fullmatch(name) or not (folder / "run.json").is_file():
        raise UserError(f"There is no tuning {name!r}. See: python -m labse_search.teach runs")
    return load(folder)


def load(folder: Path) -> Run:
    """The run of a folder that `save` wrote to."""
    values = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    base = at_home(folder.parent.parent, values["base"])
    return Run(folder=folder, **{**values, "base": base, "recipe": Recipe(**values["recipe"])})


def sweep(home: Path) -> None:
    """Remove what was estimated and never started."""
    for file in (home / FOLDER).glob("*/run.json"):
        run = load(file.parent)
        if run.state == "planned" and time.time() - run.created > UNSTARTED_SECONDS:
            shutil.rmtree(run.folder)
