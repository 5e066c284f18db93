"""Questions in, hits out: meaning and words searched apart, fused by rank, grouped, explained.

`Searcher` receives the store, the encoder and a language identifier; it owns none of them.
"""

from labse_search.search.searcher import Answer, Searcher

__all__ = ["Answer", "Searcher"]
