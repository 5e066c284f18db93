"""What is measured of a model: which directions only tell the language, and how likely an answer is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from labse_search.encoder import load_encoder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.records import Segment, StoredSegment
from labse_search.search.late import LateInteraction
from labse_search.search.measure import fitting_cases, language_directions, late_interaction, logistic, profile_of
from labse_search.search.profile import FILE, UNMEASURED, Others, Pool, load_profile, others_of, sigmoid
from labse_search.similarity import normalize

RNG = np.random.default_rng(0)


def test_neutral_vectors_do_not_tell_their_language() -> None:
    """Eight texts in five languages: a vector is what is said in 20 dimensions, plus an axis of its language."""
    said, languages = RNG.normal(size=(8, 20)), np.eye(5)
    rows = [(np.concatenate([said[t], 3 * languages[n]]), f"l{n}", f"t{t}") for t in range(8) for n in range(5)]
    vectors = normalize(np.array([row[0] for row in rows]))
    found = language_directions(vectors, [row[1] for row in rows], [row[2] for row in rows])[:4]
    assert np.allclose(found @ found.T, np.eye(len(found)), atol=1e-5)
    neutral = replace(UNMEASURED, directions=found).neutral(vectors)
    assert np.allclose(np.linalg.norm(neutral, axis=1), 1, atol=1e-5)
    means = [neutral[[row[1] == f"l{n}" for row in rows]].mean(axis=0) for n in range(5)]
    raw = [vectors[[row[1] == f"l{n}" for row in rows]].mean(axis=0) for n in range(5)]
    assert np.ptp(np.array(means), axis=0).max() < 0.1 * np.ptp(np.array(raw), axis=0).max()


ALONE = Others(np.array([np.nan]), np.array([np.nan]))


def test_an_answer_is_likelier_the_closer_it_is_and_the_fewer_passages_there_are() -> None:
    usual = RNG.normal(0.1, 0.08, 500)
    rising = UNMEASURED.probability(np.array([0.1, 0.3, 0.5, 0.7, 0.9]), ALONE, usual, 180)
    assert (np.diff(rising) > 0).all() and rising[0] < 0.05 and rising[-1] > 0.95
    falling = [UNMEASURED.probability(np.array([0.5]), ALONE, usual, count)[0] for count in (1, 4, 180, 3_600, 50_000)]
    assert (np.diff(falling) < 0).all()


def test_both_kinds_of_odds_know_what_is_usual_for_them() -> None:
    usual = RNG.normal(0.1, 0.08, 500)
    late = [UNMEASURED.late_probability(np.array([close]), ALONE, usual, 180)[0] for close in (0.3, 0.5, 0.7)]
    assert (np.diff(late) > 0).all() and late[0] < 0.05 and late[-1] > 0.9
    shifted = replace(UNMEASURED, late_usual=UNMEASURED.late_usual + 0.1)
    assert np.isclose(shifted.late_probability(np.array([0.6]), ALONE, usual, 180)[0], late[1])


def test_an_answer_is_less_likely_among_others_as_close() -> None:
    usual = RNG.normal(0.1, 0.08, 500)
    beside = [Others(np.array([close]), np.array([close])) for close in (0.1, 0.3, 0.5)]
    falling = [UNMEASURED.probability(np.array([0.5]), others, usual, 180)[0] for others in beside]
    assert (np.diff(falling) < 0).all()


def test_a_handful_of_passages_is_judged_by_what_is_usual_for_the_model() -> None:
    alone = UNMEASURED.probability(np.array([0.95]), ALONE, np.array([0.95]), 1)[0]
    assert alone > 0.9


def test_copies_and_translations_of_a_passage_are_no_rivals_of_it() -> None:
    """A passage, the same again, one that says something else, and one that cannot be compared."""
    vectors = np.array([[1, 0], [1, 0], [0, 1], [0.6, 0.8]], np.float32)
    pool = Pool(np.array([0.8, 0.79, 0.5, -1.0]), vectors)
    others = others_of(pool, pool, 0.9)
    assert np.allclose(others.rival, [0.5, 0.5, 0.8, 0.8]) and np.allclose(others.company[:2], 0.5)
    alone = others_of(Pool(pool.closeness[:1], vectors[:1]), Pool(pool.closeness[:2], vectors[:2]), 0.9)
    assert np.isnan(alone.rival[0]) and np.isnan(alone.company[0])


def test_late_interaction_is_the_same_for_many_texts_as_for_one() -> None:
    """And the tokens' mean is that of the texts that are no answers."""
    encoder = load_encoder("labse-mini")
    questions = ["Who pays for a lost card?", "Wer zahlt?"]
    texts = ["The reader pays four pounds.", "Boats go slowly.", "Alle Menschen sind frei."]
    mean, found = late_interaction(encoder, questions, texts, 1)
    told = encoder.token_states(texts, ["document"] * 3)
    assert told is not None and found.shape == (2, 3)
    assert np.allclose(mean, np.concatenate([one.states for one in told[1:]]).mean(axis=0), atol=1e-4)
    stored = [StoredSegment(f"{n:032x}", ("x",), (), "txt", 1.0, Segment(0, 0, len(text), text, "en", {}))
              for n, text in enumerate(texts)]  # fmt: skip
    compared = LateInteraction(encoder).compare([questions[0]], stored, mean)
    assert np.allclose([compared[one.point].closeness for one in stored], found[0], atol=5e-3)
    assert found[0].argmax() == 0


