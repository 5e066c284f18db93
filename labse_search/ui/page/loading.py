"""What the page shows first: what its address says, also after Back, Forward and a change of collection."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import gradio as gr

from labse_search.errors import UserError
from labse_search.naming import collection_name
from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import FIRST, QUIET, RESTORE, Parts, searching
from labse_search.ui.query import Query
from labse_search.ui.sessions import forget_old


def wire(handlers: Handlers, parts: Parts, blocks: gr.Blocks) -> None:
    """Connect what happens when a page opens, or its collection changes."""

    def state(name: str, query: Query, drop: Any) -> list[Any]:
        question, mode, only, *chosen, added, like, steers, sort = query.controls()
        filters = [
            gr.update(choices=choices, value=value)
            for choices, value in zip(handlers.search.choices(name), chosen, strict=True)
        ]
        shown = [*handlers.adding.tick(name), handlers.watches.shown(name), drop]
        shown.append(handlers.findings.shown(name))
        return [name, question, mode, only, *filters, added, like, steers, sort, *shown]

    def from_address(parameters: dict[str, str], drop: Any) -> list[Any]:
        name = handlers.shared.collection_named(parameters.get("collection"))
        return state(name, Query.from_address(parameters), drop)

    def ui_load(request: gr.Request) -> Any:
        forget_old(blocks.state_holder)
        name, _, *rest = from_address(dict(request.query_params), handlers.adding.drop())
        return [name, gr.skip(), *rest, handlers.settings.shown()]  # somebody may be typing the question already

    def ui_go(event: gr.EventData) -> Any:
        # A plan that waits to be started stays on the page, here and below: it says which collection it is of.
        return from_address(dict(parse_qsl(Event(event._data).text("address"))), gr.skip())

    def ui_pick(event: gr.EventData) -> Any:
        wanted = Event(event._data).text("collection")
        name = handlers.shared.collection_named(wanted)
        shown = state(name, Query(), gr.skip())
        try:
            collection_name(wanted)
        except UserError as error:  # it stays with the usual one, and says why
            shown[1 + len(parts.fields)] |= {"problem": str(error)}
        return [*shown, handlers.collection.documents(name)]

    restored = searching(handlers, parts, RESTORE)
    shown = [parts.collection, *parts.fields, parts.header, parts.jobs, parts.watches, parts.drop, parts.findings]
    loaded = blocks.load(ui_load, None, [*shown, parts.settings], **QUIET)
    asked = loaded.then(None, None, parts.fields[0], js="() => labse.early.question()", **QUIET)
    asked.then(**searching(handlers, parts, FIRST))
    parts.header.go(ui_go, None, shown, **QUIET).then(**restored)
    parts.header.pick(ui_pick, None, [*shown, parts.documents], **QUIET).then(**restored)
