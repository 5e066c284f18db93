"""The page put together: Gradio's components, which event calls which handler, our own routes, and the guard around.

Handlers are called ui_* and hidden from Gradio's API listing (a handler's name would otherwise claim the name of the
published `search`). Values reach the scripts as props; no template ever sees them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import gradio as gr
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, PlainTextResponse

from labse_search.errors import UserError
from labse_search.ui.context import AppContext
from labse_search.ui.guard import CLIENT, Guard
from labse_search.ui.handlers import PAGE, Handlers
from labse_search.ui.query import PERIOD_NAMES, Query
from labse_search.ui.strings import text
from labse_search.ui.theme import STATIC, head, script, style, theme
from labse_search.ui.uploads import RoomLeft
from labse_search.ui.users import SignIn
from labse_search.ui.values import settings_value

TICK_SECONDS = 1.0
# A lone "quiet" event: no spinner over the component, not in the API listing.
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
# Runs in the browser before a search: the address bar, and the sign that something is going on.
REMEMBER = """(q, mode, only, lang, kind, folder, doc, added, collection) => {
  labse.remember({ q, mode: mode === 'both' ? '' : mode, only, lang, kind, folder, doc, added,
    collection: collection === window.labseCollection ? '' : collection });
  if (q && q.trim()) labse.busy();
  return [q, mode, only, lang, kind, folder, doc, added, collection];
}"""


def build(context: AppContext, users: SignIn | None) -> FastAPI:
    handlers = Handlers(context)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    blocks = _blocks(handlers)
    blocks.queue(default_concurrency_limit=4, max_size=64)
    _add_routes(app, handlers, signs_in=users is not None)
    collection = quote(context.settings.collection)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        auth=_in_a_thread(users),
        auth_message=text("sign_in"),
        allowed_paths=[],
        favicon_path=str(STATIC / "icon.svg"),
        show_error=False,
        max_file_size=context.settings.max_file_mb << 20,
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        ssr_mode=False,
        mcp_server=False,
        theme=theme(),
        css=style("page"),
        head=head() + f"<script>window.labseCollection=decodeURIComponent('{collection}')</script>",
    )
    app.add_middleware(
        Guard,
        host=context.settings.host,
        max_file_bytes=context.settings.max_file_mb << 20,
        room=RoomLeft(context.uploads),
    )
    return app


def _in_a_thread(users: SignIn | None) -> Callable[[str, str], Awaitable[bool]] | None:
    """Gradio asks on the event loop; comparing a password takes a third of a second, during which others wait."""
    if users is None:
        return None

    async def sign_in(name: str, password: str) -> bool:
        return await run_in_threadpool(users, name, password, CLIENT.get())

    return sign_in


def _component(name: str, root: str, elem_id: str, tag: str = "div", **attributes: str) -> gr.HTML:
    """An empty element that static/<name>.js fills from props.value."""
    extra = "".join(f' {key}="{value}"' for key, value in attributes.items())
    template = f'<{tag} class="{root}"{extra}></{tag}>'
    return gr.HTML({}, html_template=template, js_on_load=script(name), elem_id=elem_id, apply_default_css=False)


def _blocks(handlers: Handlers) -> gr.Blocks:
    with gr.Blocks(title=text("app"), analytics_enabled=False) as blocks:
        collection = gr.Textbox(handlers.context.settings.collection, visible="hidden", elem_id="collection-name")
        header = _component("header", "head", "header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(text("tab_search"), id="search"):
                controls = _controls(handlers)
                results = _component("results", "results", "results", role="region", **{"aria-label": text("results")})
            with gr.Tab(text("tab_add"), id="add"):
                drop = _component("drop", "add", "drop")
                jobs = _component("jobs", "jobs", "jobs")
            with gr.Tab(text("tab_collection"), id="collection") as collection_tab:
                documents = _component("collection", "documents", "documents")
            with gr.Tab(text("tab_settings"), id="settings"):
                settings = _component("settings", "settings", "settings")
        viewer = _component("viewer", "viewer", "viewer", "dialog", **{"aria-labelledby": "labse-viewer-title"})
        _wire_search(handlers, collection, controls, results, viewer)
        _wire_adding(handlers, collection, drop, jobs, header)
        _wire_collection(handlers, collection, collection_tab, documents, controls, results)
        _wire_loading(handlers, blocks, collection, controls, results, header, jobs, drop, settings, documents)
        _publish(handlers)
    return blocks


def _controls(handlers: Handlers) -> list[Any]:
    """Question, mode, only other languages, and the filters: in the order of Query's fields; the button at the end."""
    with gr.Row(elem_id="ask-row"):
        question = gr.Textbox(
            elem_id="question", placeholder=text("ask"), label=text("ask"), show_label=False, container=False,
            lines=1, max_lines=4, scale=8, autofocus=True, max_length=5000,
        )  # fmt: skip
        go = gr.Button(text("search"), variant="primary", scale=1, elem_id="go")
    with gr.Row(elem_id="how-row"):
        modes = [(text(f"mode_{mode}"), mode) for mode in ("both", "meaning", "words")]
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
    collection_choices = [languages, kinds, folders, documents]
    return [question, mode, only, *collection_choices, added, go, accordion]


