"""Counting tokens as the model will see them, and pointing at them in the text."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model
from tokenizers import Tokenizer
from words_model import words_model

from labse_search.encoder import load_encoder, load_tokenizer
from labse_search.encoder.folder import read_folder
from labse_search.encoder.tokens import ModelTokenizer, Tokenized, open_tokenizer, pack_ids

WORDS = str(words_model())


def test_the_window_is_the_one_sentence_transformers_uses(tiny_labse: Path, tmp_path: Path) -> None:
    assert load_tokenizer(str(tiny_labse)).max_tokens == 64  # model_max_length of the tokenizer
    folder = shutil.copytree(tiny_labse, tmp_path / "model")
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 32, "do_lower_case": false}')
    assert load_tokenizer(str(folder)).max_tokens == 32


def test_counts_hold_special_tokens_and_are_never_cut(tiny_labse: Path) -> None:
    tokenizer = load_tokenizer(str(tiny_labse))
    assert tokenizer.count(["", "cat", "cat dog", "cat " * 100]) == [2, 3, 4, 102]


def test_a_static_model_has_no_special_tokens_and_no_window_of_its_own(tmp_path: Path) -> None:
    tokenizer = load_tokenizer(str(make_lexicon_model(tmp_path / "static")))
    assert tokenizer.count([""]) == [0] and tokenizer.max_tokens == 256


def test_counts_equal_those_of_transformers(tiny_labse: Path) -> None:
    from transformers import AutoTokenizer

    texts = ["The cat, in the rain!", "Brücke, мост и 東京 pont", "unknown words everywhere…", "a" * 90]
    ids = AutoTokenizer.from_pretrained(tiny_labse)(texts).input_ids
    assert load_tokenizer(str(tiny_labse)).count(texts) == [len(text) for text in ids]


@pytest.mark.parametrize("text", ["кот и собака, 東京 🙂 cat", "ﬁne ½ Å  two spaces", "שלום 'עולם'"])
def test_offsets_are_code_points_and_cover_every_letter(text: str, tiny_labse: Path) -> None:
    for model in (str(tiny_labse), WORDS):
        covered = set()
        for start, end in load_tokenizer(model).offsets(text):
            assert 0 <= start <= end <= len(text)
            covered.update(range(start, end))
        assert {n for n, letter in enumerate(text) if not letter.isspace()} <= covered


def test_a_line_without_spaces_is_many_tokens_and_not_one_unknown_one(tiny_labse: Path) -> None:
    """WordPiece gives up on words of more than 100 characters: a line of Thai would be lost."""
    tokenizer = load_tokenizer(str(tiny_labse))
    line = "abcdefgh" * 2500

    offsets = tokenizer.offsets(line)

    assert offsets[0][0] == 0 and offsets[-1][1] == len(line)
    assert all(end == start for (_, end), (start, _) in zip(offsets[:-1], offsets[1:], strict=True))
    assert max(end - start for start, end in offsets) <= 8
    assert tokenizer.count([line])[0] == len(offsets) + 2


def test_marks_stay_with_their_letters_when_a_long_word_is_read_in_parts(tiny_labse: Path) -> None:
    line = "กี" * 60  # a letter and a vowel mark above it, 120 code points
    starts = {start for start, _ in load_tokenizer(str(tiny_labse)).offsets("x" * 79 + line)}
    assert not [start for start in starts if start >= 79 and (start - 79) % 2]


def test_lower_casing_of_sentence_transformers_is_kept(tiny_labse: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_labse, tmp_path / "model")
    unknown = open_tokenizer(read_folder(folder)).ids(["CAT"])
    settings = json.loads((folder / "sentence_bert_config.json").read_text())
    (folder / "sentence_bert_config.json").write_text(json.dumps({**settings, "do_lower_case": True}))
    lowered = open_tokenizer(read_folder(folder))
    assert lowered.ids(["CAT"]) == lowered.ids(["cat"]) != unknown


def test_the_unknown_token_is_the_models_own(tiny_labse: Path, tiny_xlmr: Path) -> None:
    for folder, token in ((tiny_labse, "[UNK]"), (tiny_xlmr, "<unk>"), (words_model(), "[UNK]")):
        tokenizer = load_tokenizer(str(folder))
        assert isinstance(tokenizer, ModelTokenizer)
        vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json"))
        assert tokenizer.unknown_id() == vocabulary.token_to_id(token)


def test_a_tokenizer_is_read_once_for_all_who_hold_it(tiny_labse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_labse, folder)
    first = open_tokenizer(read_folder(folder))
    assert open_tokenizer(read_folder(folder)) is first is load_tokenizer(str(folder))
    assert load_encoder(str(folder)).tokenizer is first
    settings = json.loads((folder / "sentence_bert_config.json").read_text("utf-8"))
    (folder / "sentence_bert_config.json").write_text(json.dumps({**settings, "max_seq_length": 16}), "utf-8")
    assert open_tokenizer(read_folder(folder)).max_tokens == 16 != first.max_tokens
    os.utime(folder / "tokenizer.json", (1, 1))  # another file in its place
    assert open_tokenizer(read_folder(folder)) is not first


def test_texts_whose_tokens_are_known_are_not_tokenized_again() -> None:
    tokenizer = load_tokenizer(WORDS)
    assert isinstance(tokenizer, ModelTokenizer)
    texts = ["bread and butter", "", "snow"]
    ids = [pack_ids(found) for found in tokenizer.ids(texts)]
    others = ["none", "of", "these"]
    known = Tokenized(others, ids, tokenizer.identity)
    for found, expected in zip(tokenizer.flat_ids(known), tokenizer.flat_ids(texts), strict=True):
        np.testing.assert_array_equal(found, expected)
    for found, expected in zip(tokenizer.flat_ids(known[1:]), tokenizer.flat_ids(texts[1:]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert (len(known), list(known), known[-1]) == (3, others, "these")
    of_another = Tokenized(others, ids, "another model's")
    for found, expected in zip(tokenizer.flat_ids(of_another), tokenizer.flat_ids(others), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_tokens_that_cannot_be_are_refused() -> None:
    tokenizer = load_tokenizer(WORDS)
    assert isinstance(tokenizer, ModelTokenizer)
    for wrong in ([-1], [1 << 30]):
        with pytest.raises(ValueError, match="does not know"):
            tokenizer.flat_ids(Tokenized(["snow"], [pack_ids(wrong)], tokenizer.identity))
    with pytest.raises(ValueError, match="text 1 has"):
        tokenizer.flat_ids(
            Tokenized(["a", "b"], [pack_ids([1]), pack_ids([1] * (tokenizer.max_tokens + 1))], tokenizer.identity)
        )
    with pytest.raises(ValueError, match="2 texts and the tokens of 1"):
        Tokenized(["a", "b"], [b""], tokenizer.identity)
