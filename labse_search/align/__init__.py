"""Two translations of one text, sentence by sentence: which sentences say the same, and which stand alone.

sentences of both → joins of one to four, encoded → the line through both texts (anchors) → beads of n with m sentences
"""

from __future__ import annotations

from collections.abc import Sequence

from labse_search.align.beads import Bead, find_beads
from labse_search.align.joins import make_sides
from labse_search.encoder import Encoder
from labse_search.encoder.texts import Progress

__all__ = ["Bead", "align_sentences"]


def align_sentences(
    encoder: Encoder, source: Sequence[str], target: Sequence[str], *, progress: Progress | None = None
) -> list[Bead]:
    """The alignment of two texts in the order of both; every sentence stands in exactly one bead. Time and memory grow
    with the number of sentences."""
    if not source or not target:
        alone = [Bead(range(i, i + 1), range(0), 0.0) for i in range(len(source))]
        return alone + [Bead(range(0), range(j, j + 1), 0.0) for j in range(len(target))]
    return find_beads(*make_sides(encoder, source, target, progress=progress))
