"""The tab of what is kept: passages, searches, and the answers to tables of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, SHOWN, Parts, component, with_event, with_name
from labse_search.ui.query import Query


@dataclass(frozen=True)
class Kept:
    """The tab's components besides the findings."""

    saved: Any
    batch: Any


def components() -> Kept:
    """The lists of saved searches and of answered tables, below the findings."""
    return Kept(component("saved", "saved", "saved"), component("batch", "batch jobs", "batch"))


def wire(handlers: Handlers, parts: Parts, more: Kept, tab: Any) -> None:
    """Connect the stars and the Kept tab with their handlers."""
    _wire_findings(handlers, parts)
    collection, saved, batch = parts.collection, more.saved, more.batch

    def save(name: str, event: Event) -> Any:
        # What the address says and not the controls: somebody may be typing the next question already.
        return handlers.saved.toggle(name, Query.from_address(dict(parse_qsl(event.text("address")))))

    # The list may not be drawn yet: the button above the answers hears itself what became of it.
    told = "value => { window.dispatchEvent(new CustomEvent('labse-saved', { detail: value || {} })); }"
    kept = parts.results.save_search(with_event(handlers, save), collection, saved, **QUIET)
    kept.success(None, saved, None, js=told, **QUIET)
    for handle, shown in ((handlers.saved.shown, saved), (handlers.batch.shown, batch)):
        tab.select(with_name(handlers, handle), collection, shown, **BY_ADDRESS)
        collection.change(with_name(handlers, handle), collection, shown, **SHOWN)
    saved.open(with_event(handlers, handlers.saved.open), collection, saved, **QUIET)
    saved.drop(with_event(handlers, handlers.saved.drop), collection, saved, **QUIET)
    batch.take_in(with_event(handlers, handlers.batch.take_in), collection, batch, **QUIET)
    batch.request(with_event(handlers, handlers.batch.request), collection, batch, **QUIET)
    batch.look(with_name(handlers, handlers.batch.shown), collection, batch, **SHOWN)


def _wire_findings(handlers: Handlers, parts: Parts) -> None:
    kept, collection, shown = handlers.findings, parts.collection, parts.findings
    parts.results.keep(with_event(handlers, kept.keep), collection, shown, **QUIET)
    parts.results.unkeep(with_event(handlers, kept.drop), collection, shown, **QUIET)
    shown.annotate(with_event(handlers, kept.annotate), collection, shown, **QUIET)
    shown.drop(with_event(handlers, kept.drop), collection, shown, **QUIET)
