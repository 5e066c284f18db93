"""Command lines made from dataclasses: the fields are the flags, their help is the documentation."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from typing import Any


def flag(default: Any, help_text: str) -> Any:
    """A dataclass field that `parser` makes a flag of."""
    return dataclasses.field(default=default, metadata={"help": help_text})


_METAVARS = {int: "N", float: "NUMBER", str: "VALUE"}


def parser(config: type, prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A command line with one flag for each field of a configuration dataclass."""
    command = argparse.ArgumentParser(
        prog=prog, description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for setting in dataclasses.fields(config):
        name = "--" + setting.name.replace("_", "-")
        default, help_text = setting.default, setting.metadata["help"]
        if isinstance(default, bool):
            command.add_argument(name, action=argparse.BooleanOptionalAction, default=default, help=help_text)
        elif isinstance(default, tuple):
            kind = type(default[0]) if default else str
            command.add_argument(name, nargs="+", type=kind, default=default, help=help_text, metavar=_METAVARS[kind])
        elif str(setting.type).startswith("Literal"):
            choices = [word.strip(" '\"") for word in str(setting.type)[8:-1].split(",")]
            command.add_argument(name, choices=choices, default=default, help=f"{help_text} (default {default})")
        else:
            shown = f"{help_text} (default {default})" if default != "" else help_text
            kind = type(default)
            command.add_argument(name, type=kind, default=default, help=shown, metavar=_METAVARS[kind])
    return command


def from_flags(config: type[Any], values: Mapping[str, Any]) -> Any:
    """The dataclass from what argparse read."""
    return config(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
