"""Prompts and shortened vectors, as the folder's config_sentence_transformers.json wants them; unreadable texts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from tiny import make_tiny_labse

from labse_search.encoder import Encoder, load_encoder, load_tokenizer, open_encoder
from labse_search.errors import ModelUnavailable

TEXTS = ["the cat and the dog", "house", "der fluss und die stadt"]


def configured(model: Path, target: Path, **settings: Any) -> Path:
    """A copy with these settings."""
    shutil.copytree(model, target)
    (target / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return target


def reference(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").float()


def opened(folder: Path) -> Encoder:
    return load_encoder(str(folder), precision="fp32")


@pytest.mark.parametrize("pooling", ["cls", "mean_sqrt_len_tokens"], ids=["packed", "sentence-transformers"])
@pytest.mark.parametrize("default", [None, "query"])
def test_prompts_are_those_of_sentence_transformers(tmp_path: Path, default: str | None, pooling: str) -> None:
    plain = make_tiny_labse(tmp_path / "plain", pooling=pooling)
    prompts = {"query": "night city ", "document": "river "}
    folder = configured(plain, tmp_path / "model", prompts=prompts, default_prompt_name=default)
    encoder, expected = opened(folder), reference(folder)
    np.testing.assert_allclose(encoder.encode(TEXTS, "query"), expected.encode_query(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS, "document"), expected.encode_document(TEXTS), atol=1e-5)
    np.testing.assert_allclose(encoder.encode(TEXTS), expected.encode(TEXTS), atol=1e-5)
    assert encoder.fingerprint != opened(plain).fingerprint


@pytest.mark.parametrize("name", ["passage", "corpus"])
def test_other_names_for_documents_are_heard(tiny_labse: Path, tmp_path: Path, name: str) -> None:
    folder = configured(tiny_labse, tmp_path / "model", prompts={"query": "night ", name: "river "})
    expected = reference(folder).encode(TEXTS, prompt="river ")
    np.testing.assert_allclose(opened(folder).encode(TEXTS, "document"), expected, atol=1e-5)


def test_without_prompts_tasks_make_no_difference(tiny_labse: Path) -> None:
    encoder = opened(tiny_labse)
    for task in ("query", "document"):
        np.testing.assert_array_equal(encoder.encode(TEXTS, task), encoder.encode(TEXTS))


def test_a_pooling_without_the_prompt_is_left_to_sentence_transformers(tmp_path: Path) -> None:
    plain = make_tiny_labse(tmp_path / "plain", pooling="mean")
    folder = configured(plain, tmp_path / "model", prompts={"query": "night city "})
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({**json.loads(pooling.read_text()), "include_prompt": False}))
    encoder = opened(folder)
    assert encoder.describe().startswith("sentence-transformers")
    np.testing.assert_allclose(encoder.encode(TEXTS, "query"), reference(folder).encode_query(TEXTS), atol=1e-5)


def test_a_prompt_takes_room_in_the_window(tiny_labse: Path, tmp_path: Path) -> None:
    folder = configured(tiny_labse, tmp_path / "model", prompts={"query": "night city river bread "})
    encoder, window = opened(folder), load_tokenizer(str(tiny_labse)).max_tokens
    assert window - 8 <= encoder.tokenizer.max_tokens <= window - 4
    full = " ".join(["cat"] * (encoder.tokenizer.max_tokens - 2))
    assert encoder.encode([full], "query").shape == (1, encoder.dimension)


@pytest.mark.parametrize("pooling", ["cls", "mean_sqrt_len_tokens"], ids=["packed", "sentence-transformers"])
def test_vectors_are_shortened_as_the_folder_says(tmp_path: Path, pooling: str) -> None:
    folder = configured(make_tiny_labse(tmp_path / "plain", pooling=pooling), tmp_path / "model", truncate_dim=16)
    encoder, expected = opened(folder), reference(folder).encode(TEXTS, normalize_embeddings=True)
    assert encoder.dimension == open_encoder(str(folder)).dimension == expected.shape[1] == 16
    np.testing.assert_allclose(encoder.encode(TEXTS), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "said"), [("Router", "begins with a Router"), ("adapter", "holds an adapter")])
def test_folders_that_cannot_be_opened_say_what_they_are(
    tiny_labse: Path, tmp_path: Path, kind: str, said: str
) -> None:
    folder = Path(shutil.copytree(tiny_labse, tmp_path / "model"))
    if kind == "Router":
        (folder / "modules.json").write_text('[{"idx": 0, "name": "0", "path": "", "type": "x.Router"}]')
    else:
        (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelUnavailable, match=said):
        load_encoder(str(folder))


@pytest.mark.parametrize(
    ("settings", "text", "same_as"),
    [(None, "CAT", "cat"), ({}, "CAT", "cat"), ({"do_lower_case": False, "strip_accents": True}, "pônt", "pont")],
)
def test_an_old_vocabulary_is_read_as_transformers_reads_it(
    tiny_labse: Path, tmp_path: Path, settings: dict[str, Any] | None, text: str, same_as: str
) -> None:
    folder = Path(shutil.copytree(tiny_labse, tmp_path / "model"))
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    (folder / "vocab.txt").write_text("\n".join(vocabulary), "utf-8")
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    if settings is not None:
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    found = load_tokenizer(str(folder))
    assert found.ids([text]) == found.ids([same_as])


def test_a_text_that_is_mostly_unknown_is_unreadable(tiny_labse: Path, tiny_xlmr: Path) -> None:
    texts = ["cat and dog", "ស្រូវនៅខេត្តបាត់ដំបង", "cat ស្រូវនៅខេត្តបាត់ដំបង", "the cat and the dog in ស្រូវ", ""]
    for folder in (tiny_labse, tiny_xlmr):
        assert load_tokenizer(str(folder)).unreadable(texts) == [False, True, True, False, False]


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_teacher_is_asked_as_in_use(tiny_labse: Path, tmp_path: Path, side: Literal["source", "target"]) -> None:
    import torch

    from labse_search.corpora.text_keys import text_key
    from labse_search.corpora.values import Pair
    from labse_search.finetune import FinetuneConfig
    from labse_search.finetune.data import Data
    from labse_search.finetune.train import make_distillation

    prompts = {"query": "night city ", "document": "river ", "text": "bread "}
    folder = configured(tiny_labse, tmp_path / "model", prompts=prompts, default_prompt_name="text")
    model = reference(folder)
    # The same question has a translation, and a passage that answers it.
    pairs = [Pair("the cat", "die katze"), Pair("the cat", "das haus", asked=True), Pair("der hund", "das haus")]
    config = FinetuneConfig(teacher=str(folder), teacher_side=side)
    distillation = make_distillation(config, Data(pairs, [], {}, []), model)
    assert distillation is not None
    keys = torch.tensor([[text_key(pair.source), text_key(pair.target)] for pair in pairs])
    if side == "source":
        expected = [model.encode("the cat"), model.encode_query("the cat"), model.encode("der hund")]
    else:
        expected = [model.encode("die katze"), model.encode_document("das haus"), model.encode("das haus")]
    np.testing.assert_allclose(distillation.teacher(keys).cpu(), np.stack(expected), atol=1e-5)


def test_fine_tuning_puts_the_prompts_where_they_stand_in_use(tiny_labse: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    from labse_search.corpora.values import Pair
    from labse_search.finetune.sampling import plan_sampling
    from labse_search.finetune.train import training_columns
    from labse_search.finetune.trainer import PairTrainer

    prompts = {"query": "night city ", "document": "river ", "text": "bread "}
    model = reference(configured(tiny_labse, tmp_path / "model", prompts=prompts, default_prompt_name="text"))
    pairs = [Pair("the cat", "die katze"), Pair("house", "das haus", asked=True)]
    plan = plan_sampling(["", ""], [1.0, 1.0], [1, 1], [(1, 2), (3, 4)], temperature=1.0)
    trainer = PairTrainer(
        model=model, plan=plan, length_window=0, train_dataset=Dataset.from_dict(training_columns(pairs, 0))
    )
    batch = trainer.data_collator(list(trainer.train_dataset))
    read = {
        name: model.tokenizer.batch_decode(batch[f"{name}_input_ids"], skip_special_tokens=True)
        for name in ("source", "target")
    }
    assert read == {"source": ["bread the cat", "night city house"], "target": ["bread die katze", "river das haus"]}
    assert "asked_input_ids" not in batch and batch["label"].shape == (2, 2)
