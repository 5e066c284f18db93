"""Translations found in texts that nobody aligned: two corpora in, pairs with a score out.

corpus → encode → neighbours (exact, both directions) → margin → retrieval → filters → threshold → pairs.tsv
"""

from labse_search.mine.margin import Mined, mine_pairs
from labse_search.mine.threshold import Quality, Tuned, quality, tune_threshold

__all__ = ["Mined", "Quality", "Tuned", "mine_pairs", "quality", "tune_threshold"]
