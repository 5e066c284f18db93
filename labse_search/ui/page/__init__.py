"""The page put together: Gradio's components tab by tab, our own routes, and the guard around."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from labse_search.settings import cache_folder
from labse_search.ui.access import AccessPolicy, OpenAccess, SessionAccess, TokenAccess
from labse_search.ui.compress import Compress
from labse_search.ui.context import AppContext
from labse_search.ui.guard import CLIENT, Guard, Limits
from labse_search.ui.handlers import Handlers
from labse_search.ui.page import adding, aligning, collection, findings, loading, search, settings, teach
from labse_search.ui.page import map as passage_map
from labse_search.ui.page.parts import Parts, component
from labse_search.ui.routes import OWN_PATHS, add_routes
from labse_search.ui.sessions import SESSIONS
from labse_search.ui.strings import text
from labse_search.ui.theme import STATIC, head, style, theme
from labse_search.ui.uploads import RoomLeft
from labse_search.ui.users import SignIn


def build(context: AppContext, users: SignIn | None) -> FastAPI:
    """The whole page behind its sign-in, ready to be served; `users`: None where nobody signs in."""
    handlers = Handlers(context)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    blocks = _blocks(handlers)
    blocks.queue(default_concurrency_limit=4, max_size=64)
    add_routes(app, handlers)
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
        css=style("page") + style("teach") + style("align"),
        head=head(),
    )
    blocks.has_launched = True  # mounting does not say so, and without it Gradio checks no path of a file
    inner = _gradio(app)
    inner.state_holder.capacity = SESSIONS
    access: AccessPolicy = OpenAccess()
    if users is not None:
        access = SessionAccess(inner.tokens, inner.cookie_id, users.users)
    elif context.token:
        access = TokenAccess(context.token)
    app.state.access = access
    limits = Limits(context.settings.host, context.settings.max_file_mb << 20, RoomLeft(context.uploads), OWN_PATHS)
    app.add_middleware(Compress, folder=cache_folder() / "page")
    app.add_middleware(Guard, limits=limits, access=access)
    return app


def _gradio(app: FastAPI) -> Any:
    """The application that Gradio mounted: it holds the sessions."""
    return next(route.app for route in app.routes if hasattr(route, "app") and hasattr(route.app, "tokens"))


def _in_a_thread(users: SignIn | None) -> Callable[[str, str], Awaitable[bool]] | None:
    """Gradio asks on the event loop; comparing a password takes a third of a second, during which others wait."""
    if users is None:
        return None

    async def sign_in(name: str, password: str) -> bool:
        return await run_in_threadpool(users, name, password, CLIENT.get())

    return sign_in


def _blocks(handlers: Handlers) -> gr.Blocks:
    with gr.Blocks(title=text("app"), analytics_enabled=False) as blocks:
        name = gr.Textbox(handlers.context.settings.collection, visible="hidden", elem_id="collection-name")
        turn = gr.Textbox("", visible="hidden", elem_id="turn")
        header = component("header", "head", "header")
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap"):
            with gr.Tab(text("tab_search"), id="search"):
                fields, go, accordion = search.controls()
                results = component("results", "results", "results", role="region", **{"aria-label": text("results")})
            with gr.Tab(text("tab_findings"), id="findings") as findings_tab:
                kept = component("findings", "findings", "findings")
                asked = findings.components()
            with gr.Tab(text("tab_add"), id="add"):
                drop = component("drop", "add", "drop")
                watches = component("watches", "watches", "watches")
                jobs = component("jobs", "jobs", "jobs")
            with gr.Tab(text("tab_collection"), id="collection") as collection_tab:
                documents = component("collection", "documents", "documents")
                mapped = passage_map.part()
                models = component("models", "documents models", "models")
                side_by_side = aligning.components()
                whole = component("manage", "documents whole", "whole")
            with gr.Tab(text("tab_teach"), id="teach") as teach_tab:
                taught = teach.components()
            with gr.Tab(text("tab_settings"), id="settings") as settings_tab:
                settings_part = component("settings", "settings", "settings")
        two = aligning.reader()
        viewer = component("viewer", "viewer", "viewer", "dialog", **{"aria-labelledby": "labse-viewer-title"})
        parts = Parts(name, turn, fields, results, viewer, header, drop, watches, jobs, kept, documents, settings_part)
        search.wire(handlers, parts, go, accordion)
        adding.wire(handlers, parts)
        findings.wire(handlers, parts, asked, findings_tab)
        collection.wire(handlers, parts, models, whole, collection_tab)
        passage_map.wire(handlers, parts, mapped, collection_tab)
        aligning.wire(handlers, parts, (side_by_side, two), collection_tab)
        teach.wire(handlers, parts, taught, teach_tab)
        settings.wire(handlers, parts, settings_tab)
        loading.wire(handlers, parts, blocks)
        search.publish(handlers)
    return blocks
