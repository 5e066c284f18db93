"""Words and their weights, in every script."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run

from labse_search.store.bm25 import AVERAGE_WORDS, K1, B, document_rows, query_terms, term

ROOT = Path(__file__).resolve().parent.parent


def test_a_term_is_the_same_in_every_process() -> None:
    code = "from labse_search.store.bm25 import term; print(term('кот'), term('机器'))"
    assert run(sys.executable, "-c", code).stdout.split() == [str(term("кот")), str(term("机器"))]
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
