"""Who may sign in when the page listens on more than this computer.

`users.json` in the home maps a name to a scrypt hash; `python -m labse_search.ui add-user NAME` writes it. A wrong
password costs as much time as a right one, and five of them in a row close the name for a quarter of an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labse_search.errors import UserError
from labse_search.settings import Settings

# RFC 7914 with the cost OWASP's password storage sheet gives for scrypt: 2^17 x 8 takes 128 MB and about 0.3 s.
COST, BLOCK, PARALLEL = 2**17, 8, 1
MAX_MEMORY = 256 << 20
MIN_PASSWORD = 10
TRIES, LOCKED_SECONDS = 5, 15 * 60


def is_loopback(host: str) -> bool:
    """Whether nothing but this computer can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_address(settings: Settings) -> SignIn | None:
    """None for a loopback address; else who may sign in. UserError if that is nobody."""
    if is_loopback(settings.host):
        return None
    users = load_users(settings.home)
    if not users:
        raise UserError(
            f"LABSE_HOST is {settings.host}: everybody who can reach this computer could read your documents. "
            "Say first who may sign in: python -m labse_search.ui add-user NAME. "
            "Or leave LABSE_HOST at 127.0.0.1."
        )
    return SignIn(users)


def users_file(home: Path) -> Path:
    return home / "users.json"


def load_users(home: Path) -> dict[str, str]:
    """Name → hash. UserError for a file that cannot be understood."""
    try:
        users = json.loads(users_file(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{users_file(home)} is not readable as JSON. Restore it, or add the users again.") from error
    return {str(name): str(value) for name, value in users.items()}


def add_user(home: Path, name: str, password: str) -> None:
    """Write or replace one user. UserError for a name or password that will not do."""
    if not name.strip() or len(name) > 64:
        raise UserError("A name has 1 to 64 characters.")
    if len(password) < MIN_PASSWORD:
        raise UserError(f"A password has at least {MIN_PASSWORD} characters; this one has {len(password)}.")
    users = load_users(home) | {name.strip(): hash_password(password)}
    home.mkdir(parents=True, exist_ok=True)
    beside = users_file(home).with_suffix(".part")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(users, file, indent=1)
    os.replace(beside, users_file(home))


def hash_password(password: str, salt: bytes | None = None, *, cost: int = COST) -> str:
    """ "scrypt$cost$salt$hash", both in hexadecimal."""
    salt = salt or secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=cost, r=BLOCK, p=PARALLEL, maxmem=MAX_MEMORY, dklen=32)
    return f"scrypt${cost}${salt.hex()}${key.hex()}"


def password_fits(password: str, stored: str) -> bool:
    kind, cost, salt, _ = stored.split("$")
    if kind != "scrypt":
        raise UserError(f"A password in users.json has the unknown kind {kind!r}. Add that user again.")
    return hmac.compare_digest(hash_password(password, bytes.fromhex(salt), cost=int(cost)), stored)


@dataclass
class SignIn:
    """Called with a name and a password; whether they fit and the name is not closed."""

    users: dict[str, str]
    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, list[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, name: str, password: str) -> bool:
        with self._lock:  # one at a time: scrypt takes 128 MB, and guessing in parallel must not pay
            known = name in self.users
            counted = name if known else ""  # names that nobody has share one counter, so the table stays small
            if self.is_locked(counted):
                return False
            # An unknown name is compared too, with a hash that fits nothing: the time tells nothing.
            fits = password_fits(password, self.users.get(name) or next(iter(self.users.values()))) and known
            if fits:
                self._failures.pop(counted, None)
            else:
                self._failures.setdefault(counted, []).append(self.clock())
            return fits

    def is_locked(self, name: str) -> bool:
        recent = [moment for moment in self._failures.get(name, []) if self.clock() - moment < LOCKED_SECONDS]
        self._failures[name] = recent
        return len(recent) >= TRIES
