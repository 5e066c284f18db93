"""Before anything is imported: no hub, no telemetry, no surprise threads."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Each core has a worker of pytest-xdist already: more threads wait for each other (one test took 34 s, not 13).
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Containers ask for no bytecode, and then each of a thousand processes compiles our modules anew: up to a third of its
# start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import psutil
import pytest

if TYPE_CHECKING:
    from indexer.sandbox import ReaderPool

# A shell that starts us in the background lets us ignore Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))  # tests import tiny.py beside them
sys.dont_write_bytecode = False  # as above, in this process and those that it spawns

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

pytest.register_assert_rewrite("browser_case")  # or its assertions do not say what they met
from browser_case import browser, contexts, visit  # noqa: E402, F401  # fixtures of the browser tests

# Files that take longest: begun first, so that no worker is left alone with one of them at the end.
LONG = """test_browser test_moved_home test_browser_early test_kills test_store_edge test_backup test_finetune
test_questions test_browser_access test_archive test_segment test_hostile test_trim test_map test_loss test_log
test_races test_attack test_browser_models test_sandbox test_pipeline test_pretrain test_unanswered test_identifier
test_encoder_pool test_generations test_repair test_ui test_offline test_encoder test_watch test_server test_keeping
test_align_kept test_search_links test_quick_import test_fetch test_teach_tuning test_public_names""".split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those of LONG first, then the files with most tests; pytest-xdist would take the latter first of all."""
    tests = Counter(item.path for item in items)
    long = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: (long.get(item.path.stem, len(LONG)), -tests[item.path], item.path))


@pytest.fixture(autouse=True)
def processes_end_with_their_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """End the store processes of a test: they outlive their clients, and what they have mapped keeps its memory even
    when its folder is deleted (12 GB in a whole run)."""
    folder = str(request.getfixturevalue("tmp_path")) if "tmp_path" in request.fixturenames else None
    yield
    for number in processes_that_name(folder) if folder else ():
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(number)
            process.kill()
            process.wait(300)


def processes_that_name(folder: str) -> list[int]:
    """On their command lines. Linux's own list takes a quarter of the time, a thousand times."""
    if not sys.platform.startswith("linux"):
        return [one.pid for one in psutil.process_iter(["cmdline"]) if folder in " ".join(one.info["cmdline"] or ())]
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if folder.encode() in Path("/proc", number, "cmdline").read_bytes():
                found.append(int(number))
    return found


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
