"""python -m labse_search.ui add-user|remove-user NAME : who may sign in when others can reach the page."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from labse_search.errors import UserError, quiet_when_unread, told
from labse_search.settings import Settings, write_privately
from labse_search.ui.users import add_user, remove_user, users_file


@quiet_when_unread
def main() -> int:
    """Exit status: 0 done, 2 something a person can mend."""
    write_privately()
    parser = argparse.ArgumentParser(prog="python -m labse_search.ui", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add-user", help="add a person, or give one a new password")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    remove = commands.add_parser("remove-user", help="remove a person; the sessions end at once")
    remove.add_argument("name", metavar="NAME")
    arguments = parser.parse_args()
    try:
        settings = Settings.from_env(os.environ)
        if arguments.command == "remove-user":
            remove_user(settings.home, arguments.name)
            print(f"{arguments.name} may no longer sign in")
            return 0
        add_user(settings.home, arguments.name, _password(from_stdin=arguments.password_stdin))
    except (UserError, OSError) as error:
        print(f"error: {told(error)}", file=sys.stderr)
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
