"""Every setting of a training from files: the fields are the flags, their help is the documentation. No torch in here.

The defaults trained well on two cores with three million pairs; none of them was searched for systematically.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from labse_search.errors import UserError
from labse_search.finetune.config import flag

# Settings that a resumed run may have otherwise than the interrupted one.
MAY_CHANGE = frozenset("resume dry_run save_minutes evaluate cache".split())


@dataclass(frozen=True)
class AlignConfig:
    data: str = flag(
        "", "folder of pairs: lang1 TAB lang2 TAB text1 TAB text2 in .tsv files (.gz .xz), a file a source"
    )
    dictionaries: tuple[str, ...] = flag((), "more such files, of single words; see benchmarks/dictionaries.py")
    output: str = flag("", "folder of the new model; must not exist")
    start: str = flag("", "static model to start from: its vocabulary and vectors; default: both made from the pairs")
    cache: str = flag("", "folder that keeps the tokenized pairs for later runs; default: none is kept")
    balance: float = flag(
        0.3,
        "draw a pair of languages with n pairs (40,000 / n) ** BALANCE times as often, within 0.5 to 3; 0: as it is",
    )
    weights: tuple[str, ...] = flag((), "SOURCE=WEIGHT, a file's name: draw its pairs less (0.3) or more (2) often")
    hold_out: tuple[str, ...] = flag((), "sources that are never trained on, to measure on them later")

    vocabulary: int = flag(64000, "entries of the vocabulary that is made when there is no --start")
    vocabulary_texts: int = flag(1_000_000, "it is made from so many texts, drawn from all")
    smoothing: float = flag(0.3, "it sees languages in proportion to texts ** smoothing (LaBSE: 0.3)")
    hidden: int = flag(256, "width of the vectors, of the static model and of the transformer")
    heads: int = flag(4, "attention heads")
    layers: int = flag(4, "of the transformer; 0: leave the static model")
    inner: int = flag(1024, "width of the feed-forward layers")
    window: int = flag(128, "tokens the model reads, special tokens included")

    static_pairs: int = flag(1_500_000, "pairs the static model sees; 0: the transformer begins with --start as it is")
    static_batch: int = flag(4096, "its pairs of one step")
    static_rate: float = flag(0.0, "its peak learning rate (Adagrad); 0: 0.005 with --start, 0.1 for new vectors")
    static_scale: float = flag(20.0, "its factor of the cosines")
    static_crops: float = flag(
        0.1, "share of the pairs of which one side is cut to a part: questions are parts of answers"
    )
    reweigh: bool = flag(True, "before a phase, flatten the lengths of word vectors and favour rare words")

    pairs: int = flag(10_000_000, "pairs the transformer sees")
    minutes: float = flag(0.0, "train it for so long instead; 0: --pairs decides")
    batch: int = flag(1024, "pairs of one step: all others are negatives")
    max_tokens: int = flag(0, "of a text while training; the rest is cut off; 0: the window")
    rate: float = flag(6e-4, "peak learning rate of the layers (Adam)")
    word_rate: float = flag(0.05, "peak learning rate of the word vectors (Adagrad)")
    scale: float = flag(25.0, "factor of the cosines")
    margin: float = flag(0.1, "taken from the cosine of each true pair, in both phases")
    warmup: int = flag(200, "steps in which a learning rate rises")
    tail: float = flag(0.5, "last share of the transformer's phase in which it falls to 0; of the static phase: all")
    clip: float = flag(1.0, "largest norm of the layers' gradient; 0: none")
    hard: float = flag(0.5, "share of a batch that comes in groups of neighbours")
    group: int = flag(64, "pairs of such a group")
    crops: float = flag(0.22, "share of the pairs of which one side is cut to a part")
    long_crops: float = flag(0.6, "the same, of pairs of more than 18 tokens a side")
    questions: float = flag(0.7, "of what is cut: made like a question, a span missing and frequent words before it")
    passages: float = flag(0.12, "share of the pairs of which one side is put among its neighbours in the file")
    reach: float = flag(0.3, "weight of the loss that matches single words, for the search's reach; 0: none")
    reach_pairs: int = flag(64, "pairs of a batch that it is taken over")
    start_share: float = flag(
        0.15, "of the transformer's weights before training, in the average that is kept: for texts unlike the pairs"
    )
    precision: Literal["auto", "fp32", "bf16"] = flag("auto", "of the transformer; auto: bf16 where it is faster")

    evaluate: str = flag("", "folder with tatoeba/ or xquad_r/: measure the start and the new model on it")
    save_minutes: float = flag(10.0, "checkpoint every so many minutes")
    resume: Literal["auto", "none"] = flag("auto", "auto: go on with what an interrupted run of this output left")
    seed: int = flag(42, "of the weights, the order of the pairs and the crops")
    dry_run: bool = flag(False, "check everything, print the plan, and stop")


@dataclass(frozen=True)
class AlignResult:
    path: Path
    interrupted: bool = False


def check(config: AlignConfig) -> Path:
    """The output folder; UserError for settings that cannot be meant."""
    if not config.output:
        raise UserError("--output: name the folder of the new model.")
    if not config.data and not config.dictionaries:
        raise UserError("--data: name the folder of the pairs, .tsv files with lang1, lang2, text1 and text2.")
    if Path(config.output).exists():
        raise UserError(f"--output {config.output} exists already. Name another folder.")
    if not config.static_pairs and not (config.start and config.layers):
        raise UserError("--static-pairs 0: a transformer then begins with a static model as it is; name it by --start.")
    if config.layers and config.pairs < config.batch and not config.minutes:
        raise UserError(f"--pairs {config.pairs} do not fill one --batch of {config.batch}.")
    _check_numbers(config)
    return Path(config.output)


def _check_numbers(config: AlignConfig) -> None:
    if config.layers and config.hidden % config.heads:
        raise UserError(f"--hidden {config.hidden} does not divide among --heads {config.heads}.")
    if config.max_tokens and not 3 <= config.max_tokens <= config.window:
        raise UserError(f"--max-tokens {config.max_tokens}: expected 3 to --window, which is {config.window}.")
    for name in ("hard", "crops", "long_crops", "questions", "passages", "static_crops", "start_share"):
        if not 0 <= getattr(config, name) <= 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(config, name):g}: expected a share, 0 to 1.")
    if not 0 < config.tail <= 1:
        raise UserError(f"--tail {config.tail:g}: expected a share above 0, up to 1.")
    if config.reach < 0:
        raise UserError(f"--reach {config.reach:g}: expected 0 or more.")
    for name in ("static_batch", "batch", "group", "reach_pairs"):
        if getattr(config, name) < 2:
            raise UserError(f"--{name.replace('_', '-')} {getattr(config, name)}: expected 2 or more.")


def check_sources(config: AlignConfig, names: Sequence[str]) -> dict[str, float]:
    """How often each source is drawn, beside one of weight 1; held-out sources have 0."""
    weights = dict.fromkeys(names, 1.0)
    for specification in config.weights:
        name, _, value = specification.partition("=")
        try:
            weights[_known(name, names, "--weights")] = float(value)
        except ValueError:
            raise UserError(f"--weights {specification}: write SOURCE=WEIGHT, for example {names[0]}=0.3.") from None
        if not 0 <= weights[name] <= 100:
            raise UserError(f"--weights {specification}: expected 0 to 100.")
    for name in config.hold_out:
        weights[_known(name, names, "--hold-out")] = 0.0
    if not any(weights.values()):
        raise UserError("every source is held out or has weight 0: there is nothing to train on.")
    return weights


def _known(name: str, names: Sequence[str], option: str) -> str:
    if name not in names:
        raise UserError(f"{option} {name}: there is no such source. There are {', '.join(names)}.")
    return name
