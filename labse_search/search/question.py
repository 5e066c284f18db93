"""What a person typed → what is meant: the text to look for, "quoted phrases" that must stand there, -words that must
not.

The three count in searches by words and by both, and only in short questions: a pasted paragraph has quotes and dashes
of its own. A phrase is a run of folded words (`phrases.py`), so quotes find other capitals, accents and hyphens too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from labse_search.errors import UserError
from labse_search.search.phrases import leads, phrase_steps, text_steps
from labse_search.store.folding import exact_words, words

MOST_CHARACTERS = 20_000  # some ten pages: beyond it somebody pasted a document
SHORT = 200  # characters up to which quotes and minus signs are taken as commands

_MINUS = "-−－"  # as keyboards of Japanese and of mathematics have it, too
# Signs that open and close alike stand between words; the others also where words have no spaces between them.
_QUOTED = re.compile(
    rf'(?<!\w)[{_MINUS}]?(?:"([^"]+)"|＂([^＂]+)＂|”([^”]+)”|»([^»«]+)«)(?!\w)'
    rf"|(?:(?<!\w)[{_MINUS}])?(?:“([^“”]+)”|„([^“”]+)[“”]|«([^»]+)»|「([^」]+)」|『([^』]+)』)"
)
_WITHOUT = re.compile(rf"(?<!\S)[{_MINUS}](?=[^\W\d_])(\S+)")
# Of a passage that spells all words as the question does, against one that only folds to the same: résumé and resume.
EXACT_BONUS = 0.25


@dataclass(frozen=True)
class Question:
    """What is looked for. `text` has neither quotes nor -words."""

    text: str
    phrases: tuple[str, ...] = ()  # must stand in the passage
    without: tuple[str, ...] = ()  # must not

    @property
    def demands(self) -> bool:
        """Whether it restricts what may be found: "in quotes", or -without."""
        return bool(self.phrases or self.without)


def read_question(typed: str, *, commands: bool = True) -> Question:
    """The question that was typed. UserError where nothing can be looked for: no text, no letter or digit, no valid
    Unicode, more than MOST_CHARACTERS, nothing but exclusions."""
    try:
        typed.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError("The question is not valid UTF-8 text. Type it again, or set the terminal to UTF-8.") from None
    text = typed.strip()
    if not text:
        raise UserError("Type a question, a sentence or a paragraph.")
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"The question has {len(text):,} characters; at most {MOST_CHARACTERS:,} can be looked for at once. "
            "Ask with the part that matters, or add the text as a document and use More like this."
        )
    if not any(letter.isalnum() for letter in text):
        raise UserError(f"“{text[:40]}” has no letter and no digit to look for. Type a word, a question or a sentence.")
    if not commands or len(text) > SHORT:
        return Question(text)
    phrases: list[str] = []
    without: list[str] = []

    def take(match: re.Match[str]) -> str:
        quoted, unwanted = next(filter(None, match.groups())), match[0][0] in _MINUS
        (without if unwanted else phrases).append(quoted)
        return "" if unwanted else quoted

    def drop(match: re.Match[str]) -> str:
        without.append(match[1])
        return ""

    left = " ".join(_WITHOUT.sub(drop, _QUOTED.sub(take, text)).split())
    if without and not left:
        raise UserError("Only words to leave out were given. Type also what to look for.")
    said = [tuple(run for run in runs if words(run)) for runs in (phrases, without)]
    return Question(left if phrases or without else text, *said)


def admits(question: Question) -> Callable[[str], bool]:
    """Whether a passage's text holds every phrase and nothing that it must not."""
    wanted = [phrase_steps(phrase) for phrase in question.phrases]
    unwanted = [phrase_steps(phrase) for phrase in question.without]

    def check(text: str) -> bool:
        there = text_steps(text)
        return all(leads(there, one) for one in wanted) and not any(leads(there, one) for one in unwanted)

    return check


def exactness(question: str) -> Callable[[str], float]:
    """Which share of the question's words stands in a text in their own spelling, accents included, 0..1."""
    asked = exact_words(question)

    def share(text: str) -> float:
        return len(asked & exact_words(text)) / len(asked) if asked else 0.0

    return share
