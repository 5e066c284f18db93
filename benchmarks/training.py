"""What each part of the training recipe is worth, and what a step costs beside sentence-transformers' own cached loss.

python -m benchmarks.training ablations [FOLDER]   same data, steps and start; one thing changed at a time
python -m benchmarks.training throughput           pairs a second of labse-mini, ways of a step alternating

Both print rows for benchmarks/results/training.md. Every figure is of small models on a CPU: directions, not levels.
"""

from __future__ import annotations

import copy
import json
import lzma
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

SHARED = Path(__file__).resolve().parents[2] / "shared"
LANGUAGES = ("de", "fr", "es")
PAIRS_PER_LANGUAGE = 12_000
STEPS = 300

# The base of the table; each row changes one thing. Mean pooling and scale 20, because [CLS], and scale 100, leave a
# random start of this size where it is in so few steps. Gathered is computed in one process (the tests prove it the
# same); only the row without gathering needs two.
ROWS: list[tuple[str, str, dict[str, Any]]] = [
    ("margin 0.3, gathered, mean, no pre-training", "random", {}),
    ("the same with another seed", "random", {"seed": 2}),
    ("margin 0.1", "random", {"margin": 0.1}),
    ("margin 0", "random", {"margin": 0.0}),
    ("two processes, negatives of the own one only", "random", {"gather": False}),
    ("cls pooling", "random", {"pooling": "cls"}),
    ("max pooling", "random", {"pooling": "max"}),
    ("with MLM and TLM pre-training", "pretrained", {}),
    ("cls pooling, with pre-training", "pretrained", {"pooling": "cls"}),
]


def main() -> None:
    task = sys.argv[1] if len(sys.argv) > 1 else ""
    if task == "ablations":
        ablations(Path(sys.argv[2]) if len(sys.argv) > 2 else Path(tempfile.mkdtemp()))
    elif task == "throughput":
        throughput()
    else:
        raise SystemExit(__doc__)


