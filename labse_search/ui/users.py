"""Who may sign in when the page listens on more than this computer.

`users.json` in the home maps a name to a scrypt hash; `python -m labse_search.ui add-user NAME` writes it.

A wrong password costs as much time as a right one. Five for a name close that name for a quarter of an hour, but only
for the address that they came from: were it closed for all, anybody could keep its owner out. Twenty, whatever the
names, close the address, since every one of them makes others wait for a third of a second. Names that nobody has are
counted and closed like those that somebody has, so neither time nor answer tells one from the other. The price:
whoever has many addresses has as many tries, which the cost of a hash and the length of a password must outweigh; and
people behind one address (a router, a proxy that LABSE_PROXIES does not name) can close it for one another.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from labse_search.errors import UserError
from labse_search.files import write_private
from labse_search.settings import Settings

# RFC 7914 with the cost OWASP's password storage sheet gives for scrypt: 2^17 x 8 takes 128 MB and about 0.3 s.
COST, BLOCK, PARALLEL = 2**17, 8, 1
MAX_MEMORY = 256 << 20
MIN_PASSWORD, MAX_NAME = 10, 64
_HASH = re.compile(r"scrypt\$\d{1,6}\$(?:[0-9a-f]{2}){1,64}\$[0-9a-f]{64}")
TRIES, ADDRESS_TRIES, CLOSED_SECONDS = 5, 20, 15 * 60

log = logging.getLogger("labse_search.ui")


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
    users = Users(settings.home)
    if not users.current():
        raise UserError(
            f"LABSE_HOST is {settings.host}: everybody who can reach this computer could read your documents. "
            "Say first who may sign in: python -m labse_search.ui add-user NAME. "
            "Or leave LABSE_HOST at 127.0.0.1."
        )
    return SignIn(users)


class Users:
    """The people of users.json, read again whenever the file changes: who was removed is out at once."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._people: dict[str, str] = {}

    def current(self) -> dict[str, str]:
        """Name → hash. UserError for a file that cannot be understood."""
        with self._lock:
            try:
                state = users_file(self._home).stat()
            except FileNotFoundError:
                self._seen, self._people = None, {}
                return {}
            now = (state.st_mtime_ns, state.st_size, state.st_ino)
            if now != self._seen:
                self._people = load_users(self._home)
                self._seen = now
            return self._people


def users_file(home: Path) -> Path:
    """Where names and hashes of passwords lie."""
    return home / "users.json"


def load_users(home: Path) -> dict[str, str]:
    """Name → hash. UserError for a file that cannot be understood."""
    damaged = f"{users_file(home)} is damaged. Restore it from a backup, or delete it and add the users again."
    try:
        users = json.loads(users_file(home).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(damaged) from error
    if not isinstance(users, dict) or not all(isinstance(one, str) and _HASH.fullmatch(one) for one in users.values()):
        raise UserError(damaged)
    return users


def add_user(home: Path, name: str, password: str) -> None:
    """Write or replace one user. UserError for a name or password that will not do."""
    if not name.strip() or len(name) > MAX_NAME:
        raise UserError(f"A name has 1 to {MAX_NAME} characters.")
    if len(password) < MIN_PASSWORD:
        raise UserError(f"A password has at least {MIN_PASSWORD} characters; this one has {len(password)}.")
    _write(home, load_users(home) | {name.strip(): hash_password(password)})


def remove_user(home: Path, name: str) -> None:
    """UserError if nobody is called that. The person's sessions end with the next request."""
    users = load_users(home)
    if users.pop(name.strip(), None) is None:
        known = ", ".join(sorted(users)) or "nobody"
        raise UserError(f"There is no user {name}. Those who may sign in: {known}.")
    _write(home, users)


def _write(home: Path, users: dict[str, str]) -> None:
    home.mkdir(parents=True, exist_ok=True)
    write_private(users_file(home), json.dumps(users, indent=1).encode())


def hash_password(password: str, salt: bytes | None = None, *, cost: int = COST) -> str:
    """ "scrypt$cost$salt$hash", both in hexadecimal."""
    salt = salt or secrets.token_bytes(16)
    key = hashlib.scrypt(password.encode(), salt=salt, n=cost, r=BLOCK, p=PARALLEL, maxmem=MAX_MEMORY, dklen=32)
    return f"scrypt${cost}${salt.hex()}${key.hex()}"


def password_fits(password: str, stored: str) -> bool:
    """UserError for a hash of a cost that scrypt does not know, or would take all memory for."""
    _, cost, salt, _ = stored.split("$")  # load_users has looked at its form
    try:
        return hmac.compare_digest(hash_password(password, bytes.fromhex(salt), cost=int(cost)), stored)
    except ValueError as error:
        raise UserError("users.json holds a hash that scrypt cannot compute. Add that user again.") from error


@dataclass
class SignIn:
    """Called with a name, a password and the address they came from; whether they fit and none of the others is
    closed."""

    users: Users
    clock: Callable[[], float] = time.monotonic
    _failures: dict[tuple[str, str], list[float]] = field(default_factory=dict)  # by name and line, of any name
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, name: str, password: str, address: str = "") -> bool:
        # Nobody's name is longer: such names may share a count, and do not fill the memory.
        tried = (name[: MAX_NAME + 1], line_of(address))
        with self._lock:  # one at a time: scrypt takes 128 MB, and guessing in parallel must not pay
            if self._is_closed(*tried):
                return False
            try:
                fits = self._fits(name, password)
            except UserError as error:  # the guard answers others with a sentence; here nobody fits
                log.warning("%s", error)
                return False
            if fits:
                self._failures.pop(tried, None)
            else:
                self._failures.setdefault(tried, []).append(self.clock())
            return fits

    def _fits(self, name: str, password: str) -> bool:
        users = self.users.current()
        # A name that nobody has is compared too, with a hash that it does not fit: the time tells nothing.
        stored = users.get(name)
        compared = stored or next(iter(users.values()), None)
        return compared is not None and password_fits(password, compared) and stored is not None

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
