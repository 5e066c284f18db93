"""The models of a collection: which one answers, how to get another, and embedding again by it. No gradio here."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from indexer.estimate import measured_rate, probed_rate
from indexer.fetching import KIND, add_fetch_job
from indexer.generations import drop, switch
from labse_search.encoder import load_encoder
from labse_search.encoder.fetch import look_up
from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import find_model, is_here
from labse_search.errors import UserError
from labse_search.library import JobRow
from labse_search.library.jobs import UNFINISHED
from labse_search.settings import save
from labse_search.ui.events import Event
from labse_search.ui.handlers.base import Shared, Value, guarded, same_collection, sentence, then_shown
from labse_search.ui.handlers.jobs import ask_job, embed_again, job_value
from labse_search.ui.model_value import SUGGESTED, model_name, model_value
from labse_search.ui.strings import text

SHOWN = 3  # jobs that fetch, the newest
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)


class ModelHandlers:
    """What the part about models asks for. Any thread may call, for any collection."""

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.context = shared.context

    def shown(self, collection: str, message: str = "", **more: Any) -> Value:
        """The collection's models and what is being made of them."""

        def look() -> Value:
            generations = self.context.library.ledger.generations.all(collection)
            return {
                "used": model_value(self.context.model_of(collection)),
                "generations": [
                    {
                        "number": one.number,
                        "name": model_name(one.model),
                        "state": one.state,
                        "segments": one.segments,
                        "job": self._building(one.job) if one.state == "building" else None,
                    }
                    for one in generations
                ],
                "fetches": self.fetches(),
                "suggested": [*dict.fromkeys([*SUGGESTED, *self._tuned(collection)])],
                "new_model": self.context.new_model,
                "fixed": "model" in self.context.settings.fixed or not self.context.local,
            }

        value = guarded(look, lambda *failed: {"generations": [], "message": sentence(*failed)})
        return {"message": message, **value, "collection": collection, "nonce": time.time_ns(), **more}

    def look_at(self, collection: str, event: Event) -> Value:
        """What a model would take: to be fetched, and to embed the collection again. A model that is here is loaded
        for that and measured, which takes seconds."""

        def look() -> Value:
            model = self._named(collection, event)
            value = model_value(model)
            passages = self.shared.status.counts(collection).passages
            if value["here"]:
                rate = measured_rate(self.context.library, model) or self.context.probe(model)
                if rate is None and passages:
                    rate = probed_rate(load_encoder(model, precision=self.context.settings.precision))
                value["seconds"] = passages / rate if rate else None
            else:
                hub = look_up(find_or_name(model))
                value |= {"fetch_bytes": hub.bytes, "fetched": hub.fetched()}
            return self.shown(collection, candidate=value | {"passages": passages})

        return guarded(look, lambda *failed: self.shown(collection, sentence(*failed)))

    def fetch(self, collection: str, event: Event) -> Value:
        """Let a job fetch a model from the hub."""

        def begin() -> None:
            add_fetch_job(self.context.library, collection, look_up(self._named(collection, event)))
            self.context.wake()

        return then_shown(begin, self.shown, collection)

    def use_for_new(self, collection: str, event: Event) -> Value:
        """Make new collections with this model, and this one if nothing is in it yet."""

        def keep() -> None:
            if not self.context.local:
                raise UserError(text("settings_note"))
            model = event.text("model").strip()
            read_folder(find_model(model))  # raises what a person should know
            save(self.context.settings.home, {"model": model})

        return then_shown(keep, self.shown, collection)

    def embed_again(self, collection: str, event: Event) -> Value:
        """Build the collection's next generation by another model; the one that answers goes on answering."""

        def begin() -> None:
            same_collection(collection, event)
            model = self._named(collection, event)
            if not is_here(model):
                raise UserError(text("gen_model"))
            embed_again(self.context, collection, model)

        return then_shown(begin, self.shown, collection)

    def switch(self, collection: str, event: Event) -> Value:
        """Let another generation answer."""

        def act() -> None:
            same_collection(collection, event)
            if switch(self.context.library, self.context.store, collection, _number(event)) is not None:
                self.context.wake()

        return then_shown(act, self.shown, collection)

    def drop_generation(self, collection: str, event: Event) -> Value:
        """Free a generation that does not answer."""

        def act() -> None:
            same_collection(collection, event)
            drop(self.context.library, self.context.store, collection, _number(event))

        return then_shown(act, self.shown, collection)

    def request(self, collection: str, event: Event) -> Value:
        """Pause, cancel or go on with a job that fetches or embeds again."""
        return then_shown(lambda: ask_job(self.context, event), self.shown, collection)

    def fetches(self) -> list[Value]:
        """The newest jobs that fetch a model, whichever collection they were begun for."""
        rows = self.context.library.jobs(limit=SHOWN, kinds=(KIND,))
        if any(job.state in ("queued", "running") for job in rows):
            self.context.wake()  # a worker that died is replaced
        return [job_value(job) | {"model": job.model, "bytes": job.bytes} for job in rows]

    def _named(self, collection: str, event: Event) -> str:
        """The model that the event names. UserError without one; and for any path, whether there is something or not,
        where others reach the page: they must not learn of this computer's folders, nor have them read."""
        model = event.text("model").strip()
        if not model:
            raise UserError(text("gen_model"))
        offered = (*SUGGESTED, *self._tuned(collection))
        if not self.context.local and model not in offered and (not _HUB_NAME.fullmatch(model) or Path(model).exists()):
            raise UserError(text("model_unlisted"))
        return model

    def _building(self, job: str) -> Value | None:
        row: JobRow | None = guarded(lambda: self.context.library.job(job), lambda *failed: None)
        return job_value(row) if row is not None and row.state in (*UNFINISHED, "failed", "cancelled") else None

    def _tuned(self, collection: str) -> list[str]:
        from labse_search.teach.runs import runs

        return [str(one.model) for one in runs(self.context.settings.home, collection) if one.state == "accepted"]


def find_or_name(model: str) -> str:
    """The name to ask the hub for; a ModelUnavailable says why if this is a path."""
    if "\\" in model or model.startswith(("/", "~", ".")) or model.count("/") > 1:
        find_model(model)
    return model


def _number(event: Event) -> int:
    number = event.number("number")
    if number is None:
        raise UserError(text("gone"))
    return number
