"""Whether a text holds a phrase: the same words next to each other in the same order, however each of them is written.

Both are read as steps from one place to a later one. A word with several parts, or a form beside them, gives several
ways: e-mail leads from 0 to 1 as "e", from 1 to 2 as "mail", and from 0 to 2 as "email". The text holds the phrase if
some way through the text says the same as some way through the phrase.
"""

from __future__ import annotations

from collections.abc import Sequence

from labse_search.store.folding import letters_of, split

Steps = list[dict[str, int]]  # at each place: what may be read there → the place behind it
_END = "."  # marks the last letter of several; no word has it


def text_steps(text: str) -> Steps:
    """The ways through a text in which a phrase is looked for."""
    steps: Steps = []
    for parts, forms in split(text):
        first, letters = len(steps), letters_of(parts)
        if not letters:
            _add(steps, parts, forms)
        for at, (letter, pair) in enumerate(zip(letters, (*parts, ""), strict=False), first + 1):
            steps.append({letter: at, letter + _END: at, pair: at})
            # A Korean word of one syllable is the beginning of one.
            if at > first + 1 and "\uac00" <= letter <= "\ud7a3":
                del steps[-1][letter]
    return steps


def phrase_steps(phrase: str) -> Steps:
    """The ways through a phrase. In scripts without spaces its words may stand inside a longer run."""
    steps: Steps = []
    for parts, forms in split(phrase):
        letters = letters_of(parts)
        # Pairs of neighbours say that no full stop is between them.
        _add(steps, (*parts, letters[-1] + _END) if len(letters) > 1 else parts, forms)
    return steps


def leads(text: Steps, phrase: Steps) -> bool:
    """Whether a way through the whole phrase is found somewhere in the text."""
    reached: list[set[int]] = [set(range(len(text))), *(set() for _ in phrase)]  # places of the text, by the phrase's
    for ways, places in zip(phrase, reached, strict=False):
        for said, behind in ways.items():
            reached[behind].update(text[at][said] for at in places if at < len(text) and said in text[at])
    return bool(reached[-1])


def _add(steps: Steps, parts: Sequence[str], forms: Sequence[str]) -> None:
    first = len(steps)
    steps += [{part: first + at} for at, part in enumerate(parts, 1)]
    for form in forms:
        steps[first][form] = first + len(parts)
