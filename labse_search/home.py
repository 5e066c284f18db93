"""The home folder: for its owner's eyes only, and told apart from every other home.

Everything of a library lies in it: originals, the ledger, the embedded store, uploads, logs. Other accounts of the
computer must not read any of that, so the folder has mode 0700, beside the umask that entry points set (settings.py).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from pathlib import Path

from labse_search.errors import UserError
from labse_search.files import write_private_once

IDENTITY = "home-id"
# The folders and files that a ledger, a store, settings and tunings name by their path. Each is named by chance, by its
# content or by a fingerprint, so that no two homes have different ones of a name.
_OWN = re.compile(
    r"(?:^|[/\\])(tuned[/\\]\d{8}-\d{6}-[0-9a-f]{6}|models[/\\][0-9a-f]{32}|uploads[/\\]staged-[0-9a-f]{32}"
    r"|originals[/\\][0-9a-f]{2}[/\\][0-9a-f]{32})((?:[/\\].*)?)$",
    re.DOTALL,
)
OURS = (IDENTITY, "ledger.sqlite3", "settings.json", "users.json", "page-token")  # one of them tells a home


def open_home(home: Path) -> Path:
    """The folder, made if it was not there, closed to other accounts if it was open to them. UserError if it cannot be
    made or written."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        if os.name == "posix":
            _close(home)
        if not os.access(home, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(
            f"{home} cannot be written ({error.strerror}). Choose another folder with LABSE_HOME or --store."
        ) from error
    return home


def _close(home: Path) -> None:
    """For its owner alone; a folder in which other things lie stays as it is, say a shared one that was named here."""
    status = home.stat()
    if not status.st_mode & 0o077 or status.st_uid != os.getuid():
        return
    if any((home / name).exists() for name in OURS) or not any(home.iterdir()):
        home.chmod(stat.S_IMODE(status.st_mode) & 0o700)


def home_id(home: Path) -> str:
    """Which home this is, as 32 hex digits that no other home has: what it signs its collections on a server with. Made
    when first asked for; a backup does not carry it, so a restored library is a home of its own. UserError if the file
    says something else."""
    path = open_home(home) / IDENTITY
    if not path.exists():
        write_private_once(path, secrets.token_hex(16).encode())  # of several processes the first one's counts
    known = path.read_bytes().strip()
    if not re.fullmatch(rb"[0-9a-f]{32}", known):
        raise UserError(
            f"{path} is damaged: it should say in 32 hex digits which home this is. Put it back from a copy, or delete "
            "it: a new one is made then, and collections on a Qdrant server are made this home's again by: "
            "python -m labse_search.library take-over --collection NAME"
        )
    return known.decode()


def at_home(home: Path, path: str) -> str:
    """Where a model or file lies now whose path was written down when this home lay elsewhere, or in the home that this
    one is a copy of. Every other path or name stays as it is."""
    found = _OWN.search(path)
    if found is None:
        return path
    own, inside = (re.split(r"[/\\]", part) for part in found.groups())
    here = home.joinpath(*own)
    if path.startswith(str(here)) or not os.path.lexists(here):
        return path
    return str(here.joinpath(*inside))
