"""The map's points, texts and script, asked for when the map is looked at: a first visit fetches none of it."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from labse_search.errors import UserError
from labse_search.ui.handlers import Handlers
from labse_search.ui.rates import Rates
from labse_search.ui.strings import text
from labse_search.ui.theme import script, style

MAP = "/map/"
RATE, BURST = 10.0, 80  # of one client: it follows the pointer


def add_map_routes(app: FastAPI, handlers: Handlers) -> None:
    """GET /map/: draw.js and draw.css; points, passages and rows of a collection's map, as JSON."""
    rates = Rates(RATE, BURST)
    shown = handlers.map

    def answered(request: Request, look: Callable[[str], object]) -> Response:
        """`look` is given the collection."""
        if not rates.allow(request.client.host if request.client else ""):
            return PlainTextResponse(text("later"), 429, headers={"retry-after": "1"})
        try:
            value = look(handlers.shared.collection_named(request.query_params.get("collection")))
        except UserError as error:
            return PlainTextResponse(str(error), 404)
        return JSONResponse(value, headers={"cache-control": "no-store"})

    @app.get(MAP + "draw.js")
    async def draw() -> Response:
        return Response(script("draw-map"), media_type="text/javascript", headers={"cache-control": "no-cache"})

    @app.get(MAP + "draw.css")
    async def looks() -> Response:
        return Response(style("draw-map"), media_type="text/css", headers={"cache-control": "no-cache"})

    @app.get(MAP + "points")
    def points(request: Request, stamp: str = "") -> Response:
        return answered(request, lambda collection: shown.points(collection, stamp))

    @app.get(MAP + "passages")
    def passages(request: Request, stamp: str = "", rows: str = "") -> Response:
        """`rows`: numbers with commas."""
        asked = [int(one) for one in rows[:1000].split(",") if one.isdecimal() and len(one) < 10]
        return answered(request, lambda collection: shown.passages(collection, stamp, asked))

    @app.get(MAP + "rows")
    def rows(request: Request, stamp: str = "", passages: str = "") -> Response:
        """`passages`: DOCUMENT.INDEX with commas."""
        return answered(request, lambda collection: shown.rows(collection, stamp, passages[:4000].split(",")))
