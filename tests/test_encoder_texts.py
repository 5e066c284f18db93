"""Many texts to vectors: once each, cut to the window, in order, with progress."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, sentence

from labse_search.encoder import load_encoder
from labse_search.encoder.texts import encode_texts, fit_window
from labse_search.evaluate.embedding_cache import EmbeddingCache
from labse_search.progress import ProgressLine, clock


def test_long_texts_are_cut_to_the_window_and_short_ones_left_alone(tiny_labse: Path) -> None:
    encoder = load_encoder(str(tiny_labse))
    long = "the cat is in the house and the dog sleeps by the river " * 20
    assert encoder.tokenizer.count([long])[0] > encoder.tokenizer.max_tokens
    with pytest.raises(ValueError):
        encoder.encode([long])
    cut, short = fit_window(encoder, [long, "the cat"])
    assert short == "the cat"
    assert long.startswith(cut) and len(cut) > 50
    counts = encoder.tokenizer.count([cut])[0]
    assert encoder.tokenizer.max_tokens - 3 <= counts <= encoder.tokenizer.max_tokens
    np.testing.assert_allclose(encode_texts(encoder, [long, "a"])[0], encoder.encode([cut])[0], atol=1e-5)


def test_repeated_texts_are_encoded_once_and_come_back_in_order(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_lexicon_model(tmp_path / "model")))
    texts = [sentence("en", [1, 2]), sentence("de", [3]), sentence("en", [1, 2])]
    reports: list[tuple[int, int]] = []
    vectors = encode_texts(encoder, texts, progress=lambda done, total: reports.append((done, total)))
    np.testing.assert_array_equal(vectors, encoder.encode(texts))
    assert reports == [(2, 2)]
    remembering = EmbeddingCache(encoder)
    remembering.prepare(texts[:2])
    np.testing.assert_array_equal(remembering.vectors([*texts, sentence("fr", [4])])[:3], vectors)
    assert remembering.encoded == 3
    assert encode_texts(encoder, []).shape == (0, encoder.dimension)


def test_progress_is_quiet_about_short_work_and_tells_of_long() -> None:
    stream = io.StringIO()
    line = ProgressLine("encode", stream=stream)
    line(10, 10)
    assert stream.getvalue() == ""
    line.started -= 60
    line.last -= 60
    line(3, 12)
    assert stream.getvalue().startswith("encode: 3 of 12 (25%), 0/s, 3:00 left")
    assert clock(3725) == "1:02:05"