def test_strengths_are_named_by_probability() -> None:
    assert [replace(UNMEASURED.late, close=0.5).strength(p) for p in (0.95, 0.6, 0.2, 0.05)] == [
        "very close",
        "close",
        "related",
        "far",
    ]


def test_logistic_regression_finds_the_odds_that_made_the_data() -> None:
    inputs = RNG.normal(size=(20_000, 2))
    right = RNG.random(20_000) < sigmoid(-1 + inputs @ np.array([2.0, -0.5]))
    assert np.allclose(logistic(inputs, right), [-1, 2, -0.5], atol=0.1)


def test_questions_are_asked_with_and_without_their_answers() -> None:
    rows = normalize(RNG.normal(size=(30, 16)))
    vectors = np.concatenate([rows, normalize(RNG.normal(size=(40, 16)))])
    late = np.eye(30, 70) - 0.1 * RNG.random((30, 70))
    for cases in fitting_cases((rows, vectors), late, (0.0, 0.25), 0.99):
        answerable = cases[:, 5] == 1
        assert answerable.mean() == 0.5
        assert cases[answerable, 4].all() and not cases[~answerable, 4].any()


def test_a_profile_is_kept_for_its_model_alone(tmp_path: Path) -> None:
    path = tmp_path / FILE
    profile = replace(UNMEASURED, fingerprint="a", directions=np.eye(3, 8, dtype=np.float32))
    profile.save(path)
    loaded = load_profile(path, "a")
    assert loaded is not None and np.array_equal(loaded.directions, profile.directions)
    assert np.array_equal(loaded.token_mean, profile.token_mean)
    assert replace(loaded, directions=profile.directions, token_mean=profile.token_mean) == profile
    assert load_profile(path, "b") is None
    assert load_profile(tmp_path / "none", "a") is None
    path.write_text("{")
    assert load_profile(path, "a") is None


def test_the_shipped_model_ships_with_its_own_profile(tmp_path: Path) -> None:
    """If this fails, the weights changed: python -m labse_search.search.measure labse-mini"""
    assert load_profile(LABSE_MINI / FILE, load_encoder("labse-mini").fingerprint) is not None


def test_a_model_without_a_profile_is_measured_once(tmp_path: Path) -> None:
    from tiny import make_tiny_labse

    encoder = load_encoder(str(make_tiny_labse(tmp_path / "model")))
    measured = profile_of(encoder, tmp_path / "home")
    kept = tmp_path / "home" / "profiles" / f"{encoder.fingerprint}.json"
    written = kept.stat().st_mtime_ns
    assert profile_of(encoder, tmp_path / "home").late == measured.late
    assert kept.stat().st_mtime_ns == written
