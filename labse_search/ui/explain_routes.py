"""Which words of a question met which of a passage, asked for when a person looks at the passage: never with the
answers, which it would delay by a tenth of a second each."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from labse_search.errors import UserError
from labse_search.ui.concurrency_limit import Busy, ConcurrencyLimit
from labse_search.ui.handlers import Handlers
from labse_search.ui.rates import Rates
from labse_search.ui.strings import text

EXPLAIN = "/explain"
RATE, BURST = 5.0, 40  # of one client: it follows the pointer over cards
AT_ONCE, WAITING, SECONDS = 1, 3, 10.0  # questions themselves keep the other cores


def add_explain_routes(app: FastAPI, handlers: Handlers) -> None:
    """GET /explain: the passage's text in parts, and the pairs of words."""
    """The address that says which words of a question met which of a passage."""
    rates, limit = Rates(RATE, BURST), ConcurrencyLimit(AT_ONCE, WAITING, SECONDS)

    @app.get(EXPLAIN)
    def explain(request: Request, q: str = "", collection: str = "", passage: str = "") -> Response:
        """`passage`: DOCUMENT.INDEX.START-END with the sentence that is marked."""
        if not rates.allow(request.client.host if request.client else ""):
            return PlainTextResponse(text("later"), 429, headers={"retry-after": "1"})
        try:
            with limit.take():
                return JSONResponse(handlers.search.explain(handlers.shared.collection_named(collection), passage, q))
        except Busy as error:
            return PlainTextResponse(str(error), 503, headers={"retry-after": "2"})
        except UserError as error:
            return PlainTextResponse(str(error), 404)
