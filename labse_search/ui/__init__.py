"""The page. The only package that imports gradio and fastapi, and only when `create_app` is called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from labse_search.ui.context import AppContext
from labse_search.ui.quick_import import skip_stub_files

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["AppContext", "create_app"]


def create_app(context: AppContext) -> FastAPI:
    """The whole page as an ASGI application. UserError if the settings ask for an address that needs people to sign in
    and nobody can."""
    from labse_search.ui.users import check_address

    users = check_address(context.settings)
    _silence(context)
    skip_stub_files()
    from labse_search.ui.page import build

    return build(context, users)


def _silence(context: AppContext) -> None:
    """Gradio reads these when it is imported: with them it resolves no name and calls nobody (measured with an audit
    hook). What it writes goes to a folder inside the home, and never where uploads lie."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(context.settings.home / "page")
    context.uploads.mkdir(parents=True, exist_ok=True)
