"""A dev set cut from the pairs, which shares no text with what is trained on; hardly a pair is lost beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from labse_search.corpora.text_keys import text_key
from labse_search.corpora.values import Pair

Keys = tuple[int, int]


def split_dev(pairs: Sequence[Pair], *, fraction: float, at_most: int, seed: int) -> tuple[list[Pair], list[Pair]]:
    """Training pairs and dev pairs; no text of a dev pair stands in any training pair, on either side.

    Whole groups that hang together by their texts go to dev: a sentence in all its languages. Which ones depends on
    the texts and the seed, not on the order of the pairs. Of groups that are too large for it single pairs are taken;
    what shares a text with these is in neither list.
    """
    wanted = min(at_most, round(len(pairs) * fraction))
    # One greeting with a thousand translations would be the whole dev set.
    largest = max(8, wanted // 4)
    keys = [(text_key(pair.source), text_key(pair.target)) for pair in pairs]
    groups = _groups(keys)
    chosen: list[int] = []
    for first in sorted(groups, key=lambda key: text_key(f"{seed} {key}")):
        if len(chosen) >= wanted:
            break
        if len(groups[first]) <= largest:
            chosen += groups[first]
    if len(chosen) < wanted:
        large = [row for rows in groups.values() if len(rows) > largest for row in rows]
        chosen += _single_pairs(large, keys, wanted - len(chosen), largest, seed)
    dev = [pairs[row] for row in chosen]
    return without_texts_of(pairs, dev), dev


def without_texts_of(pairs: Sequence[Pair], dev: Sequence[Pair]) -> list[Pair]:
    """The pairs that share no text with `dev`."""
    held = {text_key(text) for pair in dev for text in (pair.source, pair.target)}
    return [pair for pair in pairs if text_key(pair.source) not in held and text_key(pair.target) not in held]


def _groups(keys: Sequence[Keys]) -> dict[int, list[int]]:
    """The rows that hang together by equal texts, over any number of pairs; by the smallest key of each group."""
    root: dict[int, int] = {}

    def find(key: int) -> int:
        while root.setdefault(key, key) != key:
            root[key] = key = root[root[key]]  # halves the way for the next one
        return key

    for source, target in keys:
        low, high = sorted((find(source), find(target)))
        root[high] = low
    groups: dict[int, list[int]] = {}
    for row, (source, _) in enumerate(keys):
        groups.setdefault(find(source), []).append(row)
    return groups


def _single_pairs(rows: Sequence[int], keys: Sequence[Keys], wanted: int, largest: int, seed: int) -> list[int]:
    """Rows for the dev set whose texts stand in the fewest other pairs, since these are lost; no more rows are lost
    than wanted, and not more than `largest` for one."""
    rows_of: dict[int, list[int]] = {}
    for row in rows:
        for key in keys[row]:
            rows_of.setdefault(key, []).append(row)

    def sharing(row: int) -> Iterator[int]:
        return (other for key in keys[row] for other in rows_of[key])

    def order(row: int) -> tuple[int, int]:
        return sum(len(rows_of[key]) for key in keys[row]), text_key(f"{seed} {keys[row]}")

    chosen: dict[int, None] = {}
    out: set[int] = set()  # of training: chosen, or lost
    for row in sorted(rows, key=order):
        near = set(sharing(row)) - out
        if row in out or len(near) > largest:
            continue
        if len(chosen) >= wanted or len(out | near) - len(chosen) - 1 > wanted:
            break
        out |= near
        chosen[row] = None
        # Of those that are lost now, some cost no further pair.
        chosen.update((other, None) for other in sorted(near) if all(another in out for another in sharing(other)))
    return list(chosen)
