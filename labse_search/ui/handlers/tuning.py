"""What happens with tuning: said what it takes, done as a job, shown before and after, applied, taken back. Values in,
values out; no gradio here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from indexer.generations import switch
from labse_search.errors import UserError
from labse_search.library import JobRow
from labse_search.library.generations import Generation
from labse_search.library.jobs import UNFINISHED
from labse_search.teach.runs import Recipe, Run, find_run, is_outdated, plan_run, runs
from labse_search.teach.tuning import KIND, add_tune_job, estimate
from labse_search.teach.uses import uses_of
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, looked, same_collection, sentence, then_shown
from labse_search.ui.handlers.jobs import ask_job, embed_again, job_value
from labse_search.ui.handlers.teaching import threshold_of
from labse_search.ui.strings import text

CURVES = 6  # drawn, of the newest runs; the others are listed, since their models lie there and may answer
POINTS = 200  # of a curve
PLOTS = ("similarities", "alpha")  # the curves are drawn by the page, what the languages gained stands in a table
MOST = {"epochs": 1000.0, "processes": 16.0, "batch": 100_000.0, "learning_rate": 1.0, "scale": 1000.0, "margin": 1.0}


class TuningHandlers:
    """What the Teach tab does with trainings."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def shown(self, collection: str, message: str = "") -> Value:
        """All tunings of a collection: how far they are, what came of them, and whether they answer."""

        def look() -> Value:
            home, ledger = self.context.settings.home, self.context.library.ledger
            generations = ledger.generations.all(collection)
            jobs = {one.id: one for one in self.context.library.jobs(collection, kinds=(KIND, "reembed"))}
            if any(one.state in ("queued", "running") for one in jobs.values()):
                self.context.wake()  # a worker that died is replaced
            found = [run_value(run, jobs, generations) for run in runs(home, collection)]
            for value in found[CURVES:]:
                value |= {"loss": [], "accuracy": []}
            before = [one for one in generations if one.state == "ready" and one.served is not None]
            return {
                "runs": found,
                "model": self.context.model_of(collection),
                "passages": sum(one.segments for one in generations if one.state == "serving"),
                "back": max(before, key=lambda one: one.served or 0.0).number if before else None,
                "message": message,
            }

        value = looked(look, lambda *failed: {"runs": [], "message": sentence(*failed)})
        return value | {"collection": collection}

    def plan(self, collection: str, event: Event) -> Value:
        """Write down what would be trained, and measure on this machine what it takes. Takes as long as that does."""

        def make() -> None:
            same_collection(collection, event)
            for run in runs(self.context.settings.home, collection):
                if run.state == "planned":
                    shutil.rmtree(run.folder)
            base = self.context.model_of(collection)
            run = plan_run(
                self.shared.teaching, collection, base=base, recipe=recipe_of(event), threshold=threshold_of(event)
            )
            estimate(run)

        return then_shown(make, self.shown, collection) | {"planned": True}

    def start(self, collection: str, event: Event) -> Value:
        """Make a job of a planned run, if it still is what the event and the review list say. All runs then."""

        def begin() -> None:
            run = self._run(event)
            base, recipe, threshold = self.context.model_of(run.collection), recipe_of(event), threshold_of(event)
            if is_outdated(self.shared.teaching, run, base=base, recipe=recipe, threshold=threshold):
                raise UserError(
                    "What is trained, on which pairs or how, was changed since. See again what it takes: nothing was "
                    "started."
                )
            add_tune_job(self.context.library, run)
            self.context.wake()

        return then_shown(begin, self.shown, collection)

    def request(self, collection: str, event: Event) -> Value:
        """Pause, go on with or cancel a job of the tab."""
        return then_shown(lambda: ask_job(self.context, event), self.shown, collection)

    def delete_run(self, collection: str, event: Event) -> Value:
        """Forget a tuning with its model. UserError while a job makes it, and where anything in this home needs it: the
        other collections, too."""

        def delete() -> None:
            run = self._run(event)
            open_jobs = [job for job in self.context.library.ledger.jobs.unfinished() if job.kind == KIND]
            if any(one.id == run.job for one in open_jobs):
                raise UserError(f"{run.name} is still being made. Cancel it first.")
            uses = uses_of(self.context.library, run, new_model=self.context.new_model)
            if uses:
                raise UserError(
                    f"This model is needed by {', '.join(uses)}. Give them another model first; of a collection, free "
                    "the room of the old generation then."
                )
            shutil.rmtree(run.folder)

        return then_shown(delete, self.shown, collection)

    def use_model(self, collection: str, event: Event) -> Value:
        """Embed the collection again by an accepted model, beside the one that answers."""

        def begin() -> None:
            same_collection(collection, event)
            run = self._run(event)
            if run.state != "accepted":
                raise UserError(text("gone"))
            embed_again(self.context, collection, str(run.model))

        return then_shown(begin, self.shown, collection)

    def switch(self, collection: str, event: Event) -> Value:
        """Let another generation answer: the tuned model, or the one before."""

        def act() -> None:
            same_collection(collection, event)
            number = event.number("number")
            if number is None:
                raise UserError(text("gone"))
            if switch(self.context.library, self.context.store, collection, number) is not None:
                self.context.wake()

        return then_shown(act, self.shown, collection)

    def plot(self, name: str, plot: str) -> Path | None:
        """The picture of a run; None if there is none."""
        try:
            run = find_run(self.context.settings.home, name)
        except UserError:
            return None
        path = run.file("plots") / f"{plot}.png"
        return path if plot in PLOTS and path.is_file() else None

    def _run(self, event: Event) -> Run:
        return find_run(self.context.settings.home, event.text("name"))


