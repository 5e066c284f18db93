"""The Collection tab."""

from __future__ import annotations

from typing import Any

import gradio as gr

from labse_search.ui.events import Event
from labse_search.ui.handlers import Handlers
from labse_search.ui.page.parts import BY_ADDRESS, QUIET, SHOWN, Parts, searching, with_event, with_name


def wire(handlers: Handlers, parts: Parts, models: Any, whole: Any, tab: Any) -> None:
    """`models`: the part about the collection's models; `whole`: the part that manages whole collections."""
    tabbed, collection, documents = handlers.collection, parts.collection, parts.documents

    def ui_only(name: str, event: gr.EventData) -> Any:
        document = Event(event._data).document()
        choices = handlers.search.choices(handlers.shared.collection_named(name))[3]
        return gr.update(choices=choices, value=[document])

    tab.select(with_name(handlers, tabbed.opened), collection, documents, **BY_ADDRESS)
    documents.check(with_name(handlers, tabbed.check), collection, documents, **QUIET)
    documents.repair(with_name(handlers, tabbed.repair), collection, documents, **QUIET)
    documents.forget(with_event(handlers, tabbed.forget), collection, documents, **QUIET)
    documents.refresh(with_name(handlers, tabbed.documents), collection, documents, **SHOWN)
    documents.remove(with_event(handlers, tabbed.remove), collection, documents, **QUIET)
    documents.restore(with_event(handlers, tabbed.restore), collection, documents, **QUIET)
    documents.reindex(with_event(handlers, tabbed.read_again), collection, documents, **QUIET)
    _wire_models(handlers, parts, models, tab)
    _wire_whole(handlers, parts, whole, tab)
    only = documents.only(ui_only, collection, parts.fields[6], **QUIET)
    only.then(**searching(handlers, parts))


def _wire_models(handlers: Handlers, parts: Parts, models: Any, tab: Any) -> None:
    of, collection = handlers.models, parts.collection
    tab.select(with_name(handlers, of.shown), collection, models, **BY_ADDRESS)
    models.shown(with_name(handlers, of.shown), collection, models, **SHOWN)
    models.look_at(with_event(handlers, of.look_at), collection, models, **QUIET)
    models.fetch(with_event(handlers, of.fetch), collection, models, **QUIET)
    models.use_for_new(with_event(handlers, of.use_for_new), collection, models, **QUIET)
    models.embed_again(with_event(handlers, of.embed_again), collection, models, **QUIET)
    models.switch(with_event(handlers, of.switch), collection, models, **QUIET)
    models.drop_generation(with_event(handlers, of.drop_generation), collection, models, **QUIET)
    models.request(with_event(handlers, of.request), collection, models, **QUIET)


def _wire_whole(handlers: Handlers, parts: Parts, whole: Any, tab: Any) -> None:
    manage, collection = handlers.manage, parts.collection
    tab.select(with_name(handlers, manage.shown), collection, whole, **BY_ADDRESS)
    whole.shown(with_name(handlers, manage.shown), collection, whole, **SHOWN)
    whole.rename(with_event(handlers, manage.rename), collection, whole, **QUIET)
    whole.merge(with_event(handlers, manage.merge), collection, whole, **QUIET)
    whole.backup(with_event(handlers, manage.backup), collection, whole, **QUIET)
    whole.delete_backup(with_event(handlers, manage.delete_backup), collection, whole, **QUIET)
    whole.bring(with_event(handlers, manage.bring), collection, whole, **QUIET)
    whole.erase(with_event(handlers, manage.erase), collection, whole, **QUIET)
    whole.request(with_event(handlers, manage.request), collection, whole, **QUIET)
