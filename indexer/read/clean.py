"""Text as it is stored: the same words, without what no person reads and what breaks other programs."""

from __future__ import annotations

import re

# Colour codes of terminals, in logs: without them "\x1b[31m" would leave "[31m" behind.
_TERMINAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# Page breaks stand between words; the other controls, non-characters and lone surrogates stand for nothing.
_BREAKS = re.compile("[\x0b\x0c\x1c-\x1f]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1b\x7f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")
# Overrides, embeddings and isolates can show other text than is stored; marks (LRM, RLM) and joiners are spelling.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Where a word may be broken, invisibly: between letters of scripts without spaces that is how words are told apart.
_INSIDE_WORDS = re.compile("[\u00ad\u2060]|(?<![\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u0f00-\u0fff])\u200b(?=\\w)")
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef\ufffe\uffff\ufeff\u00ad\u200b\u2060\ud800-\udfff]"
)


def clean(text: str) -> str:
    """Newlines as \\n, no controls, no lone surrogates, no bidi overrides, nothing unseen inside
    words; the number of lines stays."""
    if _ODD.search(text) is None:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _ODD.search(text) is None:  # most often the lines of Windows were all
        return text
    text = _BREAKS.sub(" ", _TERMINAL.sub("", text))
    return _INSIDE_WORDS.sub("", _BIDI.sub("", _CONTROLS.sub("", text)).replace("\ufeff", ""))


def join_surrogates(text: str) -> str:
    """Characters that were written as two halves become one; a lone half becomes U+FFFD."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def one_line(text: str) -> str:
    """For titles and section names: no newline, single spaces, at most 200 characters."""
    words = " ".join(clean(text).split())
    return words if len(words) <= 200 else words[:199] + "…"
