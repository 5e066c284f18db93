"""The Search tab: the question, its filters, the answers and the reader."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args
from urllib.parse import parse_qsl

import gradio as gr

from labse_search.errors import UserError
from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.handlers.search import MOST, PAGE
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, RESTORE, STAY, Parts, searching, with_event, with_name
from labse_search.ui.query import PERIOD_NAMES, Asked, Query, strings
from labse_search.ui.strings import text


def controls() -> tuple[list[Any], Any, Any]:
    """(question and filters in the order of Query's fields, button, the filters' accordion)."""
    with gr.Row(elem_id="ask-row"):
        question = gr.Textbox(
            elem_id="question", placeholder=text("ask"), label=text("ask"), show_label=False, container=False,
            lines=1, max_lines=4, scale=8, autofocus=True, max_length=5000,
        )  # fmt: skip
        go = gr.Button(text("search"), variant="primary", scale=1, elem_id="go")
    with gr.Row(elem_id="how-row"):
        modes = [(text(f"mode_{mode}"), mode) for mode in get_args(Asked)]
        mode = gr.Radio(modes, value="both", label=text("mode"), show_label=False, container=False, elem_id="mode")
        only = gr.Checkbox(False, label=text("only_other"), container=False, elem_id="only")
    with gr.Accordion(text("filters"), open=False, elem_id="filters") as accordion:
        with gr.Row():
            languages = _choice("filter_languages", "languages")
            kinds = _choice("filter_kinds", "kinds")
        with gr.Row():
            folders = _choice("filter_folders", "folders")
            documents = _choice("filter_documents", "documents")
            periods = [(text(name), key) for key, name in PERIOD_NAMES.items()]
            added = gr.Dropdown(periods, value="", label=text("filter_added"), elem_id="added")
    like, steers, sort = (gr.Textbox("", visible="hidden", elem_id=name) for name in ("like", "steers", "sort"))
    return [question, mode, only, languages, kinds, folders, documents, added, like, steers, sort], go, accordion


def _choice(label: str, elem_id: str) -> gr.Dropdown:
    # allow_custom_value: a bookmark may name a folder that is gone, which is an empty answer and not an error.
    return gr.Dropdown([], value=[], multiselect=True, label=text(label), elem_id=elem_id, allow_custom_value=True)


def wire(handlers: Handlers, parts: Parts, go: Any, accordion: Any) -> None:
    """Connect the question, its filters and the results with their handlers."""
    fields, collection, results = parts.fields, parts.collection, parts.results
    question, mode, only, languages, kinds, folders, documents, added, like, steers, sort = fields
    some = [languages, kinds, folders, documents]

    def extend(name: str, event: Event) -> Any:
        # What the address says and not the controls: somebody may be typing the next question already.
        limit, query = event.number("limit", MOST + 1), Query.from_address(dict(parse_qsl(event.text("address"))))
        return handlers.search.results(query, name, limit or PAGE) | {"turn": str(event.number("turn") or "")}

    def ui_ask(event: gr.EventData) -> Any:
        return Event(event._data).text("text"), ""  # another question: what the last one was steered by says nothing

    def sent(key: str) -> Callable[[gr.EventData], str]:
        def ui_sent(event: gr.EventData) -> str:
            return Event(event._data).text(key)

        return ui_sent

    def ui_facet(event: gr.EventData, *values: Any) -> Any:
        query = Query.from_controls(*values)
        for one in Event(event._data).events("filters"):
            query = query.chosen(one.text("name"), one.text("value"), on=one.text("on") == "yes")
        return query.controls()

    def ui_drop_filter(event: gr.EventData, *values: Any) -> Any:
        query = Query.from_controls(*values)
        for one in Event(event._data).events("filters"):
            query = query.without(one.text("name"), one.text("value"))
        return query.controls()

    def ui_choices(name: str, *chosen: Any) -> Any:
        choices = handlers.search.choices(handlers.shared.collection_named(name))
        kept = [list(strings(value)) for value in chosen]  # what a browser sent is not repeated as it is
        return [gr.update(choices=offered, value=value) for offered, value in zip(choices, kept, strict=True)]

    search, staying, restored = (searching(handlers, parts, *js) for js in ((), (STAY,), (RESTORE,)))
    latest = search | {"trigger_mode": "always_last"}
    triggers = [question.submit, go.click, mode.input, only.input, added.input, *(one.input for one in some)]
    gr.on(triggers, **latest)
    results.again(**latest)
    results.extend(with_event(handlers, extend), collection, results, **QUIET)
    results.ask(ui_ask, None, [question, steers], **QUIET).then(**search)
    results.like(sent("like"), None, like, **QUIET).then(**restored)
    results.steer(sent("steers"), None, steers, **QUIET).then(**staying)
    results.sort(sent("sort"), None, sort, **QUIET).then(**staying)
    results.facet(ui_facet, fields, fields, **QUIET).then(**search)
    results.drop_filter(ui_drop_filter, fields, fields, **QUIET).then(**search)
    results.sample(with_name(handlers, handlers.search.sample), collection, results, **QUIET)
    view = with_event(handlers, handlers.search.view)
    parts.viewer.turn(view, collection, parts.viewer, **BY_ADDRESS)
    parts.viewer.ask(ui_ask, None, [question, steers], **QUIET).then(**search)
    accordion.expand(ui_choices, [collection, *some], some, **BY_ADDRESS)


def publish(handlers: Handlers) -> None:
    """The search for programs, the only endpoint in Gradio's listing."""

    def search(query: str, limit: int = 10, collection: str = "") -> list[dict[str, Any]]:
        """Search the indexed documents in any language."""
        try:
            _check(query, limit, collection)
            name = handlers.shared.collection_named(collection or None)
            found = handlers.search.search_api(query, limit, name)
        except UserError as error:  # of other errors Gradio tells the caller nothing
            raise gr.Error(str(error), print_exception=False) from error
        return [dict(hit) for hit in found]

    gr.api(search, api_name="search")


def _check(query: object, limit: object, collection: object) -> None:
    """UserError for what is not of its type: Gradio passes on any JSON, and tells nothing of what fails."""
    wanted: list[tuple[str, object, type | tuple[type, ...], str]] = [
        ("query", query, str, "a text"),
        ("limit", limit, int, "a whole number"),
        ("collection", collection, (str, type(None)), "a text"),
    ]
    for name, value, kind, what in wanted:
        if not isinstance(value, kind):
            raise UserError(f"{name} is {type(value).__name__}, expected {what}.")
