"""The Teach tab."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, SHOWN, Parts, component, with_event, with_name


@dataclass(frozen=True)
class Teach:
    """The tab's components."""

    pairs: Any
    judged: Any
    tuned: Any


def components() -> Teach:
    """The tab's three parts: the review list, the judged answers, tuning."""
    names = {"pairs": "pairs-part", "judged": "judged-part", "tune": "tune-part"}
    return Teach(*(component(name, f"teach {part}", f"teach-{name}") for name, part in names.items()))


def wire(handlers: Handlers, parts: Parts, teach: Teach, tab: Any) -> None:
    """Connect the Teach tab's events with its handlers."""
    teaching, judging, collection = handlers.teaching, handlers.judging, parts.collection
    pairs, judged, tuned, tuning = teach.pairs, teach.judged, teach.tuned, handlers.tuning
    for part, shown in ((teaching, pairs), (judging, judged), (tuning, tuned)):
        tab.select(with_name(handlers, part.shown), collection, shown, **BY_ADDRESS)
    parts.results.judge(with_event(handlers, judging.judge), collection, judged, **QUIET)
    judged.shown(with_name(handlers, judging.shown), collection, judged, **SHOWN)
    judged.forget(with_event(handlers, judging.forget), collection, judged, **QUIET)
    pairs.look(with_name(handlers, teaching.look), collection, pairs, **SHOWN)
    for name in ("mine", "take_in", "clear_pairs"):
        getattr(pairs, name)(with_event(handlers, getattr(teaching, name)), collection, pairs, **QUIET)
    for name in ("shown", "request", "say", "take_back"):
        getattr(pairs, name)(with_event(handlers, getattr(teaching, name)), collection, pairs, **QUIET)
    tuned.look(with_name(handlers, tuning.shown), collection, tuned, **SHOWN)
    for name in ("plan", "start", "use_model", "switch", "delete_run"):
        getattr(tuned, name)(with_event(handlers, getattr(tuning, name)), collection, tuned, **QUIET)
    tuned.request(with_event(handlers, tuning.request), collection, tuned, **QUIET)
