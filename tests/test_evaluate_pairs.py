"""Accuracy of aligned sentences, ranks in a streamed pool, and the paired bootstrap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from lexicon import make_lexicon_model, random_concepts, sentence

from labse_search.evaluate.pairs import answer_ranks, pair_accuracy, paired_bootstrap, row_blocks
from labse_search.similarity import Vectors, normalize


def random_vectors(n: int, dimension: int = 16, seed: int = 0) -> Vectors:
    return normalize(np.random.default_rng(seed).standard_normal((n, dimension)))


def near(vectors: Vectors, noise: float, seed: int = 1) -> Vectors:
    return normalize(vectors + noise * np.random.default_rng(seed).standard_normal(vectors.shape))


def test_by_hand() -> None:
    source = np.array([[1, 0], [0, 1], [0.8, 0.6]], dtype=np.float32)
    target = np.array([[1, 0], [0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
    # source 0 finds target 0; source 1 prefers target 2; source 2 prefers target 1, then 0, then 2
    accuracy = pair_accuracy(source, target)
    assert accuracy.forward_ranks.tolist() == [1, 2, 3]
    # target 0: source 0; target 1 (0.6, 0.8): source 2 scores .96, source 1 .8; target 2: source 1, then 2
    assert accuracy.backward_ranks.tolist() == [1, 2, 2]
    assert accuracy.forward == pytest.approx(1 / 3)
    assert accuracy.mrr_forward == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert accuracy.hits().tolist() == [1, 0, 0]


def test_ranks_equal_a_full_sort() -> None:
    source = random_vectors(300)
    target = near(source, 0.4)
    order = np.argsort(-(source @ target.T), axis=1, kind="stable")
    expected = 1 + np.argmax(order == np.arange(300)[:, None], axis=1)
    assert pair_accuracy(source, target).forward_ranks.tolist() == expected.tolist()


def test_blocks_of_the_pool_change_nothing() -> None:
    source = random_vectors(200)
    target = near(source, 0.5)
    correct = np.arange(200)
    whole = answer_ranks(source, target, correct, [target])
    parts = answer_ranks(source, target, correct, row_blocks(target, 7))
    assert whole.tolist() == parts.tolist()
    assert whole.max() > 1


def test_a_collapsed_model_is_not_rewarded() -> None:
    same = np.tile(random_vectors(1), (50, 1))
    accuracy = pair_accuracy(same, same)
    assert accuracy.forward == 1 / 50
    assert accuracy.forward_ranks.tolist() == list(range(1, 51))


def test_equal_texts_are_one_candidate() -> None:
    source = random_vectors(4)
    target = source.copy()
    target[1] = target[0]  # the same sentence twice
    texts = ["yes", "yes", "no", "perhaps"]
    source[1] = source[0]
    assert pair_accuracy(source, target).forward == 0.75  # the second copy finds the first
    assert pair_accuracy(source, target, target_texts=texts).forward == 1.0


def test_nothing_scores_nothing() -> None:
    empty = np.zeros((0, 8), dtype=np.float32)
    accuracy = pair_accuracy(empty, empty)
    assert (accuracy.pairs, accuracy.forward, accuracy.mrr) == (0, 0.0, 0.0)


def test_unequal_sides_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        pair_accuracy(random_vectors(3), random_vectors(4))


def test_agrees_with_the_translation_evaluator(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.evaluation import TranslationEvaluator

    model = SentenceTransformer(str(make_lexicon_model(tmp_path / "model", noise=1.0)), device="cpu")
    concepts = random_concepts(100, seed=0)
    source = [sentence("en", words) for words in concepts]
    target = [sentence("de", words) for words in concepts]
    target[7] = target[3]  # the same text twice
    metrics = TranslationEvaluator(source, target, write_csv=False, name="x")(model)
    ours = pair_accuracy(model.encode(source), model.encode(target), source_texts=source, target_texts=target)
    assert 0.2 < ours.forward < 0.95
    assert metrics["x_src2trg_accuracy"] == pytest.approx(ours.forward)
    assert metrics["x_trg2src_accuracy"] == pytest.approx(ours.backward)


def test_bootstrap_holds_the_difference_and_knows_a_gain_from_noise() -> None:
    generator = np.random.default_rng(3)
    before = generator.random(400) < 0.5
    better = before | (generator.random(400) < 0.3)
    gain = paired_bootstrap(before, better)
    assert gain.low < gain.difference < gain.high
    assert gain.is_gain and not gain.is_loss
    assert gain.difference == pytest.approx(better.mean() - before.mean())
    assert paired_bootstrap(better, before).is_loss
    shuffled = paired_bootstrap(before, generator.permutation(before))
    assert not shuffled.is_gain and not shuffled.is_loss


def test_bootstrap_agrees_with_the_normal_interval() -> None:
    generator = np.random.default_rng(4)
    before, after = generator.random(1000), generator.random(1000)
    interval = paired_bootstrap(before, after, samples=4000)
    half = 1.96 * (after - before).std() / np.sqrt(1000)
    assert (interval.high - interval.low) / 2 == pytest.approx(half, rel=0.06)


def test_equal_models_differ_by_nothing() -> None:
    scores = np.array([0.0, 1.0, 1.0])
    assert paired_bootstrap(scores, scores).high == 0
    with pytest.raises(ValueError, match="at least one"):
        paired_bootstrap(np.array([]), np.array([]))
