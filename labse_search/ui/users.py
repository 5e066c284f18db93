"""Who may sign in when the page listens on more than this computer.

`users.json` in the home maps a name to a scrypt hash; `python -m labse_search.ui add-user NAME` writes it.

A wrong password costs as much time as a right one. Five for a name close that name for a quarter of an hour, but only
for the address that they came from: were it closed for all, anybody could keep its owner out. Twenty, whatever the
names, close the address, since every one of them makes others wait for a third of a second. Names that nobody has are
counted and closed like those that somebody has, so neither time nor answer tells one from the other. The price:
whoever has many addresses has as many tries, which the cost of a hash and the length of a password must outweigh; and
people behind one address (a router, a proxy that uvicorn's FORWARDED_ALLOW_IPS does not name) can close it for one
another.
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
MIN_PASSWORD, MAX_NAME = 10, 64
TRIES, ADDRESS_TRIES, CLOSED_SECONDS = 5, 20, 15 * 60


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
    if not name.strip() or len(name) > MAX_NAME:
        raise UserError(f"A name has 1 to {MAX_NAME} characters.")
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
    """Called with a name, a password and the address they came from; whether they fit and none of the others is
    closed."""

    users: dict[str, str]
    clock: Callable[[], float] = time.monotonic
    _failures: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # by name and line, of any name
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, name: str, password: str, address: str = "") -> bool:
        # Nobody's name is longer: such names may share a count, and do not fill the memory.
        tried = (name[: MAX_NAME + 1], line_of(address))
        with self._lock:  # one at a time: scrypt takes 128 MB, and guessing in parallel must not pay
            if self._is_closed(*tried):
                return False
            # A name that nobody has is compared too, with a hash that it does not fit: the time tells nothing.
            stored = self.users.get(name)
            fits = password_fits(password, stored or next(iter(self.users.values()))) and stored is not None
            if fits:
                self._failures.pop(tried, None)
            else:
                self._failures.setdefault(tried, []).append(self.clock())
            return fits

    def _is_closed(self, name: str, line: str) -> bool:
        """Whether the name is closed for that line, or the line for all names. Old failures are forgotten here; there
        are never many, since each took the time of a hash."""
        first = self.clock() - CLOSED_SECONDS
        recent = {tried: [moment for moment in at if moment > first] for tried, at in self._failures.items()}
        self._failures = {tried: at for tried, at in recent.items() if at}
        of_line = sum(len(at) for tried, at in self._failures.items() if tried[1] == line)
        return len(self._failures.get((name, line), ())) >= TRIES or of_line >= ADDRESS_TRIES


def line_of(address: str) -> str:
    """What one party has for sure: an IPv4 address, or the 2^64 addresses of an IPv6 network (RFC 6177)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # a test, or a server behind a socket
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(found), 64), strict=False))
