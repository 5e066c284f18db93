"""Whole runs on small real models: accepted, refused, stopped and gone on with; and each decision of acceptance."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import signal
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from processes import finish, next_line, run, start
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tiny import WORDS, make_tiny_labse
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from labse_search.encoder import load_encoder
from labse_search.encoder.folder import read_folder
from labse_search.errors import UserError
from labse_search.finetune import FinetuneConfig, finetune
from labse_search.finetune.__main__ import main
from labse_search.finetune.acceptance import Measured, check_gain_possible, decide, encode_shared
from labse_search.finetune.config import Scores
from labse_search.finetune.data import read_regression
from labse_search.finetune.model import (
    add_adapters,
    interpolate,
    layer_weights,
    merge_adapters,
    set_trainable,
    state_of,
)
from labse_search.finetune.plan import FEW_WEIGHTS, caches, default_learning_rate
from labse_search.training.memory import cgroup_headroom, free_memory
from labse_search.training.models import open_model
from labse_search.training.processes import on_cpu
from labse_search.training.teacher import TextTeacher

WITHOUT_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, which has half precision")
ENGLISH = "cat dog house water sea river city bridge market bread salt wind rain sun night day".split()
GERMAN = "katze hund haus wasser meer fluss stadt brücke markt brot salz wind regen sonne nacht tag".split()
RUSSIAN = "кот собака дом вода море река город мост рынок хлеб соль ветер дождь солнце ночь день".split()


@pytest.fixture(scope="module")
def static_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static model that knows German words by heart and of Russian ones nothing."""
    words = list(dict.fromkeys([*WORDS, *ENGLISH, *GERMAN, *RUSSIAN]))
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(["[UNK]", *words])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = torch.randn(len(words) + 1, 32, generator=torch.Generator().manual_seed(0))
    for english, german in zip(ENGLISH, GERMAN, strict=True):
        weights[words.index(german) + 1] = weights[words.index(english) + 1]
    model = SentenceTransformer(modules=[StaticEmbedding(tokenizer, weights), Normalize()], device="cpu")
    folder = tmp_path_factory.mktemp("models") / "static"
    model.save(str(folder), create_model_card=False)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Its languages are not known\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """russian.tsv and its shuffled twin, dev.tsv, and german.tsv as what must not get worse."""
    folder = tmp_path_factory.mktemp("pairs")
    chosen = random.Random(0)
    triples = sorted({tuple(chosen.sample(range(16), 3)) for _ in range(700)})
    chosen.shuffle(triples)
    rows = [[" ".join(words[at] for at in triple) for words in (ENGLISH, RUSSIAN, GERMAN)] for triple in triples]
    write(folder / "dev.tsv", [("en", "ru", *row[:2]) for row in rows[:100]])
    write(folder / "german.tsv", [("en", "de", row[0], row[2]) for row in rows[:100]])
    train = rows[100:600]
    write(folder / "russian.tsv", [("en", "ru", *row[:2]) for row in train])
    targets = [row[1] for row in train]
    chosen.shuffle(targets)
    write(folder / "poisoned.tsv", [("en", "ru", row[0], target) for row, target in zip(train, targets, strict=True)])
    return folder


@pytest.fixture
def config(data: Path, static_model: Path, tmp_path: Path) -> FinetuneConfig:
    return FinetuneConfig(
        train=(f"{data}/russian.tsv",),
        dev=(f"{data}/dev.tsv",),
        regression=(f"{data}/german.tsv",),
        model=str(static_model),
        output=str(tmp_path / "tuned"),
        global_batch_size=50,
        max_steps=60,
        learning_rate=0.05,
        scale=20,
        margin=0.1,
        max_language_drop=5,
        max_regression=5,
    )


