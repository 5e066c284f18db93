"""What a person teaches: which pairs are translations, which passages answer a question.

`Teaching` is the file where it lies, beside the ledger. `pairs` is the review list, `precision` what it says of the
pairs nobody looked at, `judgements` a person's own test set and training pairs.
"""

from labse_search.teach.judgements import Judgement, Judgements, Question, Split, passage_name, split_of
from labse_search.teach.pairs import PairRow, Pairs, Verdict
from labse_search.teach.precision import Estimate, estimate_precision
from labse_search.teach.state import Teaching

__all__ = [
    "Estimate",
    "Judgement",
    "Judgements",
    "PairRow",
    "Pairs",
    "Question",
    "Split",
    "Teaching",
    "Verdict",
    "estimate_precision",
    "passage_name",
    "split_of",
]
