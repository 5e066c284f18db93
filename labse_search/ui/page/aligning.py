"""Translations among the documents: their list in the Collection tab, and the reader of two side by side."""

from __future__ import annotations

from typing import Any

from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, SHOWN, Parts, component, with_event, with_name


def components() -> Any:
    """The list of documents that are translations of each other."""
    return component("translations", "documents translations", "translations")


def reader() -> Any:
    """The dialog with two documents."""
    return component("align", "align", "align", "dialog", **{"aria-labelledby": "labse-align-title"})


def wire(handlers: Handlers, parts: Parts, shown: tuple[Any, Any], tab: Any) -> None:
    """Connect the list and the reader with their handlers."""
    aligning, collection, (listed, two) = handlers.aligning, parts.collection, shown
    tab.select(with_name(handlers, aligning.shown), collection, listed, **BY_ADDRESS)
    listed.shown(with_name(handlers, aligning.shown), collection, listed, **SHOWN)
    listed.request(with_event(handlers, aligning.request), collection, listed, **QUIET)
    listed.forget(with_event(handlers, aligning.forget), collection, listed, **QUIET)
    two.align(with_event(handlers, aligning.align), collection, two, **BY_ADDRESS)
    two.request(with_event(handlers, aligning.ask), collection, two, **QUIET)
    two.correct(with_event(handlers, aligning.correct), collection, two, **QUIET)
    two.to_review(with_event(handlers, aligning.to_review), collection, two, **QUIET)
