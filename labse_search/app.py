"""Open your documents in the browser: opens store, library and models, mends what a crash left, and serves the page."""

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
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from labse_search.encoder import Encoder, default_model, load_encoder
from labse_search.errors import CollectionMissing, UserError, quiet_when_unread, told
from labse_search.library import Library, Source
from labse_search.library.log import open_log
from labse_search.naming import generation_name
from labse_search.search import Searcher
from labse_search.search.opening import make_searcher
from labse_search.settings import Settings, write_privately
from labse_search.store import Store, open_store
from labse_search.ui.running import announce, check_window, end_app, open_window, running_at, take_turn

if TYPE_CHECKING:
    from fastapi import FastAPI

    from indexer.watching import Watching

HOST_ADVICE = "Choose 127.0.0.1, or an address of this computer, with --host."
log = logging.getLogger("labse_search.app")


class Searchers:
    """One searcher a collection, one encoder a model, opened when first asked for."""

    def __init__(self, store: Store, home: Path, load: Callable[[str], Encoder]) -> None:
        self._store = store
        self._home = home
        self._load = load
        self._encoders: dict[str, Encoder] = {}
        self._rates: dict[str, float] = {}
        self._searchers: dict[tuple[str, str], Searcher] = {}
        self._loading: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()  # of the tables: held for a look, never while a model loads

    def searcher(self, collection: str) -> Searcher:
        """The searcher of a collection, with the model it was made with. CollectionMissing if it is not there yet."""
        info = self._store.info(collection)
        encoder = self.encoder(info.spec.model)
        with self._lock:
            # A question stays with the generation that it began with, whichever answers the next one.
            key = (generation_name(collection, info.generation), info.spec.model)
            if key not in self._searchers:
                self._searchers[key] = make_searcher(self._store, encoder, key[0], self._home, aside=True)
            return self._searchers[key]

    def probe(self, model: str) -> float | None:
        """Passages a second of a model that is loaded, measured once; None for another one."""
        from indexer.estimate import probed_rate

        with self._lock:
            encoder = self._encoders.get(model)
        if encoder is not None and model not in self._rates:
            self._rates[model] = probed_rate(encoder)
        return self._rates.get(model)

    def encoder(self, model: str) -> Encoder:
        """The model's encoder. Who asks while it loads waits for it; nobody waits for another model's."""
        with self._lock:
            loading = self._loading.setdefault(model, threading.Lock())
        with loading:
            if model not in self._encoders:
                self._encoders[model] = self._load(model)
            return self._encoders[model]


@quiet_when_unread
def main() -> int:
    """Exit status: 0 after Ctrl-C, 2 something a person can mend."""
    write_privately()
    arguments = _parser().parse_args()
    try:
        settings = Settings.from_env(os.environ).with_arguments(
            store=arguments.store, collection=arguments.collection, model=arguments.model, precision=arguments.precision
        )
        settings = replace(settings, host=arguments.host or settings.host, port=arguments.port or settings.port)
        settings = replace(settings, token=settings.token and not arguments.no_token)
        how = How(browser=not arguments.no_browser, window=arguments.window, port=arguments.port)
        return serve(settings, how)
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Open your documents in the browser.", epilog="example: %(prog)s --port 8000"
    )
    parser.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    parser.add_argument("--collection", metavar="NAME", help="which collection to open (default: documents)")
    parser.add_argument("--model", metavar="NAME|PATH", help="model for new collections")
    parser.add_argument("--precision", choices=("auto", "fp32", "bf16"), help="of the encoder (default: auto)")
    parser.add_argument("--host", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, metavar="N", help="port to listen on (default: 7860)")
    parser.add_argument("--no-token", action="store_true", help="let every account of this computer open the page")
    parser.add_argument("--window", action="store_true", help="open a window of its own (needs pywebview)")
    parser.add_argument("--no-browser", action="store_true", help="do not open the browser")
    return parser


@dataclass(frozen=True)
class How:
    """How the page is shown, and the port that was asked for, if any was."""

    browser: bool = True
    window: bool = False
    port: int | None = None

    def show(self, address: str, home: Path) -> None:
        """Of an app that another process runs: in a window until it is closed, or in the browser."""
        if self.window:
            open_window(address, home)
        elif self.browser:
            webbrowser.open(address)


