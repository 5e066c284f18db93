"""python -m labse_search.ui add-user NAME : let somebody sign in when the page listens on more than this computer."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from labse_search.errors import UserError
from labse_search.settings import Settings
from labse_search.ui.users import add_user, users_file


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m labse_search.ui", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add-user", help="add a person, or give one a new password")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    arguments = parser.parse_args()
    try:
        settings = Settings.from_env(os.environ)
        add_user(settings.home, arguments.name, _password(from_stdin=arguments.password_stdin))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{arguments.name} may sign in; the hash of the password is in {users_file(settings.home)}")
    return 0


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise UserError("The two passwords differ.")
    return password


if __name__ == "__main__":
    sys.exit(main())