def test_a_field_is_learned_and_the_folder_loads(config: FinetuneConfig, static_model: Path) -> None:
    before = digest(static_model)
    said: list[str] = []
    result = finetune(config, say=said.append)
    assert result.accepted and result.alpha > 0 and result.path == Path(config.output)
    assert result.before and result.after and result.after.accuracy > result.before.accuracy + 0.3
    text = "\n".join(said)
    assert "batch: 1 processes × 50 = 50 pairs" in text and "negatives per row: 49 each way" in text
    assert "steps: 60" in text and "memory: about" in text and "before    after   change" in text
    model = SentenceTransformer(config.output, device="cpu")
    vectors = model.encode(["cat sea day", "кот море день", "ночь соль дом"])
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2] + 0.2
    metrics = json.loads((result.path / "run" / "metrics.json").read_text("utf-8"))
    assert metrics["accepted"] is True and metrics["gain_points"]["low"] > 0
    language = metrics["by_language"]["en-ru"]
    assert language["pairs"] == 100 and language["before"] < language["low"] + language["before"] < language["after"]
    assert said[-1] == f"next: python -m labse_search.library reembed --model {config.output} --switch"
    progress = json.loads((result.path / "run" / "progress.json").read_text("utf-8"))
    assert (progress["step"], progress["steps"]) == (60, 60)
    assert metrics["after"][f"{result.alpha:g}"]["domain"]["accuracy"] == pytest.approx(result.after.accuracy)
    plots = {file.name for file in (result.path / "run" / "plots").glob("*.png")}
    assert plots == {"loss.png", "dev_accuracy.png", "languages.png", "similarities.png", "alpha.png"}
    card = (result.path / "README.md").read_text("utf-8")
    assert "| dev accuracy → |" in card and "## Limits" in card and "license: mit" in card
    assert "language:" not in card and read_folder(result.path).languages == ()  # the field's alone would be too few
    encoder = load_encoder(config.output, precision="fp32")  # the app's own
    np.testing.assert_allclose(encoder.encode(["cat sea day", "кот море день"]), vectors[:2], atol=1e-5)
    assert not Path(f"{config.output}.partial").exists() and digest(static_model) == before


