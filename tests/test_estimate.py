"""How long indexing will take: learned from the library where it can tell, measured where it cannot."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from lexicon import make_lexicon_model

from indexer.estimate import expected_passages, measured_rate, probed_rate
from indexer.preflight import preflight
from labse_search.encoder import load_encoder
from labse_search.library import DocumentRow, Library, Source

ROW = DocumentRow("notes", "a", ("a.txt",), "txt", "", 10, 0, 0, {}, 1, {}, "", (), "", "stored", 0.0)


def test_passages_are_expected_as_files_of_the_kind_made_before(tmp_path: Path) -> None:
    library = Library(tmp_path)
    sources = [Source("/x/a.txt", "a.txt", 50_000), Source("/x/b.pdf", "b.pdf", 70_000)]
    assert expected_passages(library, sources) == 200 + 10
    library.ledger.documents.put(replace(ROW, bytes=1_000_000, segments=1000), version=1)
    assert expected_passages(library, sources) == 50 + 10


def test_the_rate_is_that_of_a_job_of_this_model_that_took_long_enough(tmp_path: Path) -> None:
    library, now = Library(tmp_path / "home"), time.time()
    for model, seconds, segments in (("one", 100.0, 500), ("two", 100.0, 900), ("one", 1.0, 900), ("one", 60.0, 1)):
        job = library.add_index_job("notes", model, [])
        library.ledger.jobs.set(job, state="done", started=now, finished=now + seconds, segments=segments)
    assert (measured_rate(library, "one"), measured_rate(library, "three")) == (5.0, None)
    (tmp_path / "a.txt").write_text("x" * 5000)
    plan = preflight(library, "notes", [Source(str(tmp_path / "a.txt"), "a.txt", 5000)], max_file_bytes=9999, rate=5.0)
    assert (plan.passages, plan.seconds) == (20, 4.0)


def test_a_loaded_model_is_measured(tmp_path: Path) -> None:
    assert probed_rate(load_encoder(str(make_lexicon_model(tmp_path / "model")))) > 1
