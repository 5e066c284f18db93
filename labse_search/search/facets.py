"""What the found passages would be under other filters, so that a person sees what each choice would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, get_args

from labse_search.records import Filter, StoredSegment

Group = Literal["languages", "kinds", "folders", "added"]
GROUPS: tuple[Group, ...] = get_args(Group)
Pools = Mapping[Group, tuple[StoredSegment, ...]]


def lifted(where: Filter, group: Group) -> Filter:
    """The filter without what it says of one group: who chose German still sees what there is in Russian."""
    if group == "languages":
        return replace(where, languages=())
    if group == "kinds":
        return replace(where, kinds=())
    if group == "folders":
        return replace(where, folders=())
    return replace(where, added_after=None, added_before=None)


def chosen(where: Filter) -> tuple[Group, ...]:
    """The groups that the filter says something of."""
    return tuple(group for group in GROUPS if lifted(where, group) != where)
