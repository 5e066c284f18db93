"""What the Teach tab gives to save: pairs, judged answers, plots of runs; and the pairs of two aligned documents."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, PlainTextResponse

from labse_search.errors import UserError
from labse_search.ui.handlers import Handlers
from labse_search.ui.rates import Rates
from labse_search.ui.strings import text

TEACH, ALIGNED = "/teach/", "/aligned/"
RATE, BURST = 1.0, 30  # of one client
PAIRS = {"tsv": "text/tab-separated-values; charset=utf-8", "tmx": "application/x-tmx+xml"}


def add_teach_routes(app: FastAPI, handlers: Handlers) -> None:
    """The addresses under which pairs and judgements are downloaded."""
    rates = Rates(RATE, BURST)

    def refused(request: Request) -> Response | None:
        if rates.allow(request.client.host if request.client else ""):
            return None
        return PlainTextResponse(text("later"), 429, headers={"retry-after": "2"})

    _add_aligned(app, handlers, refused)

    @app.get(TEACH + "pairs.{kind}")
    def pairs(request: Request, kind: str, collection: str = "", threshold: str = "") -> Response:
        if (no := refused(request)) is not None:
            return no
        if kind not in PAIRS:
            return PlainTextResponse(text("gone"), 404)
        name = handlers.shared.collection_named(collection)
        return _saved(lambda: handlers.teaching.file(name, kind, threshold), f"pairs.{kind}", PAIRS[kind])

    @app.get(TEACH + "judgements.zip")
    def judgements(request: Request, collection: str = "") -> Response:
        if (no := refused(request)) is not None:
            return no
        name = handlers.shared.collection_named(collection)
        return _saved(lambda: handlers.judging.archive(name), "judgements.zip", "application/zip")

    @app.get(TEACH + "plot/{run}/{plot}.png")
    def picture(request: Request, run: str, plot: str) -> Response:
        if (no := refused(request)) is not None:
            return no
        path = handlers.tuning.plot(run, plot)
        return PlainTextResponse(text("gone"), 404) if path is None else FileResponse(path, media_type="image/png")


def _add_aligned(app: FastAPI, handlers: Handlers, refused: Callable[[Request], Response | None]) -> None:
    @app.get(ALIGNED + "{alignment}.{kind}")
    def aligned(request: Request, alignment: str, kind: str) -> Response:
        if (no := refused(request)) is not None:
            return no
        if kind not in PAIRS:
            return PlainTextResponse(text("gone"), 404)
        return _saved(lambda: handlers.aligning.file(alignment, kind), f"pairs.{kind}", PAIRS[kind])


def _saved(make: Callable[[], bytes], name: str, kind: str) -> Response:
    try:
        content = make()
    except UserError as error:
        return PlainTextResponse(str(error), 400)
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(content, media_type=kind, headers=headers)
