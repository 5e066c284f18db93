"""Lines of text files, packed or not: UTF-8, ended by LF or CR LF and by nothing else."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from labse_search.errors import UserError

PACKINGS = ("", ".xz", ".gz", ".bz2")


def read_lines(path: Path) -> Iterator[str]:
    """The lines without their ends, unpacked if the name ends in .gz, .xz or .bz2. UserError with the file's name when
    it is missing, damaged or not UTF-8.

    U+2028, U+0085, a form feed or a lone CR are part of a line: `wc -l` and the tools that made line-aligned files
    count them so.
    """
    with opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n") as lines:
        for line in lines:
            yield line.rstrip("\r\n")


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked. What goes wrong while they are read becomes a UserError."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    try:
        with _open(path) as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 ({error.reason}). Save it as UTF-8.") from error
    except (EOFError, lzma.LZMAError, zlib.error, OSError) as error:
        raise UserError(f"{path} is damaged or cannot be read ({error}). Copy or pack it again.") from error


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """(line number from 1, value) of each line that is not empty."""
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except json.JSONDecodeError as error:
                raise wrong_line(path, number, f"no JSON ({error.msg})") from error


def packed(path: Path) -> Path:
    """The file of that name, packed or not. UserError when there is none."""
    for ending in PACKINGS:
        candidate = path.with_name(path.name + ending)
        if candidate.is_file():
            return candidate
    raise UserError(f"{path} is missing (looked for {', '.join(path.name + ending for ending in PACKINGS)})")


def suffixes(path: Path) -> list[str]:
    """The endings of the name in lower case, without dots and without that of a packing."""
    return [suffix.lower().lstrip(".") for suffix in path.suffixes if suffix.lower() not in PACKINGS]


def wrong_line(path: Path, number: int, problem: str) -> UserError:
    """What to raise for a line that cannot be read."""
    return UserError(f"{path}, line {number}: {problem}.")


def one_line(text: str) -> str:
    """The text as one cell of a table: white space of any kind and length is one space."""
    return " ".join(text.split())


def _open(path: Path) -> IO[bytes]:
    openers = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
    opener: Any = openers.get(path.suffix.lower(), open)
    return cast(IO[bytes], opener(path, "rb"))
