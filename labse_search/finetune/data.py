"""What a run trains on and measures on: read, cleaned, split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labse_search.corpora.aligned import read_tatoeba
from labse_search.corpora.pairs import read_pairs
from labse_search.corpora.values import Pair, Say
from labse_search.errors import UserError
from labse_search.finetune.clean import clean_pairs, wrong_by_langid
from labse_search.finetune.config import FinetuneConfig
from labse_search.finetune.split import split_dev, without_texts_of
from labse_search.languages import in_wrong_script
from labse_search.training.run_folder import digest

FEWEST_TO_MEASURE_ON = 20
FEW_TO_TRAIN_ON = 500


@dataclass(frozen=True)
class Data:
    """Cleaned pairs; no text of `dev` occurs in `training`, `regression` is by pool."""

    training: list[Pair]
    dev: list[Pair]
    regression: dict[str, list[Pair]]
    report: list[str]  # what was read and dropped, for the card

    def summary(self) -> dict[str, int | str]:
        """What tells this data from other data: an interrupted run goes on with the same only."""
        texts = (text for pair in [*self.training, *self.dev] for text in (pair.source, pair.target, *pair.negatives))
        drawn = (f"{pair.language} {pair.weight:g} {pair.asked}" for pair in self.training)
        return {
            "training pairs": len(self.training),
            "dev pairs": len(self.dev),
            "sha256": digest(texts),
            "sha256 of weights": digest(drawn),
        }


def read_data(config: FinetuneConfig, say: Say) -> Data:
    """Cleaned training pairs, a dev set that shares no text with them, and the regression pools; `say` hears what was
    read and dropped. UserError when there is too little to measure on."""
    report: list[str] = []

    def note(line: str) -> None:
        report.append(line)
        say(line)

    check = {"script": in_wrong_script, "langid": wrong_by_langid, "none": None}[config.language_check]
    pairs, cleaning = clean_pairs(
        _read(config.train, config, note),
        max_ratio=config.max_ratio,
        max_characters=config.max_characters,
        wrong_language=check,
    )
    note(f"training: {cleaning}")
    asked: list[Pair] = []
    if config.questions:
        read = _read(config.questions, config, note)
        asked, cleaning = clean_pairs(read, max_ratio=float("inf"), max_characters=config.max_characters)
        note(f"questions: {cleaning}")
        asked = [replace(pair, asked=True) for pair in asked]
    if config.dev:
        dev, cleaning = clean_pairs(_read(config.dev, config, note))
        note(f"dev: {cleaning}")
        training = without_texts_of(pairs, dev)
    else:
        training, dev = split_dev(pairs, fraction=config.dev_fraction, at_most=config.dev_max, seed=config.seed)
    _check_sizes(config, pairs, training, dev)
    shared = len(pairs) - len(training) - (0 if config.dev else len(dev))
    training += without_texts_of(asked, dev)
    note(f"{len(training):,} pairs to train on, {len(dev):,} to measure on, {shared:,} dropped for sharing a text")
    if shared and not config.dev:
        note("some texts join too many pairs to divide them without loss: give --dev FILE to train on all of them")
    if len(training) < FEW_TO_TRAIN_ON:
        note("fewer than 500 pairs: expect little; --lora-rank 8 and --epochs 1 forget least")
    if config.hard_negatives:
        training = [pair for pair in training if len(pair.negatives) >= config.hard_negatives]
        note(f"{len(training):,} of them have {config.hard_negatives} hard negatives")
    regression = read_regression(config.regression, config.regression_max)
    if not regression:
        note("no --regression set: what the model forgets beside the domain will not be seen")
    return Data(training, dev, regression, report)


def read_regression(specifications: Sequence[str], at_most: int) -> dict[str, list[Pair]]:
    """Pools of pairs by name: of tatoeba:DIR one pool a language, of a file one a language pair."""
    pools: dict[str, list[Pair]] = {}
    for specification in specifications:
        if specification.startswith("tatoeba:"):
            pools.update(_tatoeba(specification.removeprefix("tatoeba:")))
            continue
        for pair in read_pairs(specification):
            name = Path(specification.split("=")[0]).name.split(".")[0]
            pools.setdefault(f"{name} {pair.language}".strip(), []).append(pair)
    return {name: pairs[:at_most] for name, pairs in pools.items()}


def _read(specifications: Sequence[str], config: FinetuneConfig, say: Say) -> list[Pair]:
    found = (read_pairs(specification, columns=config.columns, say=say) for specification in specifications)
    return [pair for pairs in found for pair in pairs]


def _check_sizes(config: FinetuneConfig, pairs: Sequence[Pair], training: Sequence[Pair], dev: Sequence[Pair]) -> None:
    if pairs and not training:
        raise UserError(
            f"all {len(pairs):,} training pairs share a text with the pairs to measure on (--dev): none is left to "
            "train on. Measure on pairs that are not in --train."
        )
    if len(dev) < FEWEST_TO_MEASURE_ON:
        raise UserError(
            f"only {len(dev)} of {len(pairs):,} pairs to measure on: too few to tell a better model from a worse one. "
            f"Give more pairs, or --dev FILE with at least {FEWEST_TO_MEASURE_ON} (better 500)."
        )


def _tatoeba(specification: str) -> dict[str, list[Pair]]:
    folder, _, wanted = specification.partition(":")
    languages = [language for language in wanted.split(",") if language]
    return {
        code: [Pair(*texts) for texts in zip(one.sources, one.targets, strict=True)]
        for code, one in read_tatoeba(Path(folder), languages).items()
    }
