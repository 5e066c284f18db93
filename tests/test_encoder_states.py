"""What encoders tell of single tokens, against transformers' own BERT."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model
from tiny import make_tiny_labse

from labse_search.encoder import Encoder, load_encoder, open_encoder
from labse_search.encoder.packed import FEW_TOKENS

TEXTS = ["the cat and the dog", "Hund", "кот и собака ночь", ""]


def opened(folder: Path) -> Encoder:
    return load_encoder(str(folder), precision="fp32")


def hidden_states(folder: Path, text: str, layer: int) -> np.ndarray:
    """(tokens, hidden) after so many layers, special tokens included."""
    import torch
    from transformers import AutoTokenizer, BertModel

    bert = BertModel.from_pretrained(folder).eval()
    with torch.no_grad():
        found = bert(**AutoTokenizer.from_pretrained(folder)(text, return_tensors="pt"), output_hidden_states=True)
    return found.hidden_states[layer][0].numpy()


@pytest.mark.parametrize(("pooling", "layer"), [("cls", -2), ("mean", -2), ("mean_sqrt_len_tokens", -1)])
def test_states_are_those_that_transformers_computes(tmp_path: Path, pooling: str, layer: int) -> None:
    """Of the layer before the last where the model is packed, of the last by sentence-transformers."""
    folder = make_tiny_labse(tmp_path / "model", pooling=pooling)
    found = opened(folder).token_states(TEXTS, ["text"] * len(TEXTS))
    assert found is not None
    for text, one in zip(TEXTS, found, strict=True):
        np.testing.assert_allclose(one.states, hidden_states(folder, text, layer)[1:-1], atol=1e-5)
        assert [text[start:end] for start, end in one.spans.tolist()] == text.split()


@pytest.mark.parametrize("pooling", ["cls", "mean_sqrt_len_tokens"], ids=["packed", "sentence-transformers"])
def test_a_prompt_counts_and_is_no_part_of_the_text(tmp_path: Path, pooling: str) -> None:
    folder = make_tiny_labse(tmp_path / "model", pooling=pooling)
    plain = opened(folder).token_states(["night city the cat"], ["text"])
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "night city "}}))
    found = opened(folder).token_states(["the cat", "night city the cat"], ["query", "document"])
    assert plain is not None and found is not None
    np.testing.assert_allclose(found[0].states, plain[0].states[2:], atol=1e-5)
    np.testing.assert_allclose(found[1].states, plain[0].states, atol=1e-5)
    assert found[0].spans.tolist() == [[0, 3], [4, 7]]


def test_a_word_too_long_for_the_vocabulary_keeps_its_place(tiny_labse: Path) -> None:
    text = "cat " + "ก" * 250 + " dog"
    found = opened(tiny_labse).token_states([text], ["text"])
    assert found is not None
    spans = found[0].spans.tolist()
    assert spans[0] == [0, 3] and spans[-1] == [len(text) - 3, len(text)]
    assert [start for start, _ in spans[2:-1]] == [end for _, end in spans[1:-2]]  # no gap in between


def test_a_text_longer_than_the_window_is_refused(tiny_labse: Path) -> None:
    with pytest.raises(ValueError, match="tokens, the model reads"):
        opened(tiny_labse).token_states(["cat " * 100], ["text"])


def test_states_are_the_same_alone_in_bulk_and_from_many_threads(tiny_labse: Path) -> None:
    encoder = open_encoder(str(tiny_labse), precision="fp32")
    texts = [f"cat {word} house" for word in ("dog", "sea", "bread", "night", "wind")]
    many = encoder.token_states(texts * FEW_TOKENS, ["text"] * 5 * FEW_TOKENS)
    assert many is not None and len(many) == 5 * FEW_TOKENS
    with ThreadPoolExecutor(8) as threads:
        alone = list(threads.map(lambda n: encoder.token_states([texts[n % 5]], ["text"]), range(40)))
    for n, found in enumerate(alone):
        assert found is not None
        np.testing.assert_allclose(found[0].states, many[n % 5].states, atol=1e-4)
    np.testing.assert_array_equal(many[-1].spans, many[4].spans)


def test_no_texts_have_no_states_and_a_static_model_tells_none(tmp_path: Path, tiny_labse: Path) -> None:
    assert opened(tiny_labse).token_states([], []) == []
    assert opened(make_lexicon_model(tmp_path / "static")).token_states(["en1"], ["text"]) is None
