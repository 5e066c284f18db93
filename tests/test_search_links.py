"""Word against word, on vectors that are plain to see."""

import numpy as np

from labse_search.encoder import TokenEncoder, TokenVectors, default_model, load_encoder
from labse_search.search.links import Passages, links


def tokens(*rows: tuple[float, ...]) -> TokenVectors:
    array = np.array(rows, np.float32).reshape(len(rows), -1)
    weights = np.linalg.norm(array, axis=1)
    return TokenVectors(np.arange(len(rows)), (array / weights[:, None]).astype(np.float32), weights.astype(np.float32))


NOTHING = TokenVectors(np.zeros(0, np.int64), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))


def test_reach_is_the_weighed_mean_of_the_best_cosines() -> None:
    question = tokens((3, 0), (0, 1))
    passage = tokens((1, 0), (-1, 0))
    np.testing.assert_allclose(Passages([passage, tokens((0, 2)), NOTHING]).reach(question), [0.75, 0.25, 0.0])


def test_reach_equals_a_slow_reference() -> None:
    generator = np.random.default_rng(0)
    question = tokens(*generator.normal(size=(4, 8)))
    passages = [tokens(*generator.normal(size=(length, 8))) for length in (1, 5, 3)]
    slow = []
    for passage in passages:
        best = [max(float(d @ e) for e in passage.directions) for d in question.directions]
        slow.append(sum(b * w for b, w in zip(best, question.weights, strict=True)) / question.weights.sum())
    np.testing.assert_allclose(Passages(passages).reach(question), slow, rtol=1e-5)


def test_nothing_reaches_nothing() -> None:
    assert Passages([tokens((1, 0))]).reach(NOTHING).tolist() == [0.0]
    assert Passages([]).reach(tokens((1, 0))).tolist() == []
    assert links("", NOTHING, [], "a", tokens((1, 0)), [(0, 1)]) == ()


def test_words_that_are_each_others_closest_are_linked() -> None:
    found = links(
        "high water",
        tokens((1, 0, 0), (0, 2, 0)),
        [(0, 4), (5, 10)],
        "вода, вчера",
        tokens((0, 1, 0.1), (0, 0, 1)),
        [(0, 4), (6, 11)],
    )
    assert [(link.question, link.passage) for link in found] == [((5, 10), (0, 4))]


def test_the_pieces_of_a_word_are_one_word() -> None:
    text = "Hochwasser"
    found = links("flood", tokens((1, 1)), [(0, 5)], text, tokens((1, 0), (0, 1)), [(0, 4), (4, 10)])
    assert [(link.question, link.passage) for link in found] == [((0, 5), (0, 10))]


def test_a_script_without_spaces_links_by_token() -> None:
    found = links("bread", tokens((1, 0)), [(0, 5)], "我们吃面包", tokens((0, 1), (1, 0.1)), [(0, 3), (3, 5)])
    assert [link.passage for link in found] == [(3, 5)]


def test_the_shipped_model_links_translations() -> None:
    encoder = load_encoder(default_model())
    assert isinstance(encoder, TokenEncoder)
    question, text = "Where is the bridge?", "Die Brücke ist gesperrt."
    asked, found = encoder.token_vectors([question, text])
    offsets = encoder.tokenizer.offsets
    (first, *_) = links(question, asked, offsets(question), text, found, offsets(text))
    assert (question[slice(*first.question)], text[slice(*first.passage)]) == ("bridge", "Brücke")
