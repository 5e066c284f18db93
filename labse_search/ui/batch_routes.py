"""The answers to a table of questions, to save."""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from labse_search.errors import UserError
from labse_search.ui.export import KINDS, exported
from labse_search.ui.handlers import Handlers
from labse_search.ui.rates import Rates
from labse_search.ui.strings import text

ANSWERS = "/answers/"
RATE, BURST = 1.0, 20  # of one client


def add_batch_routes(app: FastAPI, handlers: Handlers) -> None:
    """GET /answers/JOB.csv and .json: what is answered so far."""
    rates = Rates(RATE, BURST)

    @app.get(ANSWERS + "{job}.{kind}")
    def answers(request: Request, job: str, kind: str) -> Response:
        if not rates.allow(request.client.host if request.client else ""):
            return PlainTextResponse(text("later"), 429, headers={"retry-after": "2"})
        if kind not in ("csv", "json"):
            return PlainTextResponse(text("gone"), 404)
        try:
            content = exported(handlers.batch.rows(job, str(request.base_url)), kind, "")
        except UserError as error:
            return PlainTextResponse(str(error), 404)
        headers = {"content-disposition": f'attachment; filename="answers.{kind}"', "cache-control": "no-store"}
        return Response(content, media_type=KINDS[kind], headers=headers)