def serve(settings: Settings, how: How) -> int:
    """Open the resources, mend what a crash left, listen until Ctrl-C. Where the home's app runs already, show that."""
    started = time.perf_counter()
    if how.window:
        check_window()
    library = Library(settings.home)
    turn = take_turn(library)
    if turn is None and (running := running_at(settings.home, settings.host, how.port)) is not None:
        address = _address(settings, running, _token(settings))
        print(f"Running already: {address}", flush=True)
        how.show(address, settings.home)
        return 0
    port = free_port(settings.host, settings.port)
    if turn is not None:
        announce(settings.home, settings.host, port)
    open_log(settings.home)
    with closing(open_store(settings.store, home=settings.home, api_key=settings.api_key)) as store:
        token = _token(settings)
        watching = _watching(settings, library, store)
        app = _make_app(settings, library, store, token, watching)
        address = _address(settings, port, token)

        def listening() -> None:
            print(f"Ready in {time.perf_counter() - started:.1f} s: {address}", flush=True)
            if how.window:
                open_window(address, settings.home, when_closed=end_app)
            elif how.browser:  # in a thread: some browsers keep whoever opens them
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True, name="browser").start()

        from labse_search.ui.server import serve as listen

        try:
            listen(app, settings.host, port, proxies=settings.proxies, listening=listening)
        finally:
            watching.stop()
    return 0


def _address(settings: Settings, port: int, token: str) -> str:
    host = settings.host
    host = "localhost" if host == "127.0.0.1" else f"[{host}]" if ":" in host else host
    return f"http://{host}:{port}/" + (f"?token={token}" if token else "")


def _token(settings: Settings) -> str:
    """What a visitor must know; empty where people sign in, or where nobody need know anything."""
    from labse_search.ui.access import page_token
    from labse_search.ui.users import is_loopback

    return page_token(settings.home) if settings.token and is_loopback(settings.host) else ""


def _watching(settings: Settings, library: Library, store: Store) -> Watching:
    """The folders that this home remembers to watch, each new file a job."""
    from indexer.watching import Watching
    from indexer.worker import ensure_worker

    def index(collection: str, sources: Sequence[Source]) -> None:
        known = library.ledger.collections.all().get(collection)
        library.add_index_job(collection, known[0] if known else settings.model or default_model(), sources)
        ensure_worker(library, _environ(settings))

    return Watching(library, store, index)


def _environ(settings: Settings) -> dict[str, str]:
    """For the workers: the environment, as the command line changed it."""
    precision = {"LABSE_PRECISION": settings.precision} if "precision" in settings.fixed else {}
    return {**os.environ, "LABSE_STORE": settings.store, **precision}


def _make_app(settings: Settings, library: Library, store: Store, token: str, watching: Watching) -> FastAPI:
    load = functools.partial(load_encoder, precision=settings.precision)
    searchers = Searchers(store, settings.home, load)
    from indexer.worker import ensure_worker
    from labse_search.ui import create_app
    from labse_search.ui.context import AppContext

    environ = _environ(settings)
    context = AppContext(
        settings=settings,
        library=library,
        store=store,
        model=settings.model or default_model(),
        searcher=searchers.searcher,
        wake=lambda: ensure_worker(library, environ),
        examples=examples_folder(),
        token=token,
        probe=searchers.probe,
        watching=watching,
    )
    app = create_app(context)
    watching.start()
    # What the first question needs is loaded while the page is being read. Not before: two imports at the same time
    # take as long as one after the other, and the page would come last.
    threading.Thread(target=_warm_up, args=(settings, library, searchers), daemon=True, name="warm-up").start()
    threading.Thread(target=_verify, args=(library, store), daemon=True, name="verify").start()
    ensure_worker(library, environ)  # jobs that a crash or a restart interrupted go on
    return app


def examples_folder() -> Path:
    """The documents to try it with: beside the package in the repository, inside it where it was installed."""
    package = Path(__file__).resolve().parent
    installed = package / "examples"
    return installed if installed.is_dir() else package.parent / "examples"


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
                    "Choose a higher one with --port."
                ) from None
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                foreign = error.errno == errno.EADDRNOTAVAIL
                why = "that is not an address of this computer" if foreign else error.strerror
                raise UserError(f"The app cannot listen on {host}: {why}. {HOST_ADVICE}") from None
    raise UserError(f"Ports {port} to {port + 9} of {host} are taken. Choose another one with --port.")


def _warm_up(settings: Settings, library: Library, searchers: Searchers) -> None:
    known = library.ledger.collections.all().get(settings.collection)
    try:
        searchers.encoder(known[0] if known else settings.model or default_model()).encode(["warm"])
        searchers.searcher(settings.collection).search("warm up")
    except CollectionMissing:
        return  # nothing indexed yet
    except UserError as error:
        log.warning("%s", error)  # the page says so when somebody asks


def _verify(library: Library, store: Store) -> None:
    """Compare the store's counts with the ledger's: its engine opens a truncated file and says nothing."""
    from indexer.check import PROBLEMS, advice, check
    from indexer.generations import finish_switch

    try:
        problems = []
        for name in library.ledger.collections.all():
            with suppress(UserError):  # which the check reports
                finish_switch(library, store, name)
            problems += check(library, store, name)
    except UserError as error:
        log.warning("%s", error)
        return
    for problem in problems:
        log.warning("%s: %s: %s", problem.collection, problem.document or "-", PROBLEMS[problem.code])
    if problems:
        print(f"{len(problems)} problems in {library.home}. {advice(problems)}", flush=True)