def run_value(run: Run, jobs: dict[str, JobRow], generations: list[Generation]) -> Value:
    """For tune.js."""
    job = jobs.get(run.job)
    made = next((one for one in generations if one.model == str(run.model)), None)
    building = jobs.get(made.job) if made is not None and made.state == "building" else None
    value: Value = {
        "name": run.name,
        "state": run.state,
        "created": run.created,
        "base": Path(run.base).name,
        "counts": {"pairs": run.pairs, "questions": run.questions, "known": run.known},
        "plan": run.plan,
        "job": job_value(job) if job is not None and job.state in (*UNFINISHED, "failed") else None,
        "generation": {"number": made.number, "state": made.state} if made else None,
        "building": job_value(building) if building is not None else None,
    }
    return value | curves(run) | verdict(run)


def curves(run: Run) -> Value:
    """How far a training is, and its curves: [step, loss] and [step, accuracy in percent]."""
    history = run.history() if run.state != "planned" else []
    loss = [[one["step"], round(one["loss"], 5)] for one in history if "loss" in one]
    accuracy = [[one["step"], round(100 * one["dev_accuracy"], 3)] for one in history if "dev_accuracy" in one]
    progress = run.read("progress.json")
    thin = max(1, -(-len(loss) // POINTS))
    return {
        "loss": loss[::thin],
        "accuracy": accuracy,
        "step": max([progress.get("step", 0), *(step for step, _ in loss[-1:])]),
        "steps": progress.get("steps", 0) or run.plan.get("plan", {}).get("steps", 0),
    }


def verdict(run: Run) -> Value:
    """What the gate and the person's own questions said; empty before."""
    metrics = run.read("metrics.json")
    if not metrics:
        return {"verdict": None, "own": None, "plots": []}
    gain = metrics.get("gain_points")
    table = [
        {"name": name, "before": before, "after": after}
        for name, before, after in metrics.get("table", [])
        if not name.startswith("worst")  # of the everyday sentences a language has eight: too few to say anything
    ]
    plots = [name for name in PLOTS if (run.file("plots") / f"{name}.png").is_file()]
    languages = [{"name": name, **row} for name, row in metrics.get("by_language", {}).items()]
    found = {"reason": metrics["reason"], "gain": gain, "table": table, "languages": languages}
    return {"verdict": found, "own": own_questions(run.read("judged.json")), "plots": plots}


def own_questions(judged: dict[str, Any]) -> Value | None:
    """Old answer and new answer of each question, and how many have a right one among the first three."""
    if "models" not in judged:
        return {"none": judged["none"]} if judged.get("none") else None
    before, after = judged["models"]
    rows = [
        {"question": old["question"], "before": old, "after": new}
        for old, new in zip(before["items"], after["items"], strict=True)
    ]
    found = [sum(one["rank"] <= 3 for one in model["items"]) / max(len(rows), 1) for model in (before, after)]
    change = judged["differences"][0]
    return {"rows": rows, "before": found[0], "after": found[1], "low": change["low"], "high": change["high"]}


def recipe_of(event: Event) -> Recipe:
    """What was chosen, at most what is within reason; what is not of its kind is left as it is by default."""
    chosen: dict[str, Any] = {}
    for name, most in MOST.items():
        try:
            value = float(event.text(name))
        except ValueError:
            continue
        if value >= 0:
            chosen[name] = int(min(value, most)) if name in ("processes", "batch") else min(value, most)
    chosen["keep_answers"] = event.text("keep_answers") != "no"
    chosen["lenient"] = event.text("lenient") == "yes"
    return Recipe(**chosen)