def _choice(label: str, elem_id: str) -> gr.Dropdown:
    # allow_custom_value: a bookmark may name a folder that is gone, which is an empty answer and not an error.
    return gr.Dropdown([], value=[], multiselect=True, label=text(label), elem_id=elem_id, allow_custom_value=True)


def _wire_search(handlers: Handlers, collection: Any, controls: list[Any], results: Any, viewer: Any) -> None:
    *fields, go, accordion = controls
    question, mode, only, languages, kinds, folders, documents, added = fields
    inputs = [*fields, collection]

    def ui_search(*values: Any) -> Any:
        return handlers.results(Query.from_controls(*values[:-1]), handlers.collection_named(values[-1]))

    def ui_extend(event: gr.EventData, *values: Any) -> Any:
        data = event._data if isinstance(event._data, dict) else {}
        limit = data.get("limit")
        query, name = Query.from_controls(*values[:-1]), handlers.collection_named(values[-1])
        return handlers.results(query, name, limit if isinstance(limit, int) else PAGE)

    def ui_like(name: str, event: gr.EventData) -> Any:
        return handlers.more_like(handlers.collection_named(name), event._data)

    def ui_view(name: str, event: gr.EventData) -> Any:
        return handlers.view(handlers.collection_named(name), event._data)

    def ui_ask(event: gr.EventData) -> Any:
        asked = event._data.get("text") if isinstance(event._data, dict) else ""
        return asked if isinstance(asked, str) else ""

    def ui_drop_filter(event: gr.EventData, *values: Any) -> Any:
        data = event._data if isinstance(event._data, dict) else {}
        return Query.from_controls(*values).without(str(data.get("name")), str(data.get("value"))).controls()

    def ui_sample(name: str) -> Any:
        return handlers.sample(handlers.collection_named(name))

    def ui_choices(name: str, *chosen: Any) -> Any:
        choices = handlers.choices(handlers.collection_named(name))
        return [gr.update(choices=some, value=value) for some, value in zip(choices, chosen, strict=True)]

    search: dict[str, Any] = {"fn": ui_search, "inputs": inputs, "outputs": results, "js": REMEMBER, **QUIET}
    triggers = [question.submit, go.click, mode.input, only.input, added.input]
    triggers += [one.input for one in (languages, kinds, folders, documents)]
    gr.on(triggers, trigger_mode="always_last", **search)
    results.again(trigger_mode="always_last", **search)
    results.extend(ui_extend, inputs, results, **QUIET)
    results.ask(ui_ask, None, question, **AT_ONCE).then(**search)
    results.drop_filter(ui_drop_filter, fields, fields, **AT_ONCE).then(**search)
    results.like(ui_like, collection, results, **QUIET)
    results.view(ui_view, collection, viewer, **QUIET)
    viewer.turn(ui_view, collection, viewer, **QUIET)
    results.sample(ui_sample, collection, results, **AT_ONCE)
    some = [languages, kinds, folders, documents]
    accordion.expand(ui_choices, [collection, *some], some, **AT_ONCE)


def _wire_adding(handlers: Handlers, collection: Any, drop: Any, jobs: Any, header: Any) -> None:
    def ui_stage(name: str, event: gr.EventData) -> Any:
        return handlers.stage(handlers.collection_named(name), event._data)

    def ui_check_path(name: str, event: gr.EventData) -> Any:
        return handlers.check_path(handlers.collection_named(name), event._data)

    def ui_start(name: str, event: gr.EventData) -> Any:
        return handlers.start(handlers.collection_named(name), event._data)

    def ui_discard(name: str, event: gr.EventData) -> Any:
        return handlers.discard(handlers.collection_named(name), event._data)

    def ui_wish(name: str, event: gr.EventData) -> Any:
        return handlers.wish(handlers.collection_named(name), event._data)

    def ui_tick(name: str) -> Any:
        return handlers.tick(handlers.collection_named(name))

    drop.stage(ui_stage, collection, drop, **QUIET)
    drop.check_path(ui_check_path, collection, drop, **QUIET)
    drop.start(ui_start, collection, drop, **QUIET).then(ui_tick, collection, [header, jobs], **AT_ONCE)
    drop.discard(ui_discard, collection, drop, **QUIET)
    jobs.wish(ui_wish, collection, [header, jobs], **AT_ONCE)
    gr.Timer(TICK_SECONDS).tick(ui_tick, collection, [header, jobs], **AT_ONCE)