def test_shuffled_pairs_are_refused_with_status_3(
    config: FinetuneConfig, data: Path, static_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digest(static_model)
    flags = ["--train", f"{data}/poisoned.tsv", "--dev", f"{data}/dev.tsv", "--model", config.model]
    flags += ["--output", config.output, "--max-steps", "20", "--global-batch-size", "50", "--learning-rate", "0.05"]
    assert main(flags) == 3
    assert "refused, the base stays: alpha 0.25: no sure gain" in capsys.readouterr().out
    refused = Path(config.output + ".refused")
    metrics = json.loads((refused / "run" / "metrics.json").read_text("utf-8"))
    assert metrics["accepted"] is False and metrics["alpha"] == 0 and "no sure gain" in metrics["reason"]
    assert not Path(config.output).exists() and digest(static_model) == before
    assert not (refused / "model.safetensors").exists()
    assert not np.allclose(
        load_encoder(str(refused / "tuned")).encode(["cat"]), load_encoder(config.model).encode(["cat"])
    )


def test_stopped_and_gone_on_with_elsewhere_is_the_same_as_not_stopped(
    tiny_labse: Path, static_model: Path, data: Path, tmp_path: Path
) -> None:
    """A transformer with dropout, GradCache, AdamW and a schedule, stopped by Ctrl-C in the second epoch."""
    shutil.copytree(tiny_labse, tmp_path / "before" / "model")
    shutil.copytree(data, tmp_path / "before" / "pairs")
    here = tmp_path / "before"
    config = FinetuneConfig(
        train=(f"{here}/pairs/russian.tsv",),
        dev=(f"{here}/pairs/dev.tsv",),
        model=f"{here}/model",
        output=f"{here}/whole",
        global_batch_size=100,
        mini_batch_size=30,
        grad_cache="always",
        max_steps=10,
        learning_rate=2e-2,
        pooling="mean",
        eval_steps=7,
        alphas=(1.0,),
        accept="lenient",
        scale=20,
    )
    finetune(config)

    def stop_at_seven(line: str) -> None:
        if line.startswith("step 7: dev accuracy"):
            os.kill(os.getpid(), signal.SIGINT)

    stopped = finetune(replace(config, output=f"{here}/parts"), say=stop_at_seven)
    assert stopped.interrupted and (stopped.path / "checkpoints" / "checkpoint-7").is_dir()
    there = here.rename(tmp_path / "now")
    moved = {"train": (f"{there}/pairs/russian.tsv",), "dev": (f"{there}/pairs/dev.tsv",)}
    parts = replace(config, **moved, model=f"{there}/model", output=f"{there}/parts")
    for change, says in (
        ({"scale": 30}, "had another --scale"),
        ({"model": str(static_model)}, "had another --model"),
        ({"teacher": f"{there}/model"}, "had another --teacher"),
        ({"train": (f"{there}/pairs/russian.tsv=2",)}, "was with other data"),
    ):
        with pytest.raises(UserError, match=says):
            finetune(replace(parts, **change))  # type: ignore[arg-type]
    pairs = there / "pairs" / "russian.tsv"
    everything = pairs.read_text("utf-8")
    pairs.write_text("".join(everything.splitlines(keepends=True)[:400]), "utf-8")
    with pytest.raises(UserError, match="was with other data"):
        finetune(parts)
    pairs.write_text(everything, "utf-8")
    half = there / "parts.partial" / "checkpoints" / "checkpoint-9"  # as a process leaves it that was killed writing it
    shutil.copytree(half.with_name("checkpoint-7"), half)
    (half / "trainer_state.json").unlink()
    resumed = finetune(parts)
    whole = json.loads((there / "whole" / "run" / "metrics.json").read_text("utf-8"))
    assert losses(there / "whole") == losses(resumed.path) and len(losses(resumed.path)) == 10
    assert resumed.after and whole["after"]["1"]["domain"]["accuracy"] == resumed.after.accuracy
    assert whole["accepted"] and resumed.accepted
    one, other = (
        SentenceTransformer(str(there / name), device="cpu").state_dict() for name in ("whole", resumed.path.name)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
def test_hard_negatives_are_columns_of_their_own(config: FinetuneConfig, data: Path, tmp_path: Path) -> None:
    lines = (data / "russian.tsv").read_text("utf-8").splitlines()
    others = [line.split("\t")[3] for line in lines[1:] + lines[:1]]
    write(tmp_path / "hard.tsv", [(*line.split("\t"), other) for line, other in zip(lines, others, strict=True)])
    said: list[str] = []
    result = finetune(replace(config, train=(f"{tmp_path}/hard.tsv",), hard_negatives=1), say=said.append)
    assert result.accepted and any("500 of them have 1 hard negatives" in line for line in said)
    assert any("negatives per row: 99 each way" in line for line in said)


@pytest.mark.slow
def test_a_loss_that_is_no_number_is_refused(config: FinetuneConfig, tiny_labse: Path) -> None:
    wild = replace(config, model=str(tiny_labse), learning_rate=1e30, clip=0.0, max_steps=5, warmup=0.0)
    result = finetune(wild)
    assert not result.accepted and ("no number" in result.reason)


def test_nothing_is_trained_in_a_dry_run(config: FinetuneConfig) -> None:
    said: list[str] = []
    plan = Path(config.output).with_name("plan.json")
    result = finetune(replace(config, dry_run=True, plan=str(plan)), say=said.append)
    assert "dry run" in result.reason and any(line.startswith("memory: about") for line in said)
    assert any(line.startswith("time: about") for line in said)
    told = json.loads(plan.read_text("utf-8"))
    assert 0 < told["seconds"] < 3600 and told["free"] > told["memory"] > 0 and told["plan"]["steps"] == 60
    assert list(Path(config.output).parent.iterdir()) == [plan]


def test_pairs_that_are_drawn_too_seldom_for_one_batch_are_said(config: FinetuneConfig) -> None:
    seldom = replace(config, train=(f"{config.train[0]}=0.08",), dry_run=True)
    said = "weights draw 40 of the 500 training pairs in an epoch, which do not fill one global batch of 50. "
    with pytest.raises(UserError, match=f"{said}Use --global-batch-size 32"):
        finetune(seldom)
    with pytest.raises(UserError, match="Give larger weights in --train"):
        finetune(replace(seldom, train=(f"{config.train[0]}=0.01",), global_batch_size=0))
    lines: list[str] = []
    finetune(replace(seldom, global_batch_size=0, max_steps=-1, epochs=3), say=lines.append)
    assert any("= 32 pairs" in line for line in lines) and any(line.startswith("steps: 3 ") for line in lines)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"global_batch_size": 2000}, "do not fill one global batch of 2000. Use --global-batch-size 32"),
        ({"hard_negatives": 1}, "0 training pairs do not fill one global batch of 50. Give more pairs"),
        ({"train": ()}, "--train"),
        ({"output": ""}, "--output"),
        ({"model": "no/such/model"}, "no folder no/such/model"),
        ({"dev": (), "dev_fraction": 0.01}, "too few to tell"),
        ({"regression": ("tatoeba:/nowhere",)}, "holds no tatoeba"),
        ({"freeze": "embeddings"}, "nothing but embeddings"),
        ({"pooling": "mean"}, "no pooling to change"),
        ({"alphas": (1.5,)}, "at most 1"),
    ],
)
def test_what_a_person_can_fix_is_said(config: FinetuneConfig, changes: dict[str, object], says: str) -> None:
    with pytest.raises(UserError, match=says):
        finetune(replace(config, max_steps=1, **changes))  # type: ignore[arg-type]


