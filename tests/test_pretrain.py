"""Masked batches, growing encoders, vocabularies, and whole pre-training runs that fine-tuning goes on from."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from transformers import AutoTokenizer, XLMRobertaConfig, XLMRobertaForMaskedLM

from labse_search.errors import UserError
from labse_search.finetune import FinetuneConfig, finetune
from labse_search.pretrain import PretrainConfig, pretrain
from labse_search.pretrain.data import read_data, smoothed
from labse_search.pretrain.masking import KindBatchSampler, MaskedDataset, MaskingCollator, Positions, positions_of
from labse_search.pretrain.stacking import EncoderShape, grow, new_encoder
from labse_search.pretrain.vocabulary import train_vocabulary

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which has half precision")
ENGLISH = "cat dog house water sea river city bridge market bread salt wind rain sun night day".split()
GERMAN = "katze hund haus wasser meer fluss stadt brücke markt brot salz wind regen sonne nacht tag".split()


def rows(count: int) -> list[tuple[str, str]]:
    chosen = random.Random(0)
    picks = [chosen.sample(range(16), 4) for _ in range(count)]
    return [(" ".join(ENGLISH[at] for at in pick), " ".join(GERMAN[at] for at in pick)) for pick in picks]


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "en-de.tsv"
    file.write_text("".join(f"en\tde\t{source}\t{target}\n" for source, target in rows(600)), "utf-8")
    return file


@pytest.fixture(scope="module")
def config(corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    return PretrainConfig(
        pairs=(str(corpus_file),),
        output=str(tmp_path_factory.mktemp("made") / "encoder"),
        vocabulary=200,
        hidden=32,
        heads=4,
        stages=(1, 2),
        steps=(60, 40),
        window=24,
        global_batch_size=32,
        learning_rate=5e-3,
        held_out=60,
        masked=0.3,
    )


@pytest.fixture(scope="module")
def encoder(config: PretrainConfig) -> Path:
    said: list[str] = []
    result = pretrain(config, say=said.append)
    before, *after = result.losses
    assert [set(losses) for losses in result.losses] == [{"mlm", "tlm"}] * 3
    assert after[-1]["mlm"] < before["mlm"] - 1 and after[-1]["tlm"] < before["tlm"] - 1
    assert any("1 layers × 60 steps, 2 layers × 40 steps" in line for line in said)
    return result.path


def test_the_folder_is_a_labse_stack(encoder: Path) -> None:
    model = SentenceTransformer(str(encoder), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense", "Normalize"]
    assert model[0].auto_model.config.num_hidden_layers == 2 and model[1].pooling_mode == "cls"
    assert np.linalg.norm(model.encode(["cat sea"])[0]) == pytest.approx(1, abs=1e-5)
    assert {file.name for file in (encoder / "run").iterdir()} >= {"config.json", "metrics.json", "history-1.jsonl"}
    assert not encoder.with_name("encoder.partial").exists()


def test_fine_tuning_goes_on_from_it(encoder: Path, corpus_file: Path, tmp_path: Path) -> None:
    result = finetune(
        FinetuneConfig(
            train=(str(corpus_file),),
            model=str(encoder),
            output=str(tmp_path / "tuned"),
            max_steps=20,
            global_batch_size=64,
            learning_rate=1e-2,
            pooling="mean",  # [CLS] needs more steps than a test has
            scale=20,
            alphas=(1.0,),
            dev_fraction=0.2,
        )
    )
    assert result.before and result.after and result.after.accuracy > result.before.accuracy + 0.1


def test_another_encoder_can_be_the_start(encoder: Path, config: PretrainConfig, tmp_path: Path) -> None:
    more = replace(config, init=str(encoder), stages=(3,), steps=(5,), output=str(tmp_path / "more"))
    result = pretrain(more)
    assert result.losses[-1]["tlm"] < 5
    model = SentenceTransformer(str(result.path), device="cpu")
    assert model[0].auto_model.config.num_hidden_layers == 3


class CtrlC(logging.Handler):
    """Presses it when the trainer says that it writes its first checkpoint: a thread that waited for the checkpoint
    could come too late."""

    def __init__(self) -> None:
        super().__init__()
        self.pressed = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self.pressed and "Saving model checkpoint" in record.getMessage():
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def stopped(config: PretrainConfig, tmp_path: Path) -> PretrainConfig:
    """A run of twelve steps that Ctrl-C stopped on the way."""
    short = replace(config, output=str(tmp_path / "short"), stages=(1,), steps=(12,), save_steps=3)
    trainer, handler = logging.getLogger("transformers.trainer"), CtrlC()
    before = trainer.level
    trainer.addHandler(handler)
    trainer.setLevel(logging.INFO)
    try:
        assert pretrain(short).interrupted and handler.pressed
    finally:
        trainer.setLevel(before)
        trainer.removeHandler(handler)
    return short


def test_a_stopped_run_goes_on_with_the_same_settings_and_data_only(
    stopped: PretrainConfig, corpus_file: Path, tmp_path: Path
) -> None:
    for changes, flag in (({"masked": 0.4}, "--masked"), ({"hidden": 64}, "--hidden"), ({"seed": 1}, "--seed")):
        with pytest.raises(UserError, match=f"had another {flag}"):
            pretrain(replace(stopped, **changes))  # type: ignore[arg-type]
    whole = corpus_file.read_text("utf-8")
    try:
        corpus_file.write_text(whole[: len(whole) // 2].rpartition("\n")[0] + "\n", "utf-8")
        with pytest.raises(UserError, match="was with other data"):
            pretrain(stopped)
    finally:
        corpus_file.write_text(whole, "utf-8")
    # As a process leaves it that was killed between two lines: a folder half made, a stage half written.
    work = tmp_path / "short.partial"
    (work / "made" / "run").mkdir(parents=True)
    (work / "made" / "run" / "history-1.jsonl").write_text("", "utf-8")
    (work / "stage-1.new").write_bytes(b"PK\x03\x04")
    said: list[str] = []
    result = pretrain(stopped, say=said.append)
    assert any(line.startswith("going on from") for line in said)
    steps = [json.loads(line)["step"] for line in (result.path / "run" / "history-1.jsonl").open(encoding="utf-8")]
    assert sorted(set(steps)) == list(range(1, 13))
    assert (result.path / "run" / "metrics.json").is_file() and not work.exists()


def test_positions_are_those_that_the_encoder_counts_itself(tiny_xlmr: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_xlmr)
    tokenizer.mask_token = tokenizer.unk_token  # the tiny model has none of its own
    encoder = XLMRobertaForMaskedLM(XLMRobertaConfig.from_pretrained(tiny_xlmr)).eval()
    collator = MaskingCollator(tokenizer, window=32, masked=1e-12, seed=0, positions=positions_of(encoder))
    data = MaskedDataset(tokenizer, ["cat house", "the river and the sea"], [])
    batch = collator([data[0], data[1]])
    del batch["labels"]
    with torch.no_grad():
        ours = encoder(**batch).logits
        del batch["position_ids"]
        theirs = encoder(**batch).logits
    real = batch["attention_mask"].bool()
    torch.testing.assert_close(ours[real], theirs[real])


def test_layers_are_copied_upwards_and_nothing_else_changes() -> None:
    torch.manual_seed(0)
    small = new_encoder(EncoderShape(vocabulary=50, hidden=16, heads=2, layers=2, window=16, pad=0))
    tall = grow(small, 4)
    layers, taller = small.bert.encoder.layer, tall.bert.encoder.layer
    for at in range(4):
        for one, other in zip(layers[at % 2].parameters(), taller[at].parameters(), strict=True):
            assert torch.equal(one, other) and one.data_ptr() != other.data_ptr()
    assert torch.equal(small.bert.embeddings.word_embeddings.weight, tall.bert.embeddings.word_embeddings.weight)
    assert torch.equal(small.cls.predictions.bias, tall.cls.predictions.bias)
    assert tall.cls.predictions.decoder.weight is tall.bert.embeddings.word_embeddings.weight
    assert tall.config.num_hidden_layers == 4
    with pytest.raises(UserError, match="Stages grow"):
        grow(tall, 2)


def masked_batch(masked: float) -> tuple[dict[str, torch.Tensor], MaskedDataset, MaskingCollator]:
    pairs = rows(400)
    tokenizer = train_vocabulary(
        iter([text for pair in pairs for text in pair]), size=200, pieces="wordpiece", window=24
    )
    data = MaskedDataset(tokenizer, [source for source, _ in pairs], pairs)
    collator = MaskingCollator(tokenizer, window=24, masked=masked, seed=0, positions=Positions())
    torch.manual_seed(0)
    return collator([data[row] for row in range(400, 800)]), data, collator


@pytest.mark.parametrize("masked", [0.15, 0.2])
def test_the_share_of_masked_tokens(masked: float) -> None:
    batch, _, collator = masked_batch(masked)
    special = torch.isin(batch["input_ids"], torch.tensor([0, 2, 3]))
    guessed = batch["labels"] != -100
    words = int((~special | guessed).sum())
    assert int(guessed.sum()) / words == pytest.approx(masked, abs=0.02)
    replaced = batch["input_ids"][guessed] == collator.tokenizer.mask_token_id
    assert float(replaced.float().mean()) == pytest.approx(0.8, abs=0.06)
    assert not torch.isin(batch["labels"][guessed], torch.tensor([0, 2, 3])).any()


def test_a_pair_is_laid_out_without_a_trace_of_its_languages() -> None:
    batch, _, _ = masked_batch(0.2)
    assert set(batch) == {"input_ids", "attention_mask", "position_ids", "labels"}  # no language, no segment ids
    ids, positions = batch["input_ids"][0].tolist(), batch["position_ids"][0].tolist()
    assert ids[0] == 2 and ids.count(3) == 2
    first = ids.index(3)
    assert positions[: first + 1] == list(range(first + 1)) and positions[first + 1] == 0
    _, data, collator = masked_batch(0.2)
    starts = Counter(tuple(collator._lay([10, 11], [20])[0][1:2]) for _ in range(200))
    assert 60 < starts[(10,)] < 140  # either side comes first


def test_whole_batches_are_of_one_kind() -> None:
    _, data, _ = masked_batch(0.2)
    sampler = KindBatchSampler(data, 16, 60, pair_share=0.5, seed=1)
    kinds = [{row >= 400 for row in batch} for batch in sampler]
    assert all(len(kind) == 1 for kind in kinds) and len(kinds) == 60
    assert 15 < sum(kind == {True} for kind in kinds) < 45
    assert list(sampler) == list(sampler)
    only_lines = MaskedDataset(collator_tokenizer(), ["cat dog"], [])
    assert all(row == 0 for batch in KindBatchSampler(only_lines, 2, 3, pair_share=0.5, seed=0) for row in batch)


def collator_tokenizer() -> object:
    return train_vocabulary(iter(["cat dog"] * 3), size=100, pieces="wordpiece", window=24)


def test_smoothing_lifts_the_small_language() -> None:
    lines = [("en", f"english line {n}") for n in range(1000)] + [("sw", f"swahili line {n}") for n in range(10)]
    counts = Counter(text.split()[0] for text in smoothed(lines, 0.3, 0))
    expected = 1010 * 10**0.3 / (1000**0.3 + 10**0.3)
    assert counts["swahili"] == pytest.approx(expected, abs=2) and sum(counts.values()) == pytest.approx(1010, abs=2)


@pytest.mark.parametrize("pieces", ["wordpiece", "unigram"])
def test_vocabularies_are_cased_and_wrap_in_special_tokens(pieces: str) -> None:
    tokenizer = train_vocabulary(iter(["Berlin ist Berlin", "berlin 東京"] * 5), size=60, pieces=pieces, window=32)  # type: ignore[arg-type]
    ids = tokenizer("Berlin")["input_ids"]
    assert tokenizer.convert_ids_to_tokens([ids[0], ids[-1]]) == ["[CLS]", "[SEP]"]
    assert tokenizer("Berlin")["input_ids"] != tokenizer("berlin")["input_ids"]
    assert tokenizer.unk_token_id not in tokenizer("東京")["input_ids"]


def test_held_out_text_is_not_trained_on(corpus_file: Path) -> None:
    corpus = read_data([], [str(corpus_file)], held_out=50, seed=0)
    held = {text for pair in corpus.held_pairs for text in (pair.source, pair.target)}
    assert len(corpus.held_pairs) == 50 and not held & {line for _, line in corpus.lines}
    assert not {line for _, line in corpus.held_lines} & {line for _, line in corpus.lines}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"stages": (2, 4), "steps": (5,)}, "give as many"),
        ({"stages": (4, 2), "steps": (5, 5)}, "at least the layers"),
        ({"pairs": ()}, "no lines of text"),
        ({"text": ("xx=/no/such/file.txt",)}, "no such file"),
        ({"hidden": 30}, "does not divide among --heads"),
        ({"init": "no/such/encoder"}, "no encoder there"),
        pytest.param({"precision": "fp16"}, "needs a GPU", marks=WITHOUT_GPU),
        ({"masked": 1.5}, "--masked 1.5"),
        ({"output": "/proc/sys/x"}, "cannot be written"),
    ],
)
def test_what_a_person_can_fix_is_said(
    config: PretrainConfig, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        pretrain(replace(config, **{"output": str(tmp_path / "new"), **changes}))  # type: ignore[arg-type]
