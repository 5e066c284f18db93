"""The scripts of components that a first visit does not show, as modules: fetched when their component is drawn, and
kept by the browser. With them the page itself would weigh half as much again.

A module's file is named by its content, so what a browser has kept of it is never out of date.
"""

from __future__ import annotations

import itertools
import re
from functools import cache
from hashlib import sha256

from fastapi import FastAPI, Response
from fastapi.responses import PlainTextResponse

from labse_search.ui.strings import text
from labse_search.ui.theme import STATIC, script

SCRIPTS = "/scripts/"


def add_scripts(app: FastAPI) -> None:
    """GET /scripts/NAME.HASH.js: the module of a component's script."""

    @app.get(SCRIPTS + "{file}")
    async def module_file(file: str) -> Response:
        name = file.partition(".")[0]
        known = name.isascii() and name.replace("-", "").isalpha() and (STATIC / f"{name}.js").is_file()
        if not known or module_name(name) != file:
            return PlainTextResponse(text("gone"), 404)
        return Response(module(name), media_type="text/javascript")


def fetched(name: str, parameter: str = "") -> str:
    """What stands in the page instead of the script: it fetches it now, or once the address has `parameter`.

    Gradio knows a component's own events by their names in quotes: those in the comment that the script begins with.
    """
    lines = (STATIC / f"{name}.js").read_text(encoding="utf-8").splitlines()
    comment = " ".join(itertools.takewhile(lambda line: line.startswith("//"), lines))
    events = " ".join(re.findall(r"'\w+'", comment))
    return f"labse.part('{parameter}', '{module_name(name)}', element, props, trigger, watch) // {events}"


def module_name(name: str) -> str:
    """The file name of a script's module, with twelve hex digits of its content."""
    return f"{name}.{sha256(module(name).encode()).hexdigest()[:12]}.js"


@cache
def module(name: str) -> str:
    """static/NAME.js as a module whose function is given what Gradio gives to a component's script."""
    return f"export default (element, props, trigger, watch) => {{\n{script(name)}\n}};\n"
