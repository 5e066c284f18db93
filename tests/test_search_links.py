"""The words that "why" links: taking them out lowers the closeness more than taking out as many others."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labse_search.encoder import load_encoder
from labse_search.encoder.texts import encode_texts
from labse_search.search.links import word_links, word_spans
from labse_search.search.measure import profile_of

FILE = Path(__file__).resolve().parent / "data" / "question_passages.jsonl"
Span = tuple[int, int]


def without(text: str, spans: Sequence[Span]) -> str:
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text if text.strip() else "."


def test_linked_words_matter_more_than_as_many_others_in_four_of_five_pairs_across_languages(tmp_path: Path) -> None:
    encoder = load_encoder("labse-mini", precision="fp32")
    profile = profile_of(encoder, tmp_path)
    rng = np.random.default_rng(0)
    mattered = []
    for line in FILE.read_text(encoding="utf-8").splitlines()[::12]:
        pair = json.loads(line)
        both = pair["question"], re.split(r"(?<=[.!?。।])\s*", pair["passage"])[0]
        links = word_links(*both, lambda texts: profile.neutral(encode_texts(encoder, texts)))
        linked = [[link.question for link in links], [link.passage for link in links]]
        others = [
            [span for span in word_spans(text) if span not in side] for text, side in zip(both, linked, strict=True)
        ]
        if pair["question_language"] == pair["passage_language"] or min(map(len, others)) < max(1, len(links)):
            continue
        random = [[[side[i] for i in rng.permutation(len(side))[: len(links)]] for side in others] for _ in range(5)]
        texts = [without(*one) for taken in (linked, *random) for one in zip(both, taken, strict=True)]
        rows = profile.neutral(encode_texts(encoder, texts))
        left = (rows[::2] * rows[1::2]).sum(axis=1)
        mattered.append(bool(left[0] < np.median(left[1:])))
    assert len(mattered) >= 5
    assert np.mean(mattered) >= 0.8
