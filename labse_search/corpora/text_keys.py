"""When two texts count as the same one: for duplicates, for the dev split, and for what is never a negative."""

from __future__ import annotations

import hashlib
import unicodedata


def text_key(text: str) -> int:
    """The same number, 0 … 2⁶³ − 1, for texts that differ only in case, spacing or punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    letters = "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")
    digest = hashlib.blake2b((letters or folded.strip()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
