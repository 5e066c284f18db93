"""Where something may listen on this computer."""

from __future__ import annotations

import os
import socket
import sys


def free_port() -> int:
    """Of this computer, which nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def own_host() -> str:
    """An address of this computer where no other process listens, whatever the port: other runs of the tests use the
    same ports. The usual one where the system has no other."""
    number = os.getpid()
    return "127.0.0.1" if sys.platform == "darwin" else f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
