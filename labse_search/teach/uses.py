"""Who needs a tuned model: what would no longer work without it."""

from __future__ import annotations

from pathlib import Path

from labse_search.home import at_home
from labse_search.library import Library
from labse_search.teach.runs import Run, every_run


def uses_of(library: Library, run: Run, *, new_model: str) -> list[str]:
    """What is made, or will be made, by weights in the run's folder, each in words for a person; empty where the run
    may go. `new_model`: the model of new collections."""
    ledger, folder = library.ledger, run.folder.resolve()

    def inside(model: str) -> bool:
        return Path(at_home(library.home, model)).expanduser().resolve().is_relative_to(folder)

    found = []
    for name, (model, _) in ledger.collections.all().items():
        if inside(model):
            found.append(f"the collection {name!r}")
        generations = [one for one in ledger.generations.all(name) if one.state != "serving" and inside(one.model)]
        found += [f"generation {one.number} of {name!r}" for one in generations]
    if new_model and inside(new_model):
        found.append("new collections")
    # A tuning that failed can go on from its checkpoint, for which it reads its base again.
    others = [one for one in every_run(library.home) if one.name != run.name and one.state in ("planned", "open")]
    found += [f"the tuning {one.name} of {one.collection!r}" for one in others if inside(one.base)]
    jobs = [job for job in ledger.jobs.unfinished() if job.id != run.job and inside(job.model)]
    found += [f"a job of {name!r}" for name in dict.fromkeys(job.collection for job in jobs)]
    return found
