"""Tuning a collection's model as a job: `accelerate launch` in processes of its own, followed from here.

A pause leaves a checkpoint, and so does a process that is killed, as far as it had come; the job goes on from there. At
the end the person's own questions are asked of both models.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from indexer.job import Requested, check_requested
from labse_search.errors import UserError
from labse_search.files import write_json
from labse_search.library import JobRow, Library, Source
from labse_search.library.records import FileOutcome, JobState
from labse_search.machine import end_with_parent
from labse_search.teach.runs import DEV_PAIRS, DEV_SHARES, FEWEST_TO_MEASURE_ON, Run, load, save

KIND = "tune"
LOOK_SECONDS = 0.5
STOP_SECONDS = 120.0  # for the step that is under way and its checkpoint
TRAINER = "labse_search.finetune"
FEW_KNOWN = (
    "{n} imported pairs to measure on are too few, {fewest} are needed: a part of the kept pairs is measured on."
)


def flags(run: Run) -> list[str]:
    """What `python -m labse_search.finetune` is given."""
    recipe, folder = run.recipe, run.folder
    given = ["--train", str(folder / "pairs.tsv"), "--model", run.base, "--output", str(run.model)]
    if run.questions:
        given += ["--questions", str(folder / "questions.tsv")]
    if run.known >= FEWEST_TO_MEASURE_ON:
        given += ["--dev", str(folder / "known.tsv")]
    else:
        share = min(DEV_SHARES[1], max(DEV_SHARES[0], DEV_PAIRS / max(run.pairs, 1)))
        given += ["--dev-fraction", f"{share:.3f}"]
    # Eight sentences in each of 77 languages: what it forgot outside its field. No language has enough of them to judge
    # it by itself, all together have.
    given += ["--regression", str(folder / "everyday.tsv"), "--max-regression", "1", "--max-language-drop", "100"]
    given += ["--epochs", f"{recipe.epochs:g}", "--global-batch-size", str(recipe.batch)]
    given += ["--learning-rate", f"{recipe.learning_rate:g}", "--scale", f"{recipe.scale:g}"]
    given += ["--margin", f"{recipe.margin:g}", "--accept", "lenient" if recipe.lenient else "strict"]
    if recipe.keep_answers:
        given += ["--teacher", run.base]
    return given


def estimate(run: Run, environ: dict[str, str] | None = None) -> Run:
    """The run with what it will take, measured on this machine in a process of its own. UserError with the sentence of
    the training where it could not begin: too few pairs, or none on which a gain could show; the run is then gone."""
    file = run.folder / "plan.json"
    command = [sys.executable, "-m", TRAINER, *flags(run), "--dry-run", "--plan", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=_root(), env=environ)
    if done.returncode or not file.is_file():
        shutil.rmtree(run.folder)
        sentence = _sentence(done.stderr) or f"The plan could not be made (exit status {done.returncode})."
        if "--dev" in command and "to measure on" in sentence:
            sentence += (
                " Those are the pairs to measure on that were imported, as far as they are fit for it: import more, or "
                "clear them, and a part of the kept pairs is measured on."
            )
        raise UserError(sentence)
    planned = replace(run, plan={**run.read("plan.json"), "processes": 1})
    planned.plan["processes"] = run.recipe.processes or _processes(planned.plan)
    save(planned)
    return planned


def _processes(plan: dict[str, Any]) -> int:
    """Two on a CPU, if there are cores and memory: each needs the memory for itself."""
    enough = plan["cores"] >= 2 and 2 * plan["memory"] < plan["free"]
    return 2 if plan["device"] == "cpu" and enough and plan["plan"]["global_batch"] % 2 == 0 else 1


def plan_sentence(run: Run) -> str:
    """What it takes, in one line or two."""
    plan, gib = run.plan, 2**30
    needed = plan["memory"] * plan["processes"]
    line = (
        f"about {max(1, round(plan['seconds'] / 60))} minutes on this machine, {needed / gib:.1f} GiB of memory in "
        f"{plan['processes']} processes ({plan['free'] / gib:.1f} GiB are free): {plan['training_pairs']:,} pairs to "
        f"train on, {plan['dev_pairs']:,} to measure on"
    )
    if 0 < run.known < FEWEST_TO_MEASURE_ON:
        line += f"\n{FEW_KNOWN.format(n=run.known, fewest=FEWEST_TO_MEASURE_ON)}"
    if needed > plan["free"]:
        line += "\nThis machine has too little free memory for it: close other programs first."
    return line


def add_tune_job(library: Library, run: Run) -> str:
    """A job that does what was planned. Returns its id. UserError while another tuning of the collection goes on."""
    if not run.plan:
        raise UserError("Say first what it takes: nothing is started unseen.")
    for job in library.ledger.jobs.unfinished():
        if job.kind == KIND and job.collection == run.collection:
            raise UserError(f"The model of {run.collection!r} is being tuned already. Wait for it, or cancel it.")
    source = Source(str(run.folder), run.name)
    job_id = library.ledger.jobs.add(KIND, run.collection, run.base, [source])
    (run.folder / "job").write_text(job_id, encoding="ascii")
    return job_id


def forget_cancelled(library: Library) -> None:
    """Remove what tunings left behind that were cancelled while nobody worked on them: such a job ends at once, and no
    worker clears up after it."""
    for job in library.jobs(kinds=(KIND,)):
        for file in library.job_files(job.id) if job.state == "cancelled" else ():
            folder = Path(file.source.path)
            if (folder / "run.json").is_file() and load(folder).state == "open":
                shutil.rmtree(folder)


class Tuning:
    """One job, in the thread that calls `run`: the main one of its process, since children end with it."""

    def __init__(
        self,
        library: Library,
        job: JobRow,
        *,
        environ: dict[str, str],
        report: Callable[[JobRow], None] = lambda job: None,
    ) -> None:
        self._library = library
        self._job = job.id
        self._environ = environ
        self._report = report
        self._file = library.job_files(job.id)[0]
        self._run = load(Path(self._file.source.path))

    def run(self) -> JobRow:
        """The job's row at its end: done, paused, cancelled, or failed with one sentence. A refusal is done, too."""
        jobs = self._library.ledger.jobs
        state: JobState = "failed"
        error = ""
        try:
            self._train()
            self._ask_own_questions()
            outcome = FileOutcome("added" if self._run.state == "accepted" else "unchanged")
            jobs.set_outcome(self._job, self._file.position, outcome)
            state = "done"
        except Requested as requested:
            state = requested.state
            if state == "cancelled":
                shutil.rmtree(self._run.folder)
        except (UserError, OSError) as problem:
            error = str(problem)
        finished = None if state == "paused" else time.time()
        jobs.set(self._job, state=state, error=error, finished=finished, current="", seconds_left=None)
        return self._library.job(self._job)

    def _train(self) -> None:
        """Start the training, or go on with it, and follow it to its end."""
        if self._run.state in ("accepted", "refused"):  # it was done before the job could say so
            return
        end_leftovers(self._run)
        with (self._run.folder / "output.log").open("ab") as log:
            launcher = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_root(),
                env={**self._environ, "PYTHONUNBUFFERED": "1"},
                preexec_fn=end_with_parent if os.name == "posix" else None,
            )
            try:
                self._follow(launcher)
            finally:
                stop(launcher, self._run)
        if self._run.state not in ("accepted", "refused"):
            log_text = (self._run.folder / "output.log").read_text(encoding="utf-8", errors="replace")
            raise UserError(_sentence(log_text) or f"The training ended with status {launcher.returncode}.")

    def _command(self) -> list[str]:
        cpu = ["--cpu"] if self._run.plan["device"] == "cpu" else []
        return [
            sys.executable, "-m", "accelerate.commands.launch", *cpu, "--num_machines", "1",
            "--mixed_precision", "no", "--dynamo_backend", "no",  # what it would choose, without a warning; ours count
            "--num_processes", str(self._run.plan["processes"]), "-m", TRAINER, *flags(self._run),
        ]  # fmt: skip

    def _follow(self, launcher: subprocess.Popen[bytes]) -> None:
        told: tuple[object, ...] = ()
        while launcher.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                launcher.wait(LOOK_SECONDS)
            check_requested(self._library, self._job)
            progress = self._run.read("progress.json")
            now = (self._run.last_line(), progress.get("step", 0), progress.get("seconds_left"))
            if now != told:
                told = now
                jobs = self._library.ledger.jobs
                jobs.set(self._job, current=now[0], segments=now[1], seconds_left=now[2])
                self._report(self._library.job(self._job))

    def _ask_own_questions(self) -> None:
        """What the person's held-out questions find before and after; nothing where there are none."""
        tuned = self._run.tuned
        if tuned is None or self._run.read("judged.json"):
            return
        self._library.ledger.jobs.set(self._job, current="own questions", seconds_left=None)
        command = [
            sys.executable, "-m", "labse_search.evaluate", "judgements", "--collection", self._run.collection,
            "--model", self._run.base, "--model", str(tuned), "--json",
        ]  # fmt: skip
        environ = {**self._environ, "LABSE_HOME": str(self._library.home)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=_root(), env=environ)
        target = self._run.folder / "judged.json"
        if done.returncode == 0:
            target.write_text(done.stdout, encoding="utf-8")
        else:
            write_json(target, {"none": _sentence(done.stderr) or f"exit status {done.returncode}"})


