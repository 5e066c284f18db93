"""What a script of the page sends with an event, read with a type. A browser sent it: anything may be in it.

Each getter gives a value of its kind, or what stands for "nothing" where the event holds something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_NUMBER = 1 << 31  # no place, page, size in kB or limit is larger; engines complain about 10^30 in their own words
MAX_TEXT = 100_000
MAX_LIST = 20_000


class Event:
    """What the page sent: any JSON, of which only what has the expected type is taken."""

    def __init__(self, data: object) -> None:
        self._data: Mapping[str, Any] = data if isinstance(data, dict) else {}

    def text(self, key: str) -> str:
        """Empty for anything but a text of acceptable length."""
        value = self._data.get(key)
        return value if isinstance(value, str) and len(value) <= MAX_TEXT else ""

    def number(self, key: str, most: int = MAX_NUMBER) -> int | None:
        """A whole number from 0 below `most`."""
        return _number(self._data.get(key), most)

    def pair(self, key: str) -> tuple[int, int] | None:
        """Two whole numbers from 0; None for anything else."""
        value = self._data.get(key)
        if not isinstance(value, list) or len(value) != 2:
            return None
        first, second = (_number(one, MAX_NUMBER) for one in value)
        return None if first is None or second is None else (first, second)

    def texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list, other things in it left out."""
        value = self._data.get(key)
        return tuple(one for one in value[:MAX_LIST] if isinstance(one, str)) if isinstance(value, list) else ()

    def events(self, key: str) -> list[Event]:
        """The objects of a list."""
        value = self._data.get(key)
        return [Event(one) for one in value[:MAX_LIST] if isinstance(one, dict)] if isinstance(value, list) else []

    def has(self, key: str) -> bool:
        """Whether the page sent it at all."""
        return key in self._data

    def document(self, key: str = "document") -> str:
        """The id of a document, or ""."""
        value = self.text(key)
        return value if is_document_id(value) else ""


def is_document_id(value: object) -> bool:
    """Whether it is 32 hex digits."""
    return isinstance(value, str) and len(value) == 32 and all(letter in "0123456789abcdef" for letter in value)


def _number(value: object, most: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < most else None
