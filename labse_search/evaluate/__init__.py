"""How good a model is, in numbers that others publish too: Tatoeba, BUCC, UN, retrieval, and pairs of your own.

`pairs` and `metrics` hold the arithmetic (numpy only); `tatoeba`, `bucc`, `un`, `retrieval` and `xquad` know one task
each; `__main__` is the command. Everything is encoded through an `Encoder`, so the fast path is what is measured.
"""

from labse_search.evaluate.pairs import Interval, PairAccuracy, pair_accuracy, paired_bootstrap

__all__ = ["Interval", "PairAccuracy", "pair_accuracy", "paired_bootstrap"]