def test_the_base_and_an_existing_folder_are_never_overwritten(config: FinetuneConfig) -> None:
    with pytest.raises(UserError, match="never overwritten"):
        finetune(replace(config, output=config.model, overwrite=True))
    Path(config.output).mkdir()
    with pytest.raises(UserError, match="exists already"):
        finetune(config)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"alphas": (0.0, 1.0)}, "--alphas 0"),
        pytest.param({"precision": "fp16"}, "needs a GPU", marks=WITHOUT_GPU),
        ({"report_to": "paper"}, "--report-to paper"),
        ({"output": "/proc/sys/x"}, "cannot be written"),
        ({"warmup": 2.0}, "--warmup 2"),
        ({"resume": "no/checkpoint"}, "no checkpoint there"),
        ({"columns": ("en",)}, "--columns en"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_any_file_is_read(
    config: FinetuneConfig, changes: dict[str, object], says: str
) -> None:
    with pytest.raises(UserError, match=says):
        finetune(replace(config, train=("/nowhere.tsv",), **changes))  # type: ignore[arg-type]


def test_a_dev_set_that_is_the_training_set_is_said(config: FinetuneConfig) -> None:
    said: list[str] = []
    with pytest.raises(UserError, match="all 500 training pairs share a text with the pairs to measure on"):
        finetune(replace(config, dev=config.train), say=said.append)
    assert said[0].startswith("training: 500 pairs read, 500 kept")


def test_what_was_dropped_is_said_before_the_run_gives_up(config: FinetuneConfig, tmp_path: Path) -> None:
    write(tmp_path / "long.tsv", [(f"a {n}", "b " * 200 + str(n)) for n in range(60)])
    said: list[str] = []
    with pytest.raises(UserError, match="only 0 of 0 pairs to measure on"):
        finetune(replace(config, train=(f"{tmp_path}/long.tsv",), dev=()), say=said.append)
    assert said == ["training: 60 pairs read, 0 kept; dropped: 60 of unlike length"]


@pytest.mark.slow
def test_pooling_can_be_changed_and_is_saved(config: FinetuneConfig, tiny_labse: Path) -> None:
    mean = replace(config, model=str(tiny_labse), pooling="mean", max_steps=30, learning_rate=5e-3, accept="lenient")
    result = finetune(replace(mean, regression=(), anchor_weight=0.01, hard_negatives=0))
    assert result.accepted
    assert SentenceTransformer(str(result.path), device="cpu")[1].pooling_mode == "mean"


@pytest.mark.slow
def test_a_teacher_of_another_kind_is_followed(config: FinetuneConfig, tiny_labse: Path, static_model: Path) -> None:
    """A transformer takes over the vectors of a static model, with its own tokenizer and dimension, for both sides."""
    plain = replace(config, model=str(tiny_labse), regression=(), hard_negatives=0, pooling="mean", max_steps=40)
    taught = replace(plain, teacher=str(static_model), pair_weight=0.0, learning_rate=5e-3, accept="lenient")
    result = finetune(taught)
    assert result.before and result.after and result.after.accuracy > result.before.accuracy + 0.1


def test_a_teachers_dimension_must_fit_its_vectors(config: FinetuneConfig, tmp_path: Path) -> None:
    teacher = str(make_tiny_labse(tmp_path / "wide", hidden=48))
    with pytest.raises(UserError, match="48 dimensions, the model's 32"):
        finetune(replace(config, teacher=teacher, dry_run=True))
    finetune(replace(config, teacher=teacher, teacher_vectors=0.0, dry_run=True))


def test_a_model_of_cut_vectors_is_taught_in_full_width_and_keeps_its_cut(
    config: FinetuneConfig, tiny_labse: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    shutil.copytree(tiny_labse, cut)
    settings = json.loads((cut / "config_sentence_transformers.json").read_text("utf-8"))
    (cut / "config_sentence_transformers.json").write_text(json.dumps({**settings, "truncate_dim": 16}), "utf-8")
    teacher = TextTeacher(open_model(cut), {(1, 2): "the cat"}, batch_size=8)
    assert teacher(torch.tensor([[1, 2]])).shape == (1, 32)
    taught = replace(config, model=str(cut), teacher=str(cut), max_steps=8, learning_rate=5e-3, accept="lenient")
    result = finetune(replace(taught, regression=(), pooling="mean", alphas=(1.0,)))
    assert result.accepted and read_folder(result.path).truncate_dim == 16
    finetune(replace(taught, teacher=str(tiny_labse), output=f"{tmp_path}/other", dry_run=True))


def test_forward_passes_are_made_twice_only_for_want_of_memory(config: FinetuneConfig, tiny_labse: Path) -> None:
    assert caches("auto", 51, 100) and not caches("auto", 50, 100)
    assert caches("always", 1, 100) and not caches("never", 1000, 100)
    plain = replace(config, model=str(tiny_labse), mini_batch_size=10, learning_rate=0.0, dry_run=True)
    for setting, says in (("auto", "= 50 pairs;"), ("always", "= 50 pairs (GradCache, 10 texts at once);")):
        said: list[str] = []
        finetune(replace(plain, grad_cache=setting), say=said.append)  # type: ignore[arg-type]
        assert any(says in line for line in said), said
        assert any(line.endswith("learning rate 0.0001") for line in said), said
    with pytest.raises(UserError, match="--grad-cache always"):
        finetune(replace(plain, grad_cache="always", mini_batch_size=0), say=said.append)
    with pytest.raises(UserError, match="--mini-batch-size -1"):
        finetune(replace(plain, mini_batch_size=-1), say=said.append)


def test_a_model_of_many_weights_learns_slowly(tmp_path: Path) -> None:
    large = open_model(str(make_tiny_labse(tmp_path / "large", hidden=512, layers=4)))
    assert layer_weights(large) > FEW_WEIGHTS
    assert default_learning_rate(FinetuneConfig(), large) == 2e-5
    assert default_learning_rate(FinetuneConfig(lora_rank=8), large) == 1e-4


def test_a_containers_limit_counts(tmp_path: Path) -> None:
    group, old = tmp_path / "group", tmp_path / "memory"
    assert cgroup_headroom(group, tmp_path) == math.inf  # not Linux
    group.write_text("0::/user.slice/app\n")
    assert cgroup_headroom(group, tmp_path) == math.inf  # no limit anywhere
    own = tmp_path / "user.slice" / "app"
    own.mkdir(parents=True)
    (own / "memory.current").write_text("40\n")
    (own / "memory.stat").write_text("anon 20\ninactive_file 10\n")
    for limit, room in (("max\n", math.inf), ("100\n", 70)):
        (own / "memory.max").write_text(limit)
        assert cgroup_headroom(group, tmp_path) == room
    (own.parent / "memory.max").write_text("60\n")  # of the group that it lies in
    (own.parent / "memory.current").write_text("45\n")
    (own.parent / "memory.stat").write_text("")
    assert cgroup_headroom(group, tmp_path) == 15
    group.write_text("4:memory:/docker/1\n3:cpu,cpuacct:/docker/1\n")
    old.mkdir()
    (old / "memory.limit_in_bytes").write_text("50\n")
    (old / "memory.usage_in_bytes").write_text("20\n")
    (old / "memory.stat").write_text("total_inactive_file 0\n")
    assert cgroup_headroom(group, tmp_path) == 30  # a container sees its own group where the root would be
    mine = old / "docker" / "1"
    mine.mkdir(parents=True)
    (mine / "memory.limit_in_bytes").write_text("25\n")
    (mine / "memory.usage_in_bytes").write_text("20\n")
    (mine / "memory.stat").write_text("")
    assert cgroup_headroom(group, tmp_path) == 5
    assert not on_cpu() or 0 <= free_memory() <= psutil.virtual_memory().total


def test_a_dominant_embedding_table_is_frozen(tiny_labse: Path) -> None:
    model = open_model(tiny_labse)
    words = model[0].auto_model.get_input_embeddings().weight
    assert not set_trainable(model, "auto") and words.requires_grad  # a small table beside two layers
    assert set_trainable(model, "embeddings") and not words.requires_grad
    assert not any(p.requires_grad for n, p in model.named_parameters() if "pooler" in n)


def test_every_weight_that_is_trained_has_a_part_in_the_vector(tiny_labse: Path, tiny_xlmr: Path) -> None:
    """Several processes would wait for the gradient of one that has none, as those of BERT's own pooler."""
    for folder in (tiny_labse, tiny_xlmr):
        for rank in (0, 2):
            model = open_model(folder, "cpu").train()
            set_trainable(model, "auto")
            if rank:
                add_adapters(model, rank)
            model(model.preprocess(["the cat", "the sea"]))["sentence_embedding"].sum().backward()
            trained = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
            assert trained and [name for name, gradient in trained.items() if gradient is None] == []
            assert any("lora" in name for name in trained) is bool(rank)


def test_adapters_are_merged_into_the_weights(tiny_labse: Path) -> None:
    model = open_model(tiny_labse)
    names = set(state_of(model))
    add_adapters(model, 2)
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert any("lora" in name for name in trainable)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    adapted = encode_shared(model, ["the cat", "the sea"])
    merge_adapters(model)
    assert set(state_of(model)) == names
    np.testing.assert_allclose(encode_shared(model, ["the cat", "the sea"]), adapted, atol=1e-5)
    assert np.abs(encode_shared(open_model(tiny_labse), ["the cat", "the sea"]) - adapted).max() > 1e-3


def test_interpolation_is_exact_at_both_ends() -> None:
    base, tuned = (
        {"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)},
        {"w": torch.tensor([3.0, 0.1]), "n": torch.tensor(3)},
    )
    assert torch.equal(interpolate(base, tuned, 0.0)["w"], base["w"])
    assert torch.equal(interpolate(base, tuned, 1.0)["w"], tuned["w"])
    assert torch.allclose(interpolate(base, tuned, 0.25)["w"], torch.tensor([1.5, 1.525]))


def measured(domain: float, regression: float, worst: float, spread: float = 0.2) -> Measured:
    """`domain` of 1,000 pairs are found; two languages of the regression set."""
    hits = (np.arange(1000) < 1000 * domain).astype(float)
    scores = Scores(1000, domain, domain, domain, {"en-xx": domain}, hits)
    held = Scores(200, regression, regression, regression, {"de": 2 * regression - worst, "sw": worst}, np.zeros(200))
    return Measured(scores, held, np.zeros(1), np.zeros(1), spread)


ACCEPTANCE = FinetuneConfig(max_regression=0.5, max_language_drop=2.0)


def test_acceptance_takes_the_best_interpolation_that_forgets_little() -> None:
    base = measured(0.70, 0.90, 0.80)
    tuned = {
        0.5: measured(0.75, 0.899, 0.795),
        0.75: measured(0.78, 0.897, 0.79),
        1.0: measured(0.9, 0.85, 0.7),
    }
    assert decide(base, tuned, ACCEPTANCE).alpha == 0.75


@pytest.mark.parametrize(
    ("interpolation", "says"),
    [
        (measured(0.701, 0.9, 0.8), "no sure gain"),
        (measured(0.6, 0.9, 0.8), "no sure gain"),
        (measured(0.9, 0.89, 0.8), "regression set loses 1.0 points"),
        (measured(0.9, 0.899, 0.77), "sw loses 3.0 points"),
        (measured(0.9, 0.9, 0.8, spread=0.9), "collapse"),
    ],
)
def test_a_refusal_says_the_reason(interpolation: Measured, says: str) -> None:
    verdict = decide(measured(0.70, 0.90, 0.80), {1.0: interpolation}, ACCEPTANCE)
    assert not verdict.accepted and says in verdict.reason


def test_a_base_that_no_training_could_surely_better_is_said_at_once(config: FinetuneConfig, tmp_path: Path) -> None:
    check_gain_possible(measured(0.99, 0.9, 0.8), ACCEPTANCE)  # ten mistakes of a thousand: enough for a sure gain
    check_gain_possible(measured(0.999, 0.9, 0.8), replace(ACCEPTANCE, accept="lenient"))
    for found, how in ((0.999, ACCEPTANCE), (1.0, replace(ACCEPTANCE, accept="lenient"))):
        with pytest.raises(UserError, match="--dev FILE"):
            check_gain_possible(measured(found, 0.9, 0.8), how)
    found_by_any = [(f"{one} {other}", f"{one} {other} {other}") for one, other in combinations(ENGLISH, 2)]
    write(tmp_path / "known.tsv", found_by_any)
    perfect = replace(config, dev=(f"{tmp_path}/known.tsv",))
    with pytest.raises(UserError, match=f"{len(found_by_any)} of the {len(found_by_any)} pairs"):
        finetune(perfect)
    assert not list(tmp_path.glob("tuned*"))  # so that another --dev is no other run


def test_lenient_takes_a_gain_that_is_not_sure() -> None:
    verdict = decide(measured(0.7, 0.9, 0.8), {1.0: measured(0.701, 0.9, 0.8)}, replace(ACCEPTANCE, accept="lenient"))
    assert verdict.accepted


def test_tatoeba_in_lasers_layout_and_as_tsv(tmp_path: Path) -> None:
    (tmp_path / "tatoeba.deu-eng.deu").write_text("die Katze\ndas Meer\n", "utf-8")
    (tmp_path / "tatoeba.deu-eng.eng").write_text("the cat\nthe sea\n", "utf-8")
    write(tmp_path / "tatoeba.swh-eng.tsv", [("sw", "en", "paka", "cat")])
    pools = read_regression([f"tatoeba:{tmp_path}"], 1)
    assert {name: [(p.source, p.target) for p in pairs] for name, pairs in pools.items()} == {
        "deu": [("die Katze", "the cat")],
        "swh": [("paka", "cat")],
    }


@pytest.mark.slow
def test_two_processes_of_accelerate_train_as_one(config: FinetuneConfig, tiny_labse: Path, tmp_path: Path) -> None:
    """The same losses at every step, by `accelerate launch` with two processes and by one."""
    common = ["--train", *config.train, "--dev", *config.dev, "--model", str(tiny_labse), "--max-steps", "6"]
    common += ["--global-batch-size", "40", "--mini-batch-size", "8", "--accept", "lenient", "--learning-rate", "1e-3"]
    quiet = tmp_path / "still"
    still(tiny_labse, quiet)
    common[common.index(str(tiny_labse))] = str(quiet)
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2"]
    for name, command in (("two", [*launch, "-m"]), ("one", [sys.executable, "-m"])):
        done = run(*command, "labse_search.finetune", *common, "--output", tmp_path / name, status=None)
        assert f"{'2' if name == 'two' else '1'} processes × " in done.stdout, done
    one, two = (losses(next(tmp_path.glob(f"{name}*"))) for name in ("one", "two"))
    np.testing.assert_allclose(one, two, rtol=1e-4)
    assert len(one) == 6 and len(set(one)) > 1


@pytest.mark.slow
def test_two_processes_train_adapters(config: FinetuneConfig, tiny_labse: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labse_search.finetune", "--processes", "2", "--output", str(tmp_path / "tuned")]
    command += ["--train", *config.train, "--dev", *config.dev, "--model", str(tiny_labse), "--max-steps", "3"]
    done = run(*command, "--global-batch-size", "50", "--lora-rank", "2", "--accept", "lenient", status=None)
    assert done.returncode in (0, 3) and "alpha 1:" in done.stdout, done


@pytest.mark.slow
def test_two_processes_stop_with_a_checkpoint_and_go_on(config: FinetuneConfig, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "labse_search.finetune", "--processes", "2", "--output", str(tmp_path / "tuned")]
    command += ["--train", *config.train, "--dev", *config.dev, "--model", config.model, "--max-steps", "200"]
    command += ["--global-batch-size", "50", "--learning-rate", "0.02", "--scale", "20", "--eval-steps", "10"]
    running = start(*command, stderr=None)  # nobody would empty the pipe while lines of stdout are read
    while "step 20: dev accuracy" not in next_line(running):
        pass
    running.send_signal(signal.SIGTERM)
    assert "stopped with a checkpoint" in finish(running, status=130).stdout
    assert "going on from" in run(*command).stdout
    lines = (tmp_path / "tuned" / "run" / "history.jsonl").read_text("utf-8").splitlines()
    steps = [entry["step"] for entry in map(json.loads, lines) if "loss" in entry]
    assert steps == list(range(1, 201))


def still(source: Path, target: Path) -> None:
    """A copy without dropout, which two processes draw differently."""
    model = SentenceTransformer(str(source), device="cpu")
    model[0].auto_model.config.hidden_dropout_prob = 0.0
    model[0].auto_model.config.attention_probs_dropout_prob = 0.0
    model.save(str(target), create_model_card=False)


def losses(run: Path) -> list[float]:
    lines = (run / "run" / "history.jsonl").read_text("utf-8").splitlines()
    return [entry["loss"] for entry in map(json.loads, lines) if "loss" in entry]


def digest(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def write(file: Path, rows: list[tuple[str, ...]]) -> None:
    file.write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")
