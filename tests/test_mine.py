"""Mining: exact neighbours, margins by hand, retrieval, thresholds, junk, and planted translations found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from labse_search.mine.filters import FilterRules, drop_reasons, has_other_numbers, in_language, is_copy
from labse_search.mine.margin import MARGINS, Mined, margin_score, margins, mine_pairs, one_sided, retrieve
from labse_search.mine.neighbours import Nearest, Neighbours, find_neighbours
from labse_search.mine.plot import plot_scores
from labse_search.mine.threshold import Candidates, chance_threshold, quality, threshold_of, tune_threshold
from labse_search.similarity import Vectors, normalize


def random_vectors(n: int, dimension: int = 16, seed: int = 0) -> Vectors:
    return normalize(np.random.default_rng(seed).standard_normal((n, dimension)))


def planted(pairs: int, noise: int, seed: int = 0) -> tuple[Vectors, Vectors, set[tuple[int, int]]]:
    """Two corpora of `pairs` known translations among `noise` sentences without a partner, shuffled.

    A third of the noise is crowded: stock phrases that are close to one another in both corpora without translating
    each other, so that a high cosine alone does not make a translation.
    """
    generator = np.random.default_rng(seed)
    topics = generator.standard_normal((4, 24))

    def loose(n: int) -> np.ndarray:
        return generator.standard_normal((n, 24))

    def noise_sentences() -> np.ndarray:
        crowded = noise // 3
        phrases = topics[generator.integers(0, 4, crowded)] + 0.6 * loose(crowded)
        return np.concatenate([phrases, loose(noise - crowded)])

    meaning = loose(pairs)
    source = np.concatenate([meaning, noise_sentences()])
    target = np.concatenate([meaning + 0.6 * loose(pairs), noise_sentences()])
    source_order, target_order = generator.permutation(len(source)), generator.permutation(len(target))
    source_place, target_place = np.argsort(source_order), np.argsort(target_order)
    gold = {(int(source_place[i]), int(target_place[i])) for i in range(pairs)}
    return normalize(source[source_order]), normalize(target[target_order]), gold


def brute_force(source: Vectors, target: Vectors, k: int) -> list[tuple[float, int, int]]:
    """The ratio margin with max retrieval, written from the paper over the whole matrix."""
    cosines = (source @ target.T).astype(float)
    around = (np.sort(cosines, 1)[:, -k:].mean(1)[:, None] + np.sort(cosines, 0)[-k:].mean(0)[None]) / 2
    ratio = cosines / around
    near = (cosines >= np.sort(cosines, 1)[:, [-k]], cosines >= np.sort(cosines, 0)[[-k]])
    forward = [(i, int(np.where(near[0][i], ratio[i], -9).argmax())) for i in range(len(source))]
    backward = [(int(np.where(near[1][:, j], ratio[:, j], -9).argmax()), j) for j in range(len(target))]
    pairs, used = [], set()
    for score, i, j in sorted(((ratio[i, j], i, j) for i, j in {*forward, *backward}), key=lambda x: (-x[0], *x[1:])):
        if (0, i) not in used and (1, j) not in used:
            pairs.append((score, i, j))
            used |= {(0, i), (1, j)}
    return pairs


def test_planted_translations_are_found_as_by_brute_force() -> None:
    source, target, gold = planted(pairs=150, noise=450)
    mined = mine_pairs(source, target)
    expected = brute_force(source, target, k=4)
    assert list(zip(mined.source.tolist(), mined.target.tolist(), strict=True)) == [(i, j) for _, i, j in expected]
    assert mined.scores == pytest.approx([score for score, _, _ in expected], rel=1e-5)
    is_gold = np.array([pair in gold for pair in zip(mined.source.tolist(), mined.target.tolist(), strict=True)])
    tuned = tune_threshold(mined.scores, is_gold, len(gold))
    kept = mined.above(tuned.threshold)
    found = set(zip(kept.source.tolist(), kept.target.tolist(), strict=True))
    assert tuned.quality.precision == len(found & gold) / len(found)
    assert tuned.quality.recall == len(found & gold) / len(gold)
    assert tuned.quality.f1 > 0.8


def test_the_margin_finds_more_than_cosine_alone() -> None:
    source, target, gold = planted(pairs=150, noise=450)
    best = {}
    for margin in MARGINS:
        mined = mine_pairs(source, target, margin=margin)
        is_gold = np.array([pair in gold for pair in zip(mined.source.tolist(), mined.target.tolist(), strict=True)])
        best[margin] = tune_threshold(mined.scores, is_gold, len(gold)).quality.f1
    assert best["ratio"] > best["absolute"] + 0.05
    assert best["distance"] > best["absolute"] + 0.05


@pytest.mark.parametrize("block", [(1, 1), (7, 5), (64, 3), (1000, 1000)])
def test_neighbours_are_exact_whatever_the_blocks(block: tuple[int, int]) -> None:
    source, target = random_vectors(53, seed=1), random_vectors(41, seed=2)
    found = find_neighbours(source, target, 4, block=block)
    scores = source @ target.T
    assert found.forward.indices.tolist() == np.argsort(-scores, axis=1, kind="stable")[:, :4].tolist()
    assert found.backward.indices.tolist() == np.argsort(-scores.T, axis=1, kind="stable")[:, :4].tolist()
    assert found.forward.similarities == pytest.approx(-np.sort(-scores, axis=1)[:, :4], abs=1e-6)


def test_equal_similarities_are_ordered_by_index() -> None:
    source = np.tile(random_vectors(1, 4), (3, 1))
    target = np.tile(random_vectors(1, 4), (6, 1))
    for block in [(2, 2), (3, 6)]:
        found = find_neighbours(source, target, 4, block=block)
        assert found.forward.indices.tolist() == [[0, 1, 2, 3]] * 3
        assert found.backward.indices.tolist() == [[0, 1, 2]] * 6


def test_corpora_smaller_than_k() -> None:
    source, target = random_vectors(2), random_vectors(9, seed=1)
    found = find_neighbours(source, target, 4)
    assert found.forward.indices.shape == (2, 4)
    assert found.backward.indices.shape == (9, 2)
    assert len(mine_pairs(source, target)) == 2
    assert len(mine_pairs(target, source, retrieval="forward")) == 9


@pytest.mark.parametrize("retrieval", ["max", "forward", "backward", "intersection"])
def test_an_empty_corpus_gives_no_pairs(retrieval: str) -> None:
    empty = np.zeros((0, 16), dtype=np.float32)
    assert len(mine_pairs(empty, random_vectors(3), retrieval=retrieval)) == 0  # type: ignore[arg-type]
    assert len(mine_pairs(random_vectors(3), empty, retrieval=retrieval)) == 0  # type: ignore[arg-type]


def test_vectors_that_would_spoil_the_search_are_refused() -> None:
    broken = random_vectors(5)
    broken[3, 0] = np.nan
    with pytest.raises(ValueError, match="vector 3"):
        mine_pairs(broken, random_vectors(5))
    with pytest.raises(ValueError, match="expected 1"):
        mine_pairs(random_vectors(5), 2 * random_vectors(5))
    with pytest.raises(ValueError, match="shape"):
        mine_pairs(random_vectors(5, 16), random_vectors(5, 8))


def small_neighbours() -> Neighbours:
    """Three sources, two targets, k = 2; cosines: s0 (.9, .5), s1 (.8, .7), s2 (.1, .6)."""
    return Neighbours(
        Nearest(np.array([[0, 1], [0, 1], [1, 0]]), np.array([[0.9, 0.5], [0.8, 0.7], [0.6, 0.1]], dtype=np.float32)),
        Nearest(np.array([[0, 1], [1, 2]]), np.array([[0.9, 0.8], [0.7, 0.6]], dtype=np.float32)),
    )


def test_margins_by_hand() -> None:
    # means: s0 .7, s1 .75, s2 .35; t0 .85, t1 .65
    scored = margins(small_neighbours(), "ratio")
    assert scored.forward[0] == pytest.approx([0.9 / 0.775, 0.5 / 0.675])
    assert scored.forward[2] == pytest.approx([0.6 / 0.5, 0.1 / 0.6])
    assert scored.backward[1] == pytest.approx([0.7 / 0.7, 0.6 / 0.5])
    assert margins(small_neighbours(), "distance").forward[1] == pytest.approx([0.8 - 0.8, 0.7 - 0.7], abs=1e-7)
    assert margins(small_neighbours(), "absolute").forward[1] == pytest.approx([0.8, 0.7])


def test_retrieval_by_hand() -> None:
    neighbours = small_neighbours()
    scored = margins(neighbours, "ratio")
    pairs = {
        retrieval: set(zip(mined.source.tolist(), mined.target.tolist(), strict=True))
        for retrieval in ("forward", "backward", "intersection", "max")
        for mined in [retrieve(neighbours, scored, retrieval)]  # type: ignore[arg-type]
    }
    # s1: (.8/.8 with t0) = (.7/.7 with t1): the nearer one wins
    assert pairs["forward"] == {(0, 0), (1, 0), (2, 1)}
    assert pairs["backward"] == {(0, 0), (2, 1)}
    assert pairs["intersection"] == {(0, 0), (2, 1)}
    assert pairs["max"] == {(0, 0), (2, 1)}


def test_max_uses_every_sentence_once_and_sorts_by_score() -> None:
    mined = mine_pairs(random_vectors(80), random_vectors(60, seed=5))
    assert len(set(mined.source.tolist())) == len(set(mined.target.tolist())) == len(mined)
    assert (np.diff(mined.scores) <= 0).all()


def test_a_ratio_never_explodes_nor_rewards_two_negatives() -> None:
    cosines = np.array([0.5, 0.5, -0.2, 0.0])
    means = np.array([1e-9, -0.1, -0.1, 0.0])
    assert margin_score(cosines, means, "ratio", 4).tolist()[:2] == [4.0, 4.0]
    assert (margin_score(cosines, means, "ratio", 4)[2:] <= 0).all()
    assert np.isfinite(margin_score(cosines, means, "ratio", 4)).all()


def test_threshold_is_the_midpoint_that_maximises_f1() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    is_gold = np.array([True, True, False, True, False])
    tuned = tune_threshold(scores, is_gold, gold=3)
    # F1: .5, .8, .667, .857, .75
    assert tuned.threshold == pytest.approx(0.55)
    assert (tuned.quality.found, tuned.quality.correct) == (4, 3)
    assert tuned.quality.f1 == pytest.approx(6 / 7)


def test_threshold_may_keep_the_last_item() -> None:
    tuned = tune_threshold(np.array([0.5, 0.9]), np.array([True, True]), gold=2)
    assert tuned.threshold == 0.5
    assert quality(np.array([True, True]), 2) == tuned.quality


def test_threshold_never_cuts_between_equal_scores() -> None:
    tuned = tune_threshold(np.array([0.9, 0.7, 0.7, 0.7]), np.array([True, True, False, False]), gold=2)
    assert tuned.threshold == pytest.approx(0.8)
    assert tuned.quality.found == 1


def test_threshold_with_nothing_to_find_keeps_nothing() -> None:
    assert tune_threshold(np.array([0.9]), np.array([False]), gold=4).threshold == float("inf")
    assert tune_threshold(np.zeros(0), np.zeros(0, dtype=bool), gold=4).quality.f1 == 0


def test_threshold_equals_trying_every_cut() -> None:
    generator = np.random.default_rng(0)
    scores = np.round(generator.random(60), 2)  # with ties
    is_gold = generator.random(60) < scores
    cuts = [quality(is_gold[scores >= cut], 40).f1 for cut in set(scores.tolist())]
    tuned = tune_threshold(scores, is_gold, gold=40)
    assert tuned.quality.f1 == pytest.approx(max(cuts))
    assert quality(is_gold[scores >= tuned.threshold], 40) == tuned.quality


def test_without_gold_the_threshold_is_what_chance_hardly_reaches() -> None:
    source, target, gold = planted(pairs=150, noise=450)
    neighbours = find_neighbours(source, target, 4)
    scored = margins(neighbours, "ratio")
    mined = retrieve(neighbours, scored, "max")
    threshold = by_chance(source, target)[1]
    assert threshold is not None
    kept = mined.above(threshold)
    correct = len(set(zip(kept.source.tolist(), kept.target.tolist(), strict=True)) & gold)
    assert correct / len(kept) > 0.9 and correct / len(gold) > 0.8
    few = Candidates(np.zeros(3), np.zeros(3))
    assert chance_threshold(Candidates(mined.scores, mined.cosines), few, 0.01, sentences=600) is None


def by_chance(source: Vectors, target: Vectors) -> tuple[Mined, float | None]:
    """What is mined, and the threshold without gold pairs."""
    neighbours = find_neighbours(source, target, 4)
    scored = margins(neighbours, "ratio")
    mined = retrieve(neighbours, scored, "max")
    return mined, threshold_of(mined, neighbours, scored, (source, target), 0.01)


def test_the_threshold_falls_where_most_have_a_translation() -> None:
    def threshold(pairs: np.ndarray, one_sided: np.ndarray) -> float | None:
        return chance_threshold(Candidates(pairs, pairs / 2), Candidates(one_sided, one_sided / 2), 0.01, sentences=600)

    pairs, noise = np.linspace(1.2, 2.0, 1000), np.linspace(0.9, 1.1, 500)
    alike = np.full(10, 1.7)  # prefer a near-identical sentence's translation, and score as high as translations do
    assert threshold(pairs, np.concatenate([alike, noise])) == pytest.approx(1.2)
    few = np.concatenate([pairs[::10], noise])
    assert 1.09 < (threshold(few, noise) or 0) <= 1.2
    assert (threshold(few, np.concatenate([alike, noise])) or 0) > 1.7
    assert threshold(noise, noise) == float("inf")


def test_one_sided_candidates_by_hand() -> None:
    # s1 prefers t0, but t0 prefers s0
    neighbours = small_neighbours()
    scored = margins(neighbours, "ratio")
    apart, near = (
        np.eye(3, dtype=np.float32),
        normalize(np.array([[1, 0.1, 0], [1, 0, 0], [0, 0, 1]], dtype=np.float32)),
    )
    targets = normalize(np.array([[0.9, 0.8, 0.1], [0.5, 0.7, 0.6]], dtype=np.float32))
    assert one_sided(neighbours, scored, apart, targets).scores.tolist() == pytest.approx([0.8 / 0.8])
    assert not len(one_sided(neighbours, scored, near, targets))  # s1 is s0 with a comma more


@pytest.mark.parametrize("sentences", [60, 400])
def test_where_nothing_is_parallel_chance_is_not_taken_for_translations(sentences: int) -> None:
    kept = []
    for seed in range(6):
        mined, threshold = by_chance(*planted(pairs=0, noise=sentences, seed=seed)[:2])
        assert threshold is not None
        kept.append(len(mined.above(threshold)))
    assert sum(count > 0 for count in kept) <= 1, kept


@pytest.mark.parametrize("copies", [0.0, 0.05, 0.2, 0.5])
def test_near_copies_are_no_chance(copies: float) -> None:
    """Parallel sentences, and on one side so many of them again with a little changed."""
    generator = np.random.default_rng(0)
    meaning = generator.standard_normal((1000, 24))
    target = normalize((meaning + 0.3 * generator.standard_normal(meaning.shape)).astype(np.float32))
    again = meaning[: int(1000 * copies)]
    source = np.concatenate([meaning, again + 0.1 * generator.standard_normal(again.shape)])
    source = normalize(source.astype(np.float32))
    mined, chance = by_chance(source, target)
    kept = mined.above(1.06 if chance is None else chance)
    right = (kept.source == kept.target) | (kept.source - 1000 == kept.target)
    assert right.sum() > 950 and right.mean() > 0.95


def test_junk_is_named() -> None:
    sources = ["Die Katze schläft.", "Copyright ACME Holding", "Artikel 5 gilt.", "Ja.", "Es kostet 3.500 Euro."]
    targets = [
        "The cat sleeps.",
        "copyright: Acme holding!",
        "Article 6 applies.",
        "Yes, and " * 20,
        "It costs ٣٬٥٠٠ euros",
    ]
    reasons = drop_reasons(sources, targets, [1.1] * 5)
    assert reasons == ["", "copy", "numbers", "length", ""]
    assert drop_reasons(["a b"], ["c d"], [1.5], FilterRules(max_score=1.4)) == ["score"]
    assert drop_reasons([], [], []) == []


def test_copies_and_numbers() -> None:
    assert is_copy("Tom 2015", "TOM, 2016")
    assert not is_copy("Tom schläft", "Tom sleeps")
    assert has_other_numbers("am 3. Mai 2015", "3 June 2016")
    assert not has_other_numbers("am 3. Mai 2015", "in May 2015")  # the three may be a word over there
    assert not has_other_numbers("um fünf", "at 5")


def test_length_is_judged_by_what_is_usual_between_the_languages() -> None:
    english = ["A sentence of some length, number words and all, for the test." for _ in range(30)]
    chinese = ["测试用的一个句子。" for _ in range(30)]
    assert set(drop_reasons(english, chinese, [1.0] * 30)) == {""}
    assert drop_reasons(english[:1], chinese[:1], [1.0], FilterRules(max_length_ratio=2)) == ["length"]


def test_other_languages_are_recognised_in_longer_text() -> None:
    texts = ["Die Sonne scheint heute über dem großen See im Norden.", "Il fait très beau sur le lac du nord.", "Ok"]
    assert in_language(texts, "de") == [True, False, True]


def test_the_histogram_is_a_picture(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    path = tmp_path / "plots" / "scores.png"
    plot_scores(path, generator.random(500), 0.5, margin="ratio", is_gold=generator.random(500) < 0.2)
    assert path.read_bytes().startswith(b"\x89PNG")
    plot_scores(path, np.zeros(0), float("inf"), margin="ratio")
