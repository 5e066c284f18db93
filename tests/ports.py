"""Where something may listen on this computer."""

from __future__ import annotations

import socket


def free_port() -> int:
    """Of this computer, which nobody listens at just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
