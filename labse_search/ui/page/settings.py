"""The Settings tab."""

from __future__ import annotations

from typing import Any

import gradio as gr

from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import QUIET, Parts, answered


def wire(handlers: Handlers, parts: Parts, tab: Any) -> None:
    """Connect the Settings tab's events with its handlers."""

    def ui_save(event: gr.EventData) -> Any:
        return answered(handlers.settings.save(Event(event._data)))

    tab.select(handlers.settings.shown, None, parts.settings, **QUIET)
    parts.settings.save(ui_save, None, parts.settings, **QUIET)
