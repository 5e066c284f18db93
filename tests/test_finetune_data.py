"""Pairs from files, which of them are fit, how they are split, and how they become batches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from datasets import Dataset

from labse_search.corpora.text_keys import text_key
from labse_search.corpora.values import Pair
from labse_search.finetune.clean import clean_pairs, wrong_by_langid
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.data import Data, read_data
from labse_search.finetune.plan import Plan
from labse_search.finetune.sampling import PairBatchSampler, plan_sampling
from labse_search.finetune.split import split_dev, without_texts_of
from labse_search.finetune.train import dev_on_the_way
from labse_search.languages import in_wrong_script


def test_cleaning_says_why_each_pair_went() -> None:
    pairs = [
        Pair(" a  cat ", "eine Katze"),
        Pair("A cat!", "eine Katze"),
        Pair("", "nichts"),
        Pair("Berlin", "berlin"),
        Pair("no", "n" * 80),
        Pair("x" * 2000, "y" * 2000),
        Pair("good morning", "good morning to all", (), "en", "ru"),
        Pair("the sea is deep", "море глубокое", (), "en", "ru"),
    ]
    kept, report = clean_pairs(pairs, wrong_language=in_wrong_script)
    assert [pair.source for pair in kept] == ["a cat", "the sea is deep"]
    assert report.read == 8 and report.kept == 2
    assert dict(report.dropped) == {
        "duplicates": 1,
        "empty": 1,
        "with the same text twice": 1,
        "of unlike length": 1,
        "too long": 1,
        "in the wrong language": 1,
    }
    assert "8 pairs read, 2 kept; dropped: 1 duplicates" in str(report)


def test_japanese_is_as_long_as_the_english_it_says() -> None:
    pairs = [Pair("The weather is very nice today, is it not?", "今日はいい天気ですね", (), "en", "ja")]
    assert len(clean_pairs(pairs)[0]) == 1


def test_langid_only_judges_what_is_long_enough() -> None:
    german = "Die Katze sitzt auf dem Dach und wartet auf den Regen, der nicht kommt."
    assert wrong_by_langid(german, "fr") and not wrong_by_langid(german, "de")
    assert not wrong_by_langid("Die Katze", "fr") and not wrong_by_langid(german, "xx")


def test_questions_are_trained_on_however_long_their_answers_and_never_measured(tmp_path: Path) -> None:
    pairs = "".join(f"sentence {n} of some\tSatz {n} von vielen\n" for n in range(60))
    (tmp_path / "pairs.tsv").write_text(pairs)
    passage = "The shoemaker beside the station repairs shoes on weekdays, " * 5
    (tmp_path / "asked.tsv").write_text(f"Who repairs shoes?\t{passage}\nWho else?\tSatz 7 von vielen\n")
    config = FinetuneConfig((f"{tmp_path}/pairs.tsv",), (f"{tmp_path}/asked.tsv",), dev_fraction=1 / 3)
    data = read_data(config, lambda line: None)
    assert "Who repairs shoes?" in {pair.source for pair in data.training}
    assert len(data.dev) == 20 and not any(pair.source.startswith("Who") for pair in data.dev)
    held = {pair.target for pair in data.dev}
    assert ("Who else?" in {pair.source for pair in data.training}) is ("Satz 7 von vielen" not in held)


def test_no_text_of_the_dev_set_is_in_training() -> None:
    words = [f"sentence number {n}" for n in range(200)]
    pairs = [Pair(word, f"{language} {word.upper()}", (), "en", language) for word in words for language in "ab"]
    pairs.append(Pair("something else", "A Sentence Number 7!"))  # shares its target, but for case
    training, dev = split_dev(pairs, fraction=0.2, at_most=1000, seed=1)
    held = {text_key(text) for pair in dev for text in (pair.source, pair.target)}
    assert 80 <= len(dev) <= 82 and not any({text_key(p.source), text_key(p.target)} & held for p in training)
    assert len(training) + len(dev) == len(pairs)
    assert dev != split_dev(pairs, fraction=0.2, at_most=1000, seed=2)[1]


def shares_a_text(training: list[Pair], dev: list[Pair]) -> bool:
    held = {text_key(text) for pair in dev for text in (pair.source, pair.target)}
    return any({text_key(pair.source), text_key(pair.target)} & held for pair in training)


def test_a_sentence_in_many_languages_is_divided_as_one() -> None:
    pairs = [
        Pair(f"satz {n} {'abcdefghijklmnopqrst'[language]}", f"sentence {n}", (), f"l{language}", "en")
        for language in range(20)
        for n in range(500)
    ]
    for fraction in (0.05, 0.2):
        training, dev = split_dev(pairs, fraction=fraction, at_most=2000, seed=42)
        assert len(training) + len(dev) == len(pairs) and len(dev) == len(pairs) * fraction
        assert not shares_a_text(training, dev)
        assert Counter(pair.source_language for pair in dev) == {f"l{n}": len(dev) / 20 for n in range(20)}
    turned = split_dev(pairs[::-1], fraction=0.2, at_most=2000, seed=42)[1]
    assert set(turned) == set(dev)
    grown = split_dev([*pairs, Pair("noch einer", "one more")], fraction=0.2, at_most=2000, seed=42)[1]
    assert len(set(grown) & set(dev)) >= len(dev) - 20


def test_pairs_that_all_hang_together_are_divided_at_little_loss() -> None:
    """A chain through 1,000 pairs, beside a greeting with 300 translations."""
    chain = [Pair(f"source {n}", f"target {n}") for n in range(500)]
    chain += [Pair(f"source {n}", f"target {n + 1}") for n in range(499)]
    greeting = [Pair("hello", f"hello in language {n}") for n in range(300)]
    training, dev = split_dev(chain + greeting, fraction=0.1, at_most=1000, seed=1)
    assert 65 <= len(dev) <= 135 and not shares_a_text(training, dev)
    assert len(training) >= len(chain + greeting) - len(dev) - 130 and set(greeting) <= set(training)
    assert set(split_dev((chain + greeting)[::-1], fraction=0.1, at_most=1000, seed=1)[1]) == set(dev)


def test_pairs_that_cannot_be_divided_without_loss_are_told(tmp_path: Path) -> None:
    chain = [(n, n) for n in range(300)] + [(n, n + 1) for n in range(300)]
    (tmp_path / "pairs.tsv").write_text("".join(f"text {a} of it\tsatz {b} davon\n" for a, b in chain))
    said: list[str] = []
    data = read_data(FinetuneConfig((f"{tmp_path}/pairs.tsv",), dev_fraction=0.1), said.append)
    assert len(data.dev) >= 20 and any("some texts join too many pairs" in line for line in said)


def test_a_given_dev_set_is_taken_out_of_training() -> None:
    training = without_texts_of([Pair("a", "b"), Pair("a", "c"), Pair("d", "e")], [Pair("a", "b")])
    assert [pair.source for pair in training] == ["d"]


def sampler(languages: list[str], batch: int, *, window: int = 0, **options: object) -> PairBatchSampler:
    n = len(languages)
    keys = options.pop("keys", [(at, 1000 + at) for at in range(n)])
    lengths = options.pop("lengths", [10] * n)
    plan = plan_sampling(languages, options.pop("weights", [1.0] * n), lengths, keys, temperature=1.0, **options)  # type: ignore[arg-type]
    return PairBatchSampler(Dataset.from_dict({"n": list(range(n))}), batch, plan=plan, length_window=window, seed=3)


def test_an_epoch_is_every_pair_once_in_an_order_of_its_own() -> None:
    batches = sampler(["x"] * 64, 8)
    first, again = list(batches), list(batches)
    batches.set_epoch(1)
    second = list(batches)
    assert sorted(sum(first, [])) == list(range(64)) and first == again
    assert sorted(sum(second, [])) == list(range(64)) and first != second
    assert len(batches) == 8


def test_temperature_evens_the_languages_out() -> None:
    languages = ["big"] * 900 + ["small"] * 100
    plan = plan_sampling(languages, [1.0] * 1000, [1] * 1000, [(n, n) for n in range(1000)], temperature=0.5)
    assert plan.draws.tolist() == [750, 250]  # 30 : 10 of 1,000
    batches = PairBatchSampler(Dataset.from_dict({"n": list(range(1000))}), 50, plan=plan, seed=0)
    drawn = np.array(sum(batches, []))
    assert (drawn >= 900).sum() in range(240, 251)
    assert np.bincount(drawn[drawn >= 900] - 900).max() == 3  # 250 draws of 100: each twice or three times


def test_a_file_of_weight_two_is_drawn_twice() -> None:
    batches = sampler(["x"] * 40, 10, weights=[1.0] * 20 + [2.0] * 20)
    drawn = np.bincount(sum(batches, []), minlength=40)
    assert drawn[:20].sum() == 20 and drawn[20:].sum() == 40


def test_no_batch_holds_a_text_twice_while_that_is_possible() -> None:
    keys = [(at // 4, 1000 + at) for at in range(64)]  # every source has four translations
    batches = list(sampler(["x"] * 64, 8, keys=keys))
    assert len(batches) == 8 and sorted(sum(batches, [])) == list(range(64))
    twins = [len(batch) - len({keys[row][0] for row in batch}) for batch in batches]
    assert sum(twins) <= 4, twins  # only the very last batches may have to take what is left


def test_a_length_window_puts_like_lengths_together_and_keeps_chance() -> None:
    lengths = list(range(1, 257))
    batches = sampler(["x"] * 256, 8, window=8, lengths=lengths)
    spread = [max(batch) - min(batch) for batch in batches]
    assert np.mean(spread) < 80  # of 256; without a window it is near 200
    order = [min(batch) for batch in batches]
    assert order != sorted(order)
    batches.set_epoch(1)
    assert order != [min(batch) for batch in batches]


def test_the_curve_of_a_short_run_measures_no_more_than_is_trained_on_and_of_every_language() -> None:
    dev = [Pair(f"a{i}", f"b{i}", source_language="ko" if i < 900 else "he") for i in range(1500)]
    for steps, batch, most in ((68, 64, 435), (5000, 256, 1000), (3, 16, 100)):
        plan = Plan(1, batch, batch - 1, steps, 1e-4, False, 0)
        some = dev_on_the_way(FinetuneConfig(), plan, Data([], dev, {}, []))
        assert most / 2 < len(some) <= most
        assert {pair.source_language for pair in some} == {"ko", "he"}
    few = Data([], dev[:50], {}, [])
    assert dev_on_the_way(FinetuneConfig(), plan, few) == dev[:50]