def ablations(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    start = ["--pairs", str(folder / "train.tsv"), "--vocabulary", "4000", "--hidden", "64", "--window", "24"]
    start += ["--stages", "1", "2", "--global-batch-size", "64", "--learning-rate", "2e-3"]
    for name, steps in (("random", "0"), ("pretrained", "250")):
        if not (folder / name).exists():
            module("labse_search.pretrain", [*start, "--steps", steps, steps, "--output", str(folder / name)])
    print(f"| {STEPS} steps of 128 pairs | dev | Tatoeba de fr es | seconds |\n|---|---|---|---|", flush=True)
    for number, (title, begin, changes) in enumerate(ROWS):
        began = time.monotonic()
        score = one_run(folder, folder / f"run-{number}", str(folder / begin), changes)
        dev, held = (100 * score[part]["accuracy"] for part in ("domain", "regression"))
        print(f"| {title} | {dev:.1f} | {held:.1f} | {time.monotonic() - began:.0f} |", flush=True)


def one_run(folder: Path, output: Path, model: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The scores of the tuned model itself, whatever the acceptance test says of it."""
    from labse_search.finetune import FinetuneConfig, finetune

    common: dict[str, Any] = {
        "train": (str(folder / "train.tsv"),),
        "dev": (str(folder / "dev.tsv"),),
        "regression": (f"tatoeba:{SHARED / 'data' / 'test' / 'tatoeba'}:deu,fra,spa",),
        "output": str(output),
        "model": model,
        "max_steps": STEPS,
        "global_batch_size": 128,
        "mini_batch_size": 0,
        "learning_rate": 2e-3,
        "freeze": "none",
        "scale": 20.0,
        "pooling": "mean",
        "max_length": 24,
        "alphas": (1.0,),
        "eval_steps": 100_000,
        "save_steps": 100_000,
        "resume": "none",
        "overwrite": True,
        "seed": 1,
        **changes,
    }
    if common.get("gather", True):
        finetune(FinetuneConfig(**common))
    else:
        flags: list[str] = ["--processes", "2", "--no-gather", "--overwrite"]
        for name, value in common.items():
            if name not in ("gather", "overwrite"):
                flags += ["--" + name.replace("_", "-"), *map(str, value if isinstance(value, tuple) else (value,))]
        module("labse_search.finetune", flags)
    for place in (output, output.with_name(output.name + ".refused")):
        if (place / "run" / "metrics.json").exists():
            metrics: dict[str, Any] = json.loads((place / "run" / "metrics.json").read_text("utf-8"))
            return dict(metrics["after"]["1"])
    raise SystemExit(f"{output}: no metrics were written")


def module(name: str, flags: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", name, *flags], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(f"{name} {' '.join(flags)}\n{done.stdout}\n{done.stderr}")


def write_data(folder: Path) -> None:
    """Short everyday sentences with English on one side, and the held-out dev files of the same languages."""
    for part in ("train", "dev"):
        rows: list[str] = []
        for language in LANGUAGES:
            name = "train/tatoeba_challenge.tsv.xz" if part == "train" else f"dev/dev.en-{language}.tsv.xz"
            with lzma.open(SHARED / "data" / name, "rt", encoding="utf-8") as lines:
                wanted = [line for line in lines if line.startswith(f"en\t{language}\t")]
            rows += wanted[: PAIRS_PER_LANGUAGE if part == "train" else 1000]
        (folder / f"{part}.tsv").write_text("".join(rows), encoding="utf-8")


def throughput(batch: int = 256, mini_batch: int = 32, rounds: int = 5) -> None:
    """A step of labse-mini in one process; medians over alternating rounds, so that a busy machine slows all alike."""
    from sentence_transformers.sentence_transformer.losses import (
        CachedMultipleNegativesRankingLoss,
        MultipleNegativesRankingLoss,
    )

    from labse_search.corpora.pairs import read_pairs
    from labse_search.corpora.text_keys import text_key
    from labse_search.finetune.model import set_trainable
    from labse_search.training.losses import AdditiveMarginRankingLoss, CachedAdditiveMarginRankingLoss
    from labse_search.training.models import model_folder, open_model

    pairs = [p for p in read_pairs(str(SHARED / "data" / "train" / "tico19.tsv.xz")) if p.target_language == "fr"]
    texts = [[pair.source for pair in pairs[:batch]], [pair.target for pair in pairs[:batch]]]
    labels = torch.tensor([[text_key(one), text_key(other)] for one, other in zip(*texts, strict=True)])
    model = open_model(model_folder(""), device="cpu").float().train()
    model.max_seq_length = 128
    set_trainable(model, "auto")
    theirs: dict[str, Any] = {
        "scale": 20,
        "directions": ("query_to_doc", "doc_to_query"),
        "partition_mode": "per_direction",
    }
    ours: dict[str, Any] = {"scale": 20, "margin": 0.1, "gather": False, "mini_batch_size": mini_batch}
    losses = {
        "sentence-transformers' GradCache": CachedMultipleNegativesRankingLoss(
            model, mini_batch_size=mini_batch, **theirs
        ),
        "our GradCache": CachedAdditiveMarginRankingLoss(model, **ours),
        "sentence-transformers', all at once": MultipleNegativesRankingLoss(model, **theirs),
        "ours, texts of like length together": AdditiveMarginRankingLoss(model, **ours),
    }
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=1e-5)

    def step(loss: torch.nn.Module) -> float:
        features = [model.preprocess(column) for column in copy.deepcopy(texts)]
        began = time.perf_counter()
        loss(features, labels).backward()
        optimizer.step()
        optimizer.zero_grad()
        return batch / (time.perf_counter() - began)

    speeds: dict[str, list[float]] = {name: [] for name in losses}
    for turn in range(rounds + 1):
        for name, loss in losses.items():
            speed = step(loss)
            if turn:  # the first is for warming up
                speeds[name].append(speed)
    print(f"| labse-mini, fp32, {batch} pairs, mini-batches of {mini_batch} | pairs a second | ratio |")
    print("|---|---|---|")
    middle = {name: statistics.median(values) for name, values in speeds.items()}
    base = next(iter(middle.values()))
    for name, value in middle.items():
        print(f"| {name} | {value:.1f} | {value / base:.2f} |")


if __name__ == "__main__":
    main()
