"""Pairs from files, which of them are fit, how they are split, and how they become batches."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from labse_search.errors import UserError
from labse_search.finetune.clean import clean_pairs, split_dev, without_texts_of, wrong_by_langid, wrong_script
from labse_search.finetune.keys import text_key
from labse_search.finetune.pairs import TrainingPair, read_pairs
from labse_search.finetune.sampling import PairBatchSampler, plan_sampling

TWO = [("a cat", "eine Katze"), ("the sea", "das Meer")]


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_tsv_with_two_columns(tmp_path: Path, ending: str) -> None:
    file = tmp_path / f"pairs.tsv{ending}"
    opener = {"": open, ".gz": gzip.open, ".xz": lzma.open}[ending]
    with opener(file, "wt", encoding="utf-8") as lines:
        lines.writelines(f"{source}\t{target}\n" for source, target in TWO)
    assert [(pair.source, pair.target) for pair in read_pairs(str(file))] == TWO


def test_tsv_with_languages_and_hard_negatives(tmp_path: Path) -> None:
    file = write(tmp_path / "pairs.tsv", "en\tde\ta cat\teine Katze\tein Hund\tein Haus\n")
    assert read_pairs(file) == [TrainingPair("a cat", "eine Katze", ("ein Hund", "ein Haus"), "en", "de")]


def test_a_header_names_the_columns_and_other_columns_are_left_out(tmp_path: Path) -> None:
    file = write(
        tmp_path / "pairs.csv",
        'score,target,lang1,source,lang2,negative1\n1.08,"eine Katze, grau",en,a grey cat,de,ein Hund\n',
    )
    assert read_pairs(file) == [TrainingPair("a grey cat", "eine Katze, grau", ("ein Hund",), "en", "de")]


def test_json_lines(tmp_path: Path) -> None:
    lines = [
        {"source": "a cat", "target": "eine Katze", "negatives": ["ein Hund"]},
        {"anchor": "the sea", "positive": "das Meer", "negative": "der Fluss"},
    ]
    file = write(tmp_path / "pairs.jsonl", "\n".join(map(json.dumps, lines)))
    assert [(pair.target, pair.negatives) for pair in read_pairs(file)] == [
        ("eine Katze", ("ein Hund",)),
        ("das Meer", ("der Fluss",)),
    ]


def test_tmx_pairs_the_first_language_with_each_other(tmp_path: Path) -> None:
    file = write(
        tmp_path / "memory.tmx",
        """<?xml version="1.0"?><tmx version="1.4"><header/><body><tu>
        <tuv xml:lang="EN"><seg>a <b>grey</b> cat</seg></tuv>
        <tuv xml:lang="de"><seg>eine graue Katze</seg></tuv>
        <tuv xml:lang="fr"><seg>un chat gris</seg></tuv></tu></body></tmx>""",
    )
    assert [(p.source, p.target, p.language) for p in read_pairs(file)] == [
        ("a grey cat", "eine graue Katze", "en-de"),
        ("a grey cat", "un chat gris", "en-fr"),
    ]


def test_a_tmx_whose_entities_swell_is_refused(tmp_path: Path) -> None:
    swelling = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    file = write(
        tmp_path / "bomb.tmx",
        f'<!DOCTYPE tmx [<!ENTITY a0 "ha">{swelling}]><tmx><tu><tuv lang="en"><seg>&a9;</seg></tuv></tu></tmx>',
    )
    with pytest.raises(UserError, match="cannot be read as tmx"):
        read_pairs(file)


def test_two_line_aligned_files(tmp_path: Path) -> None:
    write(tmp_path / "corpus.en", "a cat\nthe sea\n")
    write(tmp_path / "corpus.de", "eine Katze\ndas Meer\n")
    pairs = read_pairs(f"{tmp_path}/corpus.en,{tmp_path}/corpus.de=2.5")
    assert [(p.source, p.target, p.language, p.weight) for p in pairs] == [
        ("a cat", "eine Katze", "en-de", 2.5),
        ("the sea", "das Meer", "en-de", 2.5),
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("one.tsv", "only one column\n", "line 1: one column"),
        ("keys.jsonl", '{"left": "a"}\n', "expected source and target"),
        ("broken.jsonl", "{not json\n", "no JSON"),
        ("broken.tmx", "<tmx><tu>", "cannot be read as tmx"),
    ],
)
def test_a_file_without_pairs_says_where(tmp_path: Path, name: str, content: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_pairs(write(tmp_path / name, content))


def test_files_that_are_missing_or_not_aligned_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such file"):
        read_pairs(str(tmp_path / "nothing.tsv"))
    write(tmp_path / "a.en", "one\ntwo\n")
    write(tmp_path / "a.de", "eins\n")
    with pytest.raises(UserError, match="2 lines and .* 1"):
        read_pairs(f"{tmp_path}/a.en,{tmp_path}/a.de")


def test_cleaning_says_why_each_pair_went() -> None:
    pairs = [
        TrainingPair(" a  cat ", "eine Katze"),
        TrainingPair("A cat!", "eine Katze"),
        TrainingPair("", "nichts"),
        TrainingPair("Berlin", "berlin"),
        TrainingPair("no", "n" * 80),
        TrainingPair("x" * 2000, "y" * 2000),
        TrainingPair("good morning", "good morning to all", (), "en", "ru"),
        TrainingPair("the sea is deep", "море глубокое", (), "en", "ru"),
    ]
    kept, report = clean_pairs(pairs, wrong_language=wrong_script)
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
    assert "8 pairs read, 2 kept; dropped: 1 duplicates" in report.lines()[0]


def test_japanese_is_as_long_as_the_english_it_says() -> None:
    pairs = [TrainingPair("The weather is very nice today, is it not?", "今日はいい天気ですね", (), "en", "ja")]
    assert len(clean_pairs(pairs)[0]) == 1


def test_langid_only_judges_what_is_long_enough() -> None:
    german = "Die Katze sitzt auf dem Dach und wartet auf den Regen, der nicht kommt."
    assert wrong_by_langid(german, "fr") and not wrong_by_langid(german, "de")
    assert not wrong_by_langid("Die Katze", "fr") and not wrong_by_langid(german, "xx")


def test_no_text_of_the_dev_set_is_in_training() -> None:
    words = [f"sentence number {n}" for n in range(200)]
    pairs = [
        TrainingPair(word, f"{language} {word.upper()}", (), "en", language) for word in words for language in "ab"
    ]
    pairs.append(TrainingPair("something else", "A Sentence Number 7!"))  # shares its target, but for case
    training, dev, dropped = split_dev(pairs, fraction=0.2, at_most=1000, seed=1)
    held = {text_key(text) for pair in dev for text in (pair.source, pair.target)}
    assert 80 <= len(dev) <= 81 and not any({text_key(p.source), text_key(p.target)} & held for p in training)
    assert len(training) + len(dev) + dropped == len(pairs)
    assert dev != split_dev(pairs, fraction=0.2, at_most=1000, seed=2)[1]


def test_a_given_dev_set_is_taken_out_of_training() -> None:
    training, shared = without_texts_of(
        [TrainingPair("a", "b"), TrainingPair("a", "c"), TrainingPair("d", "e")], [TrainingPair("a", "b")]
    )
    assert [pair.source for pair in training] == ["d"] and shared == 1


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


def write(file: Path, content: str) -> str:
    file.write_text(content, encoding="utf-8")
    return str(file)
