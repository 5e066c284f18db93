"""Two translations of one text: n with m sentences, what stands alone, long texts, files in and out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.align import Bead, align_sentences
from labse_search.align.__main__ import main
from labse_search.align.anchors import find_band
from labse_search.align.path import around, best_path, whole
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.written import write_pairs
from labse_search.encoder import Encoder, load_encoder
from labse_search.records import Pair
from labse_search.similarity import normalize

Sides = tuple[tuple[int, ...], tuple[int, ...]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_lexicon_model(tmp_path_factory.mktemp("align") / "lexicon", dimension=128)


@pytest.fixture(scope="module")
def encoder(model: Path) -> Encoder:
    return load_encoder(str(model))


def shapes(beads: list[Bead]) -> list[Sides]:
    return [(tuple(bead.source), tuple(bead.target)) for bead in beads]


def translated(concepts: list[list[int]]) -> tuple[list[str], list[str]]:
    return [sentence("en", one) for one in concepts], [sentence("de", one) for one in concepts]


def test_sentences_that_correspond_stand_one_to_one(encoder: Encoder) -> None:
    english, german = translated(random_concepts(12, seed=1))
    beads = align_sentences(encoder, english, german)
    assert shapes(beads) == [((i,), (i,)) for i in range(12)]
    assert min(bead.score for bead in beads) > 0.3


def test_a_sentence_cut_in_two_stands_with_both_halves(encoder: Encoder) -> None:
    concepts = random_concepts(12, seed=2, length=10)
    english, german = translated(concepts)
    german[4:5] = [sentence("de", concepts[4][:5]), sentence("de", concepts[4][5:])]
    english[8:10] = [english[8] + " " + english[9]]
    beads = shapes(align_sentences(encoder, english, german))
    assert ((4,), (4, 5)) in beads
    assert ((8,), (9, 10)) in beads
    assert len(beads) == 11


def test_what_only_one_text_says_stands_alone(encoder: Encoder) -> None:
    english, german = translated(random_concepts(20, seed=3))
    left_out = english.pop(5)
    german[12:12] = [sentence("de", one) for one in random_concepts(2, seed=99)]
    beads = shapes(align_sentences(encoder, english, german))
    assert left_out not in english
    assert [bead for bead in beads if not bead[0]] == [((), (5,)), ((), (12,)), ((), (13,))]
    assert len([bead for bead in beads if bead[0] and bead[1]]) == 19


def test_a_chapter_that_one_text_lacks_is_left_out_as_a_whole(encoder: Encoder) -> None:
    english, german = translated(random_concepts(60, seed=4))
    del german[20:45]
    beads = shapes(align_sentences(encoder, english, german))
    alone = [source[0] for source, target in beads if not target]
    assert set(alone) <= set(range(20, 45)) and len(alone) >= 22  # a scrap at either end may cling to its neighbour
    assert not [bead for bead in beads if not bead[0]]


def test_every_sentence_stands_in_one_bead_whatever_the_texts(encoder: Encoder) -> None:
    english = [sentence("en", one) for one in random_concepts(9, seed=5)]
    german = [sentence("de", one) for one in random_concepts(14, seed=6)]
    for source, target in ((english, german), (english[:1], german), (english, []), ([], german), ([], [])):
        beads = align_sentences(encoder, source, target)
        assert [i for bead in beads for i in bead.source] == list(range(len(source)))
        assert [j for bead in beads for j in bead.target] == list(range(len(target)))


def test_long_texts_are_followed_in_a_narrow_band(encoder: Encoder) -> None:
    rng = np.random.default_rng(0)
    meanings = rng.standard_normal((5000, 32)).astype(np.float32)
    source, target = (normalize(meanings + 0.3 * rng.standard_normal(meanings.shape)) for _ in range(2))
    target = np.delete(target, np.arange(2000, 2600), axis=0)
    band = find_band(source, target)
    assert band.positions < 60 * len(source)
    there = [*((i, i) for i in range(2000)), *((i, i - 600) for i in range(2600, 5000))]
    assert all(band.first[i] <= j <= band.last[i] for i, j in there)


def test_the_best_path_is_that_of_all_paths_tried_one_by_one() -> None:
    rng = np.random.default_rng(7)
    kinds = [(1, 1), (2, 1), (1, 2)]
    for n, m in ((3, 3), (4, 2), (2, 5)):
        worth = rng.standard_normal((n + 1, len(kinds), m + 1))
        for at, (_, b) in enumerate(kinds):
            worth[:, at, :b] = -np.inf
        skips = rng.random(n), rng.random(m)

        def highest(i: int, j: int, worth: np.ndarray = worth, skips: tuple = skips) -> float:  # type: ignore[type-arg]
            if i == j == 0:
                return 0.0
            ways = [highest(i - 1, j) - skips[0][i - 1]] if i else []
            ways += [highest(i, j - 1) - skips[1][j - 1]] if j else []
            ways += [highest(i - a, j - b) + worth[i, k, j] for k, (a, b) in enumerate(kinds) if i >= a and j >= b]
            return max(ways)

        def scores(i: int, worth: np.ndarray = worth) -> np.ndarray:  # type: ignore[type-arg]
            return worth[i]

        steps = best_path(whole(n, m), kinds, scores, skips)
        alone = sum(skips[0][i - 1] for i, _, shape, _ in steps if shape == (1, 0))
        alone += sum(skips[1][j - 1] for _, j, shape, _ in steps if shape == (0, 1))
        assert sum(score for *_, score in steps) - alone == pytest.approx(highest(n, m))


def test_a_band_around_corners_holds_them_and_is_connected() -> None:
    band = around([(3, 3), (4, 4), (4, 40), (50, 41)], 60, 50, 2)
    assert band.first[0] == 0 and band.last[-1] == 50
    assert all(band.first[i] <= j <= band.last[i] for i, j in ((3, 3), (4, 4), (4, 40), (50, 41)))
    assert (band.first[1:] <= band.last[:-1]).all()
    assert (np.diff(band.first) >= 0).all() and (np.diff(band.last) >= 0).all()


def test_pairs_written_as_tmx_are_read_back(tmp_path: Path) -> None:
    pairs = [
        Pair('a < b & \u0007 "c"', "zwei\nZeilen", 0.5, "en", "de"),
        Pair("again", "noch einmal", 0.25, "en", "de"),
    ]
    write_pairs(tmp_path / "memory.tmx", pairs)
    found = read_pairs(str(tmp_path / "memory.tmx"))
    assert [(one.source, one.target) for one in found] == [('a < b & "c"', "zwei Zeilen"), ("again", "noch einmal")]
    assert {one.language for one in found} == {"en-de"}
    text = (tmp_path / "memory.tmx").read_text(encoding="utf-8")
    assert '<tmx version="1.4">' in text and 'srclang="en"' in text and 'segtype="sentence"' in text


def test_the_command_aligns_two_files(tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    english, german = translated(random_concepts(10, seed=8))
    (tmp_path / "a.txt").write_text("\n".join(english), encoding="utf-8")
    (tmp_path / "b.txt").write_text("\n".join([*german[:3], *german[4:]]), encoding="utf-8")
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt")]
    output = tmp_path / "pairs.tsv"
    assert main([*files, "--lines", "--model", str(model), "--output", str(output), "--alone"]) == 0
    rows = [line.split("\t") for line in output.read_text(encoding="utf-8").splitlines()]
    assert [row[:2] for row in rows[:9]] == [[english[i], german[i]] for i in range(10) if i != 3]
    assert rows[9][:2] == [english[3], ""]
    assert "9 pairs written" in capsys.readouterr().out
    assert main([files[0], str(tmp_path / "none.txt"), "--lines", "--model", str(model), "--output", str(output)]) == 2
    assert "there is no such file" in capsys.readouterr().err
