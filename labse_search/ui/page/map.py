"""The map in the Collection tab."""

from __future__ import annotations

from typing import Any

from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, SHOWN, Parts, component, with_event, with_name


def part() -> Any:
    """The map's component; what draws it is fetched when it is looked at."""
    return component("map", "documents map-part", "map")


def wire(handlers: Handlers, parts: Parts, shown: Any, tab: Any) -> None:
    """Connect the map's events with their handlers."""
    tab.select(with_name(handlers, handlers.map.shown), parts.collection, shown, **BY_ADDRESS)
    parts.collection.change(with_name(handlers, handlers.map.shown), parts.collection, shown, **SHOWN)
    shown.look(with_name(handlers, handlers.map.shown), parts.collection, shown, **SHOWN)
    shown.make(with_event(handlers, handlers.map.make), parts.collection, shown, **QUIET)
    shown.request(with_event(handlers, handlers.map.request), parts.collection, shown, **QUIET)
