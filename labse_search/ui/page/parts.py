"""What all tabs are made of: components that scripts fill, and handlers with the collection's name in front.

Values reach the scripts as props; no template ever sees them. Handlers are called ui_* and hidden from Gradio's API
listing: a handler's name would otherwise claim the name of the published `search`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.query import Query
from labse_search.ui.scripts import fetched
from labse_search.ui.theme import script

# An event of the page: no spinner over the component, not in the API listing, and a request of its own. Gradio's queue
# sends all answers through one stream, which it ends when none is awaited; a page that has just asked again when it
# hears of that (gradio 6.31, close_stream in its client) takes its new question for broken: "Connection errored out".
# None is left out: by default Gradio forgets one that comes while the last of its kind is on its way.
QUIET: dict[str, Any] = {
    "show_progress": "hidden",
    "api_visibility": "private",
    "queue": False,
    "trigger_mode": "multiple",
}
# One that only asks what is to be shown now: while one is on its way another waits, and stands for all that come then.
# Never with data of its own: with the one that has waited, Gradio would send the data of the one before.
SHOWN: dict[str, Any] = {**QUIET, "trigger_mode": "always_last"}
# One that may come before the hidden field holds the collection that the address names: while the page loads, and after
# Back and Forward. The collection is the first of its inputs.
BY_ADDRESS: dict[str, Any] = {**QUIET, "js": "(name, ...rest) => [labse.opened(name), ...rest]"}
# Run in the browser before a search: the address bar, and the sign that something is going on. A new question leaves
# "passages like this one", also in the address; what is sorted or steered is what that says; restoring an address
# takes the fields as they were filled from it. The first search also minds what was asked before.
_ADDRESS = """(q, mode, only, lang, kind, folder, doc, added, like, steer, sort, collection) => {
  %s
  const turn = labse.remember({ q, mode: mode === 'both' ? '' : mode, only, lang, kind, folder, doc, added, like, steer,
    sort, collection: collection === window.labseCollection ? '' : collection });
  if (like || (q && q.trim())) labse.busy();
  return [q, mode, only, lang, kind, folder, doc, added, like, steer, sort, collection, turn];
}"""
REMEMBER = _ADDRESS % "like = '';"
STAY = _ADDRESS % "like = labse.parameter('like');"  # the field still has what a new question has left
RESTORE = _ADDRESS % ""
FIRST = _ADDRESS % "[q, like] = labse.early.begin(q, like);"


@dataclass(frozen=True)
class Parts:
    """The components that more than one tab writes to."""

    collection: Any  # hidden: the name of the open collection
    turn: Any  # hidden: how many searches the page has begun
    fields: list[Any]  # the question and its filters, in the order of Query's fields
    results: Any
    viewer: Any
    header: Any
    drop: Any
    watches: Any
    jobs: Any
    findings: Any
    documents: Any
    settings: Any

    @property
    def inputs(self) -> list[Any]:
        """What a question's handler is given: its fields, then the collection."""
        return [*self.fields, self.collection]


# What a first visit shows; the script of any other component is fetched when the component is drawn.
_AT_FIRST = frozenset({"header", "results"})
# What opens over the page, and the parameter of the address that opens it: its script is fetched then.
_OPENED_BY = {"viewer": "view", "align": "align"}


def component(name: str, root: str, elem_id: str, tag: str = "div", **attributes: str) -> gr.HTML:
    """An empty element that static/<name>.js fills from props.value."""
    extra = "".join(f' {key}="{value}"' for key, value in attributes.items())
    template = f'<{tag} class="{root}"{extra}></{tag}>'
    source = script(name) if name in _AT_FIRST else fetched(name, _OPENED_BY.get(name, ""))
    return gr.HTML({}, html_template=template, js_on_load=source, elem_id=elem_id, apply_default_css=False)


def with_event(handlers: Handlers, handle: Callable[[str, Event], Any]) -> Callable[..., Any]:
    """`handle` of (collection, event) for Gradio, which passes the collection's name and what a script sent."""

    def ui_event(name: str, event: gr.EventData) -> Any:
        return answered(handle(handlers.shared.collection_named(name), Event(event._data)))

    return ui_event


def with_name(handlers: Handlers, handle: Callable[[str], Any]) -> Callable[..., Any]:
    """The same for a handler that needs the collection alone."""

    def ui_name(name: str) -> Any:
        return answered(handle(handlers.shared.collection_named(name)))

    return ui_name


def answered(value: Any) -> Any:
    """The value, or each of several, as one that differs from the last: of an equal one Gradio tells a script nothing,
    and a button that waits for the answer would wait for ever."""
    if isinstance(value, tuple):
        return tuple(answered(one) for one in value)
    return {"nonce": time.time_ns()} | value


def searching(handlers: Handlers, parts: Parts, js: str = REMEMBER) -> dict[str, Any]:
    """The event that answers what the controls say; by the turn the page knows an answer that a later one overtook."""

    def ui_search(*values: Any) -> Any:
        *controls, collection, turn = values
        name = handlers.shared.collection_named(collection)
        return handlers.search.results(Query.from_controls(*controls), name) | {"turn": str(turn)[:20]}

    return {"fn": ui_search, "inputs": [*parts.inputs, parts.turn], "outputs": parts.results, "js": js, **QUIET}
