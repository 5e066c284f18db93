"""Which sentence of each passage is closest to the question: asked for when the passages are on the screen, never with
the answers. A sentence that no question has met yet has to be encoded, which takes longer than finding the passages."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from labse_search.ui.concurrency_limit import Busy, ConcurrencyLimit
from labse_search.ui.handlers import Handlers
from labse_search.ui.handlers.search import MOST
from labse_search.ui.rates import Rates
from labse_search.ui.strings import text

MARKS = "/marks/"
RATE, BURST = 20.0, 100  # of one client: it scrolls through cards
AT_ONCE, WAITING, SECONDS = 4, 20, 20.0  # whoever waits holds a thread, of which questions need some too


def add_marks_routes(app: FastAPI, handlers: Handlers) -> None:
    """GET /marks/TOKEN: for the cards of these ranks what `marking` in cards.py tells."""
    rates, limit = Rates(RATE, BURST), ConcurrencyLimit(AT_ONCE, WAITING, SECONDS)

    @app.get(MARKS + "{token}")
    def marks(request: Request, token: str, ranks: str = "") -> Response:
        """`token`: of the answer; `ranks`: of the cards, with commas."""
        if not rates.allow(request.client.host if request.client else ""):
            return PlainTextResponse(text("later"), 429, headers={"retry-after": "1"})
        wanted = [int(rank) for rank in ranks.split(",")[:MOST] if rank.isdecimal() and len(rank) < 4]
        try:
            with limit.take():
                found = handlers.search.marks(token, wanted)
        except Busy as error:
            return PlainTextResponse(str(error), 503, headers={"retry-after": "2"})
        return PlainTextResponse(text("gone"), 404) if found is None else JSONResponse(found)
