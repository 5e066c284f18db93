"""Before anything is imported: no hub, no telemetry, no surprise threads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Each core has a worker of pytest-xdist already: more threads wait for each other (one test took 34 s, not 13).
os.environ.setdefault("OMP_NUM_THREADS", "1")

import psutil
import pytest

if TYPE_CHECKING:
    from indexer.sandbox import ReaderPool

# A shell that starts us in the background lets us ignore Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))  # tests import tiny.py beside them

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

pytest.register_assert_rewrite("browser_case")  # or its assertions do not say what they met
from browser_case import browser, visit  # noqa: E402, F401  # fixtures of the browser tests


@pytest.fixture(autouse=True)
def processes_end_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the store processes of a test: they outlive their clients, and what they have mapped keeps its memory even
    when its folder is deleted (12 GB in a whole run)."""
    folder = str(request.getfixturevalue("tmp_path")) if "tmp_path" in request.fixturenames else None
    yield
    for process in psutil.process_iter(["cmdline"]) if folder else ():
        if any(folder in argument for argument in process.info["cmdline"] or ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                process.wait(10)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that is not part of the repository; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: this test needs its data")
    return SHARED


@pytest.fixture(scope="module")
def readers() -> Iterator[ReaderPool]:
    """One process that reads for labse-mini, shared by the tests of a file."""
    from library_case import MODEL

    from indexer.sandbox import ReaderPool

    with ReaderPool(1, model=str(MODEL)) as pool:
        yield pool


@pytest.fixture(scope="session")
def tiny_labse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LaBSE-shaped model of random weights: read only, shared by all tests of a session."""
    from tiny import make_tiny_labse

    return make_tiny_labse(tmp_path_factory.mktemp("models") / "tiny-labse")


@pytest.fixture(scope="session")
def tiny_xlmr(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An XLM-R-shaped model of random weights with a Unigram tokenizer: read only."""
    from tiny import make_tiny_xlmr

    return make_tiny_xlmr(tmp_path_factory.mktemp("models") / "tiny-xlmr")