def stop(launcher: subprocess.Popen[bytes], run: Run) -> None:
    """End a training so that it leaves a checkpoint: its own processes are asked, the launcher would just die. One that
    has none, because it has not come to starting them, has nothing to keep and is killed at once."""
    deadline = time.monotonic() + STOP_SECONDS
    asked: set[psutil.Process] = set()
    while launcher.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            processes = psutil.Process(launcher.pid).children()
            if not processes:
                break
            for process in processes:
                if process not in asked:
                    asked.add(process)
                    process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            launcher.wait(LOOK_SECONDS)
    launcher.kill()
    launcher.wait()
    end_leftovers(run)  # those that it started in its last moment, or that did not do as asked


def end_leftovers(run: Run) -> None:
    """End the processes of this very run whose launcher is gone, where the system does not do so by itself."""
    mine = str(run.model)
    left = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if TRAINER in words and mine in words and process.pid != os.getpid():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=STOP_SECONDS)


def _sentence(output: str) -> str:
    """What the training says went wrong."""
    lines = [line.removeprefix("error: ") for line in output.splitlines() if line.startswith("error: ")]
    return lines[-1].strip() if lines else ""


def _root() -> Path:
    """The folder that `python -m` finds this program in."""
    return Path(__file__).resolve().parent.parent.parent
