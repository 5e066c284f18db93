"""A text as its words, numbers and the signs that carry meaning: what two copies have in common, and nothing else has.

Case, width, spacing and ordinary punctuation are folded: quotes, commas, full stops, dashes between words. Accents
stay, and so does each sign that makes another text where it stands: -x, !locked, (500), 500-, 12″, 20 %, a question
mark.
"""

from __future__ import annotations

import functools
from unicodedata import normalize

import regex

from labse_search.store.folding import UNSPACED, UNSPACED_BEYOND

_INVISIBLE = regex.compile(r"[\p{Cf}\u034f\ufe00-\ufe0f]+")
# One sign for all that are typed for each other: apostrophes, quotation marks, hyphens.
_ALIKE = str.maketrans(dict.fromkeys("‘’‚‛‹›׳", "'") | dict.fromkeys("“”„‟«»״", '"') | dict.fromkeys("‐‑", "-"))

_OF_A_WORD = r"[\p{L}\p{M}\p{N}]"
_UNSPACED = rf"(?={_OF_A_WORD})[{UNSPACED}{UNSPACED_BEYOND}]\p{{M}}*"  # each letter with its marks is a token
_LETTER = rf"(?![{UNSPACED}{UNSPACED_BEYOND}]){_OF_A_WORD}"  # or digit, of all other scripts
# Punctuation that is read aloud or is part of a formula or a program, unlike quotes, commas and full stops.
_ALWAYS = r"%‰‱٪؉؊#\&@§*/\\(){}\[\]?؟՞፧†‡‖′‵"
# What carries meaning where it stands, and nowhere else.
_INSIDE = (  # of a word or a number: he'll, user_name, 3.5, 1990-1995, COVID-19
    rf"(?<=[\p{{L}}\p{{M}}])['\"](?=\p{{L}})|_+|(?<=\p{{Nd}})[\p{{P}}--[{_ALWAYS}]]+(?=\p{{Nd}})|-(?=\p{{Nd}})"
)
_NOT_AFTER = rf"(?<!{_OF_A_WORD}|[)\]}}])"
_BEFORE = rf"(?=[-!.,]){_NOT_AFTER}(?:(?<!-)-{{1,2}}|(?<!!)!++|(?<!\.)\.|,(?=\p{{Nd}}))"  # -x, --force, !locked, .5
_BEHIND = rf"_+|(?<=\p{{Nd}})-(?!{_OF_A_WORD})"  # 500-
_SIGN = (
    rf"[^\p{{P}}\p{{Z}}\p{{C}}\p{{L}}\p{{M}}\p{{N}}]|[{_ALWAYS}]"  # $ + = < and all symbols
    r"|-(?=\s*\p{Nd})|-(?=[>\p{Sc}(\[])|(?<=<)-|--(?=[;)\]])|[-:](?==)|!(?=\s*=)"
    rf"|!(?=[(\[])(?<!(?:{_OF_A_WORD}|[)\]}}])!)"
)
_TOKEN = regex.compile(
    rf"{_UNSPACED}"
    rf"|(?:{_BEFORE})?(?<!_)_*(?:{_LETTER})+(?:(?:{_INSIDE})(?:{_LETTER})+)*(?:{_BEHIND})?"
    rf"|{_SIGN}",
    regex.V1,
)
_SPACED = regex.compile(_LETTER, regex.V1)
_LONGEST_QUOTE = 200  # characters: a sign that is never closed is not looked for to the end
_POWER = regex.compile(r"(?<=\p{Nd})(?=[\p{No}⁺⁻₊₋])")  # 10² is not 102
_QUOTED = [
    regex.compile(rf"(?<!{_OF_A_WORD}){sign}(.{{0,{_LONGEST_QUOTE}}}?){sign}(?!{_OF_A_WORD})", regex.V1 | regex.DOTALL)
    for sign in "\"'"
]
_PRIME = regex.compile(r"(?<=\p{Nd})(\"|'')(?!\p{L})|(?<=\p{Nd})'(?!\p{L})")
_BETWEEN_DIGITS = regex.compile(r"(?<=\p{Nd})\s*(?:[-−–‒—―]|(:))\s*(?=\p{Nd})")
_DASH_AT_DIGIT = regex.compile(r"[−–‒](?=\p{Nd})|(?<=\p{Nd})[−–‒]")


@functools.lru_cache(maxsize=2048)  # passages that many questions find
def spelling(text: str) -> str:
    """The text with case, width, spacing and punctuation folded, nothing else: equal for copies only."""
    found = tokens(text)
    if not found:
        return even(text)
    return found[0] + "".join(_gap(left, right) + right for left, right in zip(found, found[1:], strict=False))


@functools.lru_cache(maxsize=2048)
def tokens(text: str) -> tuple[str, ...]:
    """Its words, numbers and signs that carry meaning, in order; of a script without spaces its letters."""
    text = even(_POWER.sub("^", text)).translate(_ALIKE)
    for quoted in _QUOTED:  # what then stands behind a digit means feet, inches, minutes or seconds
        text = quoted.sub(r" \1 ", text)
    text = _PRIME.sub(lambda match: "′′" if match[1] else "′", text)
    text = _BETWEEN_DIGITS.sub(lambda match: match[1] or "-", text)
    return tuple(match.group() for match in _TOKEN.finditer(_DASH_AT_DIGIT.sub("-", text)))


def letters(text: str) -> str:
    """Its letters and digits alone: what every text holds that holds its tokens."""
    return "".join(filter(str.isalnum, even(text)))


def even(text: str) -> str:
    """The text with case and width folded and nothing invisible in it."""
    if text.isascii():
        return text.lower().strip()
    plain: str = _INVISIBLE.sub("", normalize("NFKC", text)).lower().strip()
    return plain


def _gap(left: str, right: str) -> str:
    """A space between two words or two numbers; 5 km is 5km."""
    one, other = left.rstrip("-_")[-1:], right.lstrip("!.,_")[:1]
    if not _SPACED.match(one) or not _SPACED.match(other) or one.isdigit() != other.isdigit():
        return ""
    return " "