def _wire_collection(
    handlers: Handlers, collection: Any, tab: Any, documents: Any, controls: list[Any], results: Any
) -> None:
    fields = controls[:-2]

    def ui_documents(name: str) -> Any:
        return handlers.documents(handlers.collection_named(name))

    def ui_remove(name: str, event: gr.EventData) -> Any:
        return handlers.remove(handlers.collection_named(name), event._data)

    def ui_restore(name: str, event: gr.EventData) -> Any:
        return handlers.restore(handlers.collection_named(name), event._data)

    def ui_read_again(name: str, event: gr.EventData) -> Any:
        return handlers.read_again(handlers.collection_named(name), event._data)

    def ui_only(name: str, event: gr.EventData) -> Any:
        document = event._data.get("document") if isinstance(event._data, dict) else ""
        choices = handlers.choices(handlers.collection_named(name))[3]
        return gr.update(choices=choices, value=[str(document)])

    def ui_search_in(*values: Any) -> Any:
        return handlers.results(Query.from_controls(*values[:-1]), handlers.collection_named(values[-1]))

    def ui_opened(name: str) -> Any:
        return handlers.opened(handlers.collection_named(name))

    def ui_check(name: str) -> Any:
        return handlers.check(handlers.collection_named(name))

    def ui_repair(name: str) -> Any:
        return handlers.repair(handlers.collection_named(name))

    tab.select(ui_opened, collection, documents, **AT_ONCE)
    documents.check(ui_check, collection, documents, **QUIET)
    documents.repair(ui_repair, collection, documents, **QUIET)
    documents.refresh(ui_documents, collection, documents, **AT_ONCE)
    documents.remove(ui_remove, collection, documents, **QUIET)
    documents.restore(ui_restore, collection, documents, **QUIET)
    documents.reindex(ui_read_again, collection, documents, **QUIET)
    documents.only(ui_only, collection, fields[6], **AT_ONCE).then(
        ui_search_in, [*fields, collection], results, js=REMEMBER, **QUIET
    )


def _wire_loading(
    handlers: Handlers,
    blocks: gr.Blocks,
    collection: Any,
    controls: list[Any],
    results: Any,
    header: Any,
    jobs: Any,
    drop: Any,
    settings: Any,
    documents: Any,
) -> None:
    fields = controls[:-2]

    def state(name: str, query: Query) -> list[Any]:
        question, mode, only, *chosen, added = query.controls()
        filters = [
            gr.update(choices=choices, value=value)
            for choices, value in zip(handlers.choices(name), chosen, strict=True)
        ]
        return [name, question, mode, only, *filters, added, *handlers.tick(name), handlers.drop(name)]

    def ui_load(request: gr.Request) -> Any:
        parameters = dict(request.query_params)
        name = handlers.collection_named(parameters.get("collection"))
        return [*state(name, Query.from_address(parameters)), settings_value(handlers.context)]

    def ui_pick(event: gr.EventData) -> Any:
        name = handlers.collection_named(event._data.get("collection") if isinstance(event._data, dict) else "")
        return [*state(name, Query()), handlers.documents(name)]

    def ui_first_search(*values: Any) -> Any:
        return handlers.results(Query.from_controls(*values[:-1]), handlers.collection_named(values[-1]))

    inputs = [*fields, collection]
    first: dict[str, Any] = {"fn": ui_first_search, "inputs": inputs, "outputs": results, "js": REMEMBER, **QUIET}
    shared = [collection, *fields, header, jobs, drop]
    blocks.load(ui_load, None, [*shared, settings], **AT_ONCE).then(**first)
    header.pick(ui_pick, None, [*shared, documents], **AT_ONCE).then(**first)


def _publish(handlers: Handlers) -> None:
    def search(query: str, limit: int = 10, collection: str = "") -> list[dict[str, Any]]:
        """Search the indexed documents in any language."""
        try:
            found = handlers.search_api(query, limit, handlers.collection_named(collection or None))
        except UserError as error:  # of other errors Gradio tells the caller nothing
            raise gr.Error(str(error), print_exception=False) from error
        return [dict(hit) for hit in found]

    gr.api(search, api_name="search")


def _add_routes(app: FastAPI, handlers: Handlers, *, signs_in: bool) -> None:
    def closed(request: Request) -> bool:
        return signs_in and not _signed_in(app, request)

    @app.get("/source/{collection}/{document}/original")
    def original(request: Request, collection: str, document: str) -> Response:
        found = None if closed(request) else handlers.original(collection, document)
        if found is None:
            return PlainTextResponse(text("gone"), status_code=404)
        path, name = found
        # Never shown inside the page's origin: it is a stranger's file.
        headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "no-store"}
        return FileResponse(path, filename=name, media_type="application/octet-stream", headers=headers)

    @app.get("/source/{collection}/{document}/page/{number}")
    def page(request: Request, collection: str, document: str, number: int) -> Response:
        there = not closed(request) and handlers.original(collection, document) is not None
        png = handlers.viewer.png(document, number) if there else None
        if png is None:
            return PlainTextResponse(text("gone"), status_code=404)
        return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=600"})

    @app.get("/healthz")
    def health() -> Response:
        return PlainTextResponse("ok")


def _signed_in(app: FastAPI, request: Request) -> bool:
    """Whether the request carries a session cookie that Gradio's log-in gave out."""
    inner: Any = next(route.app for route in app.routes if hasattr(route, "app") and hasattr(route.app, "tokens"))
    for kind in ("access-token", "access-token-unsecure"):
        if request.cookies.get(f"{kind}-{inner.cookie_id}") in inner.tokens:
            return True
    return False
