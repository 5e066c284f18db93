"""Before anything is imported: no hub, no telemetry, no surprise threads."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Each core has a worker of pytest-xdist already: more threads wait for each other (one test took 34 s, not 13).
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

# A shell that starts us in the background lets us ignore Ctrl-C, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))  # tests import tiny.py beside them

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data that is not part of the repository; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here: this test needs its data")
    return SHARED


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
