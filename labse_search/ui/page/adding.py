"""The tab where documents are added, and its jobs."""

from __future__ import annotations

from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.handlers.base import Value
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, Parts, with_event, with_name


def wire(handlers: Handlers, parts: Parts) -> None:
    """Connect the Add tab's events with its handlers."""
    adding, collection, drop = handlers.adding, parts.collection, parts.drop
    tick = with_name(handlers, adding.tick)
    shown = [parts.header, parts.jobs]
    drop.stage(with_event(handlers, adding.stage), collection, drop, **BY_ADDRESS)
    drop.check_path(with_event(handlers, adding.check_path), collection, drop, **QUIET)
    drop.start(with_event(handlers, adding.start), collection, drop, **QUIET).then(tick, collection, shown, **QUIET)
    drop.discard(with_event(handlers, adding.discard), collection, drop, **QUIET)
    parts.jobs.request(with_event(handlers, adding.request), collection, shown, **QUIET)
    watches = handlers.watches

    def watch(name: str, event: Event) -> tuple[Value, Value]:
        watched = watches.add(name, event)
        plan = adding.drop(token=event.text("token")) if watched["message"] else adding.watched(name, event)
        return watched, plan

    drop.watch(with_event(handlers, watch), collection, [parts.watches, drop], **QUIET)
    parts.watches.stop(with_event(handlers, watches.stop), collection, parts.watches, **QUIET)
    parts.watches.keep(with_event(handlers, watches.keep), collection, parts.watches, **QUIET)
    parts.watches.remove_now(with_event(handlers, watches.remove_now), collection, parts.watches, **QUIET)
