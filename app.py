"""python app.py : open the library in the browser."""

from __future__ import annotations

import argparse
import errno
import functools
import logging
import os
import socket
import sys
import threading
import time
import webbrowser
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labse_search.encoder import Encoder, default_model, load_encoder
from labse_search.errors import CollectionMissing, UserError
from labse_search.library import Library
from labse_search.library.log import open_log
from labse_search.search import Searcher
from labse_search.search.__main__ import make_searcher
from labse_search.settings import Settings
from labse_search.store import Store, open_store

if TYPE_CHECKING:
    from fastapi import FastAPI

EXAMPLES = Path(__file__).resolve().parent / "examples"
HOST_ADVICE = "Choose 127.0.0.1, or an address of this computer: python app.py --host ADDRESS"
log = logging.getLogger("labse_search.app")


class Searchers:
    """One searcher a collection, one encoder a model, opened when first asked for."""

    def __init__(self, store: Store, home: Path, load: Callable[[str], Encoder]) -> None:
        self._store = store
        self._home = home
        self._load = load
        self._encoders: dict[str, Encoder] = {}
        self._searchers: dict[tuple[str, str], Searcher] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()  # of the tables: held for a look, never while a model loads

    def searcher(self, collection: str) -> Searcher:
        """The searcher of a collection, with the model it was made with. CollectionMissing if it is not there yet."""
        model = self._store.info(collection).spec.model
        encoder = self.encoder(model)
        with self._lock:
            key = (collection, model)
            if key not in self._searchers:
                self._searchers[key] = make_searcher(self._store, encoder, collection, self._home)
            return self._searchers[key]

    def encoder(self, model: str) -> Encoder:
        """The model's encoder. Who asks while it loads waits for it; nobody waits for another model's."""
        with self._lock:
            loading = self._loading.setdefault(model, threading.Lock())
        with loading:
            if model not in self._encoders:
                self._encoders[model] = self._load(model)
            return self._encoders[model]


def main() -> int:
    arguments = _parser().parse_args()
    try:
        settings = Settings.from_env(os.environ).with_arguments(
            store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
        )
        settings = replace(settings, host=arguments.host or settings.host, port=arguments.port or settings.port)
        return serve(settings, open_browser=not arguments.no_browser)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python app.py", description=__doc__, epilog="example: python app.py --port 8000"
    )
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="which collection to open (default: documents)")
    parser.add_argument("--model", metavar="NAME|PATH", help="model for new collections")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of the encoder (default: auto)")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="port to listen on (default: 7860)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    return parser


def serve(settings: Settings, *, open_browser: bool) -> int:
    """Open the resources, mend what a crash left, listen until Ctrl-C."""
    started = time.perf_counter()
    port = free_port(settings.host, settings.port)
    library = Library(settings.home)
    open_log(settings.home)
    with closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store:
        app = _make_app(settings, library, store)
        host = settings.host
        host = "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
        address = f"http://{host}:{port}"
        print(f"Ready in {time.perf_counter() - started:.1f} s: {address}", flush=True)
        if open_browser:
            threading.Timer(0.3, webbrowser.open, [address]).start()
        import uvicorn

        uvicorn.run(app, host=settings.host, port=port, log_level="warning")
    return 0


def _make_app(settings: Settings, library: Library, store: Store) -> FastAPI:
    load = functools.partial(load_encoder, precision=settings.precision)
    searchers = Searchers(store, settings.home, load)
    from indexer.jobs import ensure_worker
    from labse_search.ui import create_app
    from labse_search.ui.context import AppContext

    # As the command line has it.
    environ = {**os.environ, "LABSE_STORE": settings.store, "LABSE_PRECISION": settings.precision}
    context = AppContext(
        settings=settings,
        library=library,
        store=store,
        model=settings.model or default_model(),
        searcher=searchers.searcher,
        wake=lambda: ensure_worker(library, environ),
        examples=EXAMPLES,
    )
    app = create_app(context)
    # What the first question needs is loaded while the page is being read. Not before: two imports at the same time
    # take as long as one after the other, and the page would come last.
    threading.Thread(target=_warm_up, args=(settings, library, searchers), daemon=True, name="warm-up").start()
    threading.Thread(target=_verify, args=(library, store), daemon=True, name="verify").start()
    ensure_worker(library, environ)  # jobs that a crash or a restart interrupted go on
    return app


def free_port(host: str, port: int) -> int:
    """`port`, or the next free one of the ten after it. UserError if all are taken, or if that is not what is wrong."""
    if not 0 < port < 65526:
        raise UserError(f"The port is {port}, expected a number from 1 to 65525.")
    for candidate in range(port, port + 10):
        try:
            with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, candidate))
                return candidate
        except (socket.gaierror, UnicodeError):  # the latter: it cannot even be asked for
            raise UserError(f"Nobody knows the host {host}. {HOST_ADVICE}") from None
        except OSError as error:
            # Windows also denies ports that are merely taken.
            if error.errno == errno.EACCES and candidate < 1024:
                raise UserError(
                    f"You may not listen on port {candidate}: ports below 1024 need an administrator's rights. "
                    "Choose a higher one: python app.py --port N"
                ) from None
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                foreign = error.errno == errno.EADDRNOTAVAIL
                why = "that is not an address of this computer" if foreign else error.strerror
                raise UserError(f"The app cannot listen on {host}: {why}. {HOST_ADVICE}") from None
    raise UserError(f"Ports {port} to {port + 9} of {host} are taken. Choose another one: python app.py --port N")


def _warm_up(settings: Settings, library: Library, searchers: Searchers) -> None:
    known = library.ledger.collections().get(settings.collection)
    try:
        searchers.encoder(known[0] if known else settings.model or default_model()).encode(["warm"])
        searchers.searcher(settings.collection).search("warm up")
    except CollectionMissing:
        return  # nothing indexed yet
    except UserError as error:
        log.warning("%s", error)  # the page says so when somebody asks


def _verify(library: Library, store: Store) -> None:
    """Compare the store's counts with the ledger's: its engine opens a truncated file and says nothing."""
    from indexer.check import PROBLEMS, check

    try:
        problems = [one for name in library.ledger.collections() for one in check(library, store, name)]
    except UserError as error:
        log.warning("%s", error)
        return
    for problem in problems:
        log.warning("%s: %s: %s", problem.collection, problem.document or "-", PROBLEMS[problem.code])
    if problems:
        advice = "Press Repair in the Collection tab, or run: python -m labse_search.library check --repair"
        print(f"{len(problems)} problems in {library.home}, from files that were lost or damaged. {advice}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
