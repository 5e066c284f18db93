"""The encoder on a GPU: the same vectors as on the CPU, and how fast, beside sentence-transformers.

  python -m benchmarks.gpu [FILE ...]      # text files, a sentence a line; default: ../shared/data/train/tico19.tsv.xz

Passages are four sentences each. "in calls of 256" is how an indexing job asks. The last rows take away what was made
for GPUs: padding for attention alone (else texts of equal length together, as on a CPU), and torch's own attention
(else cuDNN's, which torch prefers on Hopper and later).
"""

from __future__ import annotations

import functools
import lzma
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from labse_search.encoder import Encoder, load_encoder
from labse_search.encoder import bert as bert_module
from labse_search.encoder.hub import LABSE_MINI

TEXTS = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "train" / "tico19.tsv.xz"
LONGEST = 400  # characters of a sentence
SENTENCES, PASSAGES = 40_000, 8_000
CALL = 256


def main() -> None:
    if not torch.cuda.is_available():
        raise SystemExit("torch sees no GPU here.")
    sentences = [text for text in dict.fromkeys(read(sys.argv[1:])) if 0 < len(text) <= LONGEST][:SENTENCES]
    passages = [" ".join(sentences[at : at + 4]) for at in range(0, len(sentences), 4)]
    passages = [text for text in passages if len(text) <= LONGEST][:PASSAGES]
    bf16, fp32 = (load_encoder(str(LABSE_MINI), precision=precision) for precision in ("bf16", "fp32"))
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {len(sentences):,} sentences")
    some = sentences[:300] + passages[:100]
    reference = reference_vectors(some)
    for name, encoder in (("fp32", fp32), ("bf16", bf16)):
        least = (encoder.encode(some) * reference).sum(1).min()
        print(f"{name}: least cosine to sentence-transformers on the CPU {least:.6f}")
    for name, encoder in (("bf16", bf16), ("fp32", fp32)):
        rate(f"{name}, sentences", encoder.encode, sentences)
        rate(f"{name}, passages", encoder.encode, passages)
        rate(f"{name}, passages in calls of {CALL}", in_calls(encoder), passages)
    print(f"one question: {1000 * question_seconds(bf16, sentences[:100]):.1f} ms")
    beside_sentence_transformers(sentences[: SENTENCES // 2], passages)
    kept = bert_module.PaddedAttention
    bert_module.PaddedAttention = lambda batch, device: bert_module.GroupedAttention(batch)  # type: ignore
    rate(f"bf16, texts of equal length together, passages in calls of {CALL}", in_calls(bf16), passages[:3000])
    bert_module.PaddedAttention = kept  # type: ignore
    torch.backends.cuda.enable_cudnn_sdp(True)
    rate(f"bf16, cuDNN allowed, passages in calls of {CALL}", in_calls(bf16), passages[:1024])


def read(paths: Sequence[str]) -> list[str]:
    if paths:
        return [line for path in paths for line in Path(path).read_text(encoding="utf-8").splitlines()]
    with lzma.open(TEXTS, "rt", encoding="utf-8") as lines:
        return [text for line in lines for text in line.rstrip("\n").split("\t")[2:4]]


def reference_vectors(texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(LABSE_MINI), device="cpu").float().encode(texts, normalize_embeddings=True)


def beside_sentence_transformers(sentences: list[str], passages: list[str]) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(LABSE_MINI), device="cuda")
    for name, half in (("fp32", False), ("fp16", True)):
        model = model.half() if half else model.float()
        encode = functools.partial(model.encode, batch_size=CALL)
        for kind, texts in (("sentences", sentences), ("passages", passages)):
            rate(f"sentence-transformers {name}, {kind}", encode, texts)


def in_calls(encoder: Encoder) -> Callable[[list[str]], object]:
    return lambda texts: [encoder.encode(texts[at : at + CALL]) for at in range(0, len(texts), CALL)]


def rate(name: str, encode: Callable[[list[str]], object], texts: list[str]) -> None:
    """Texts a second, after a first call that is not counted."""
    encode(texts[:CALL])
    started = time.perf_counter()
    encode(texts)
    print(f"{name}: {len(texts) / (time.perf_counter() - started):,.0f}/s", flush=True)


def question_seconds(encoder: Encoder, questions: Sequence[str]) -> float:
    """The median of one after the other."""
    taken = []
    for question in questions:
        started = time.perf_counter()
        encoder.encode([question])
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
