"""Words and their weights, in every script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from labse_search.store.words import AVERAGE_WORDS, K1, B, document_rows, query_terms, term, words

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Hut, der HUT!", ["der", "hut", "der", "hut"]),
        ("Straße ﬁx Ⅳ ２０２６", ["strasse", "fix", "iv", "2026"]),
        ("don't l’homme snake_case", ["don't", "l’homme", "snake", "case"]),
        ("Кошка ΣΊΣΥΦΟΣ", ["кошка", "σίσυφοσ"]),
        ("机器学习", ["机器", "器学", "学习"]),
        ("猫", ["猫"]),
        ("GPT模型v2", ["gpt", "模型", "v2"]),
        ("ｶﾅ と かな", ["カナ", "と", "かな"]),
        ("고양이가", ["고양", "양이", "이가"]),
        ("ที่นี่", ["ที่นี่"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("قِطَّةٌ قـــطة", ["قطة", "قطة"]),
        ("שָׁלוֹם", ["שלום"]),
        ("e\u0301te\u0301 été", ["été", "été"]),
        ("…!? \u200b\n", []),
        ("", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_a_term_is_the_same_in_every_process() -> None:
    code = "from labse_search.store.words import term; print(term('кот'), term('机器'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.split() == [str(term("кот")), str(term("机器"))]
    assert term("кот") != term("кит")


def test_weights_are_those_of_bm25() -> None:
    rows = document_rows(["cat cat dog", "", "cat"])
    terms, weights = rows.row(0)
    norm = K1 * (1 - B + B * 3 / AVERAGE_WORDS)
    expected = {term("cat"): 2 * (K1 + 1) / (2 + norm), term("dog"): (K1 + 1) / (1 + norm)}
    assert dict(zip(terms, weights, strict=True)) == pytest.approx(expected)
    assert rows.row(1) == ([], [])
    assert rows.row(2)[0] == [term("cat")]
    assert rows.terms.dtype == np.uint32


def test_a_single_ideograph_finds_the_text_that_holds_it() -> None:
    terms, _ = document_rows(["庭に猫がいる"]).row(0)
    assert set(query_terms("猫")) <= set(terms)
    assert set(query_terms("猫が")) <= set(terms)
    assert len(terms) == len(set(terms))


def test_a_question_counts_each_word_once() -> None:
    assert query_terms("cat Cat CAT dog") == [term("cat"), term("dog")]
