"""Our own routes beside Gradio's: uploads, originals and their pages as pictures, signing out."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, StreamingResponse

from indexer.archive import export as export_lines
from labse_search.errors import UserError
from labse_search.ui.access import DESKTOP, LOCALE, SessionAccess
from labse_search.ui.batch_routes import ANSWERS, add_batch_routes
from labse_search.ui.concurrency_limit import Busy
from labse_search.ui.desktop import add_desktop
from labse_search.ui.explain_routes import EXPLAIN, add_explain_routes
from labse_search.ui.export import KINDS, exported
from labse_search.ui.feed import Feed
from labse_search.ui.guard import UPLOAD
from labse_search.ui.handlers import Handlers
from labse_search.ui.map_routes import MAP, add_map_routes
from labse_search.ui.marks_routes import MARKS, add_marks_routes
from labse_search.ui.query import Query
from labse_search.ui.rates import Rates
from labse_search.ui.scripts import SCRIPTS, add_scripts
from labse_search.ui.strings import text
from labse_search.ui.teach_routes import ALIGNED, TEACH, add_teach_routes
from labse_search.ui.translations import COOKIE, chosen, locale_json
from labse_search.ui.uploads import sizes_of, store

EVENTS, RESIZER = "/events", "/static/js/iframeResizer.contentWindow.min.js"
OWN_PATHS = (
    UPLOAD,
    EVENTS,
    "/healthz",
    "/sign-out",
    "/source/",
    "/export/",
    "/backup/",
    "/passages/",
    ANSWERS,
    EXPLAIN,
    MAP,
    MARKS,
    SCRIPTS,
    TEACH,
    ALIGNED,
    LOCALE,
    *DESKTOP,
)
# Of one client: who turns pages fast asks for three a second; a long text is read in parts.
SOURCE_RATE, SOURCE_BURST = 20.0, 80
EXPORT_RATE, EXPORT_BURST = 1.0, 20


def add_routes(app: FastAPI, handlers: Handlers) -> None:
    """To be called before Gradio is mounted, which answers for every path that is left."""
    _add_upload(app, handlers)
    _add_source(app, handlers)
    _add_export(app, handlers)
    add_desktop(app, handlers.context.settings.language)
    _add_whole(app, handlers)
    _add_events(app, handlers)
    add_teach_routes(app, handlers)
    add_explain_routes(app, handlers)
    add_marks_routes(app, handlers)
    add_batch_routes(app, handlers)
    add_map_routes(app, handlers)
    add_scripts(app)

    @app.post("/sign-out")
    async def sign_out(request: Request) -> Response:
        answer = RedirectResponse("/", status_code=303)
        access = request.app.state.access
        for name in access.sign_out(request.scope) if isinstance(access, SessionAccess) else []:
            answer.delete_cookie(name, path="/")
        return answer

    @app.get(LOCALE)
    async def locale(request: Request) -> Response:
        usual = handlers.context.settings
        language = chosen(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""), usual.language)
        headers = {"cache-control": "no-cache", "vary": "accept-language, cookie"}
        return Response(locale_json(language, usual.theme), media_type="application/json", headers=headers)

    @app.get(RESIZER)
    async def resizer() -> Response:
        """Gradio's page asks for a script that serves pages in frames; this one can't be framed."""
        return Response("", media_type="text/javascript", headers={"cache-control": "private, max-age=31536000"})

    @app.get("/healthz")
    async def health() -> Response:
        return PlainTextResponse("ok")


def _add_whole(app: FastAPI, handlers: Handlers) -> None:
    rates = Rates(EXPORT_RATE, EXPORT_BURST)

    @app.get("/backup/{name}")
    def backup(request: Request, name: str) -> Response:
        file = handlers.manage.backup_file(name)
        if file is None or not rates.allow(request.client.host if request.client else ""):
            return PlainTextResponse(text("gone"), status_code=404)
        return FileResponse(file, filename=name, media_type="application/x-tar", headers={"cache-control": "no-store"})

    @app.get("/passages/{collection}.jsonl")
    def passages(request: Request, collection: str) -> Response:
        """The whole collection as JSON lines: passages with document, place and offsets."""
        if not rates.allow(request.client.host if request.client else ""):
            return _later(429)
        store, name = handlers.context.store, handlers.shared.collection_named(collection)
        try:
            store.info(name)
        except UserError as error:
            return PlainTextResponse(str(error), status_code=404)
        lines = (f"{line}\n" for line in export_lines(store, name, vectors=False))
        headers = {"content-disposition": 'attachment; filename="passages.jsonl"', "cache-control": "no-store"}
        return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _add_events(app: FastAPI, handlers: Handlers) -> None:
    feed = Feed(handlers.state)

    @app.get(EVENTS)
    async def events(request: Request, collection: str = "") -> Response:
        if feed.is_full:
            return _later(503)
        name = handlers.shared.collection_named(collection)
        stopping = getattr(request.app.state, "stopping", lambda: False)  # set by whoever serves
        return StreamingResponse(
            feed.stream(name, stopping), media_type="text/event-stream", headers={"cache-control": "no-store"}
        )


def _add_upload(app: FastAPI, handlers: Handlers) -> None:
    uploads, most = handlers.context.uploads, handlers.context.settings.max_file_mb << 20

    @app.post(UPLOAD)
    async def upload(request: Request) -> Response:
        length = int(request.headers.get("content-length", "0"))
        sizes = sizes_of(request.query_params.get("sizes", ""), length, most)
        names = await store(request.stream(), sizes, uploads) if sizes is not None else None
        return PlainTextResponse(text("upload_refused"), 400) if names is None else JSONResponse(names)


def _add_source(app: FastAPI, handlers: Handlers) -> None:
    rates = Rates(SOURCE_RATE, SOURCE_BURST)

    def in_moderation(request: Request) -> bool:
        return rates.allow(request.client.host if request.client else "")

    @app.get("/source/{collection}/{document}/original")
    def original(request: Request, collection: str, document: str) -> Response:
        if not in_moderation(request):
            return _later(429)
        found = handlers.search.original(collection, document)
        if found is None:
            return PlainTextResponse(text("gone"), status_code=404)
        path, name = found
        # Never shown inside the page's origin: it is a stranger's file.
        headers = {"content-security-policy": "sandbox; default-src 'none'", "cache-control": "no-store"}
        return FileResponse(path, filename=name, media_type="application/octet-stream", headers=headers)

    @app.get("/source/{collection}/{document}/text/{number}")
    def part(request: Request, collection: str, document: str, number: int, at: str = "") -> Response:
        """`at`: INDEX or INDEX.START-END of the passage to mark."""
        if not in_moderation(request):
            return _later(429)
        found = handlers.search.part(collection, document, at, number)
        return PlainTextResponse(text("gone"), status_code=404) if found is None else JSONResponse(found)

    @app.get("/source/{collection}/{document}/page/{number}")
    def page(request: Request, collection: str, document: str, number: int) -> Response:
        if not in_moderation(request):
            return _later(429)
        there = 0 < number < 1_000_000 and handlers.search.original(collection, document) is not None
        try:
            png = handlers.search.viewer.png(document, number) if there else None
        except Busy:
            return _later(503)
        if png is None:
            return PlainTextResponse(text("gone"), status_code=404)
        return Response(png, media_type="image/png", headers={"cache-control": "private, max-age=600"})


def _add_export(app: FastAPI, handlers: Handlers) -> None:
    rates = Rates(EXPORT_RATE, EXPORT_BURST)

    @app.get("/export/{what}.{kind}")
    def export(request: Request, what: str, kind: str) -> Response:
        """`what`: findings, or results of the question and filters in the query, as the page's address has them."""
        if not rates.allow(request.client.host if request.client else ""):
            return _later(429)
        if kind not in KINDS or what not in ("findings", "results"):
            return PlainTextResponse(text("gone"), status_code=404)
        parameters = dict(request.query_params)
        collection = handlers.shared.collection_named(parameters.get("collection"))
        query = Query.from_address(parameters)
        address = str(request.base_url)
        try:
            if what == "findings":
                rows, heading = handlers.findings.rows(collection, address), collection
            else:
                rows, heading = handlers.search.rows(query, collection, address), query.question
        except UserError as error:
            return PlainTextResponse(str(error), status_code=400)
        headers = {"content-disposition": f'attachment; filename="{what}.{kind}"', "cache-control": "no-store"}
        return Response(exported(rows, kind, heading), media_type=KINDS[kind], headers=headers)


def _later(status: int) -> Response:
    return PlainTextResponse(text("later"), status, headers={"retry-after": "2"})
