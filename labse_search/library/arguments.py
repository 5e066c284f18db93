"""What can be asked of `python -m labse_search.library`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLE = "example: python -m labse_search.library check --full && python -m labse_search.library backup notes.tar"


def parser() -> argparse.ArgumentParser:
    """One subcommand for each thing that can be done; `command` holds its name."""
    whole = argparse.ArgumentParser(
        prog="python -m labse_search.library", description="Look after what was indexed.", epilog=EXAMPLE
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--store", metavar="DIR|URL", help="folder of an embedded store, or URL of a Qdrant server")
    common.add_argument("--collection", metavar="NAME", help="which collection (default: documents)")
    commands = whole.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[common])

    command("list", "the documents of the collection").add_argument("--json", action="store_true")
    check = command("check", "verify store, ledger and originals; exit status 1 if something is wrong")
    check.add_argument("--full", action="store_true", help="read every segment and every original, not only counts")
    check.add_argument("--repair", action="store_true", help="rebuild what is wrong from the originals")
    check.add_argument(
        "--discard-unknown", action="store_true", help="delete passages that this home does not know, after asking"
    )
    check.add_argument("--yes", action="store_true", help="do not ask")
    check.add_argument("--json", action="store_true")
    command("take-over", "from now on this home changes the collection on the server, not the home that made it")
    backup = command("backup", "everything in one file")
    backup.add_argument("file", type=Path)
    backup.add_argument(
        "--without-models",
        action="store_true",
        help="leave out the weights of models that were tuned or lie in a folder of this computer",
    )
    command("restore", "read a backup into a new --store folder").add_argument("file", type=Path)
    export = command("export", "the collection as JSON lines")
    export.add_argument("file", type=Path, nargs="?", help="default: the terminal")
    export.add_argument("--generation", type=int, metavar="N", help="default: the one that answers")
    export.add_argument("--vectors", action="store_true", help="with the vectors")
    means = "a name, a folder, or a pattern such as 'notes/*.txt'"
    remove = command("remove", "take documents out; `undo` puts them back")
    remove.add_argument("names", nargs="+", metavar="NAME", help=means)
    undo = command("undo", "put removed documents back")
    undo.add_argument("names", nargs="+", metavar="NAME", help=means)
    command("forget", "erase removed documents for good")
    reembed = command(
        "reembed", "build the next generation of the collection, by another model, beside the one that answers"
    )
    reembed.add_argument("--model", metavar="NAME|PATH", required=True, help="the model to embed with")
    reembed.add_argument("--switch", action="store_true", help="let it answer as soon as it is whole")
    command("generations", "the collection's generations and their models").add_argument("--json", action="store_true")
    switch = command("switch", "let another generation answer, at once; the one before is kept")
    switch.add_argument("number", type=int)
    command("drop", "free the room of a generation that does not answer").add_argument("number", type=int)
    command("rename", "give the collection another name").add_argument("name")
    merge = command("merge", "bring its documents into another collection of the same model, and erase it")
    merge.add_argument("into", metavar="COLLECTION")
    delete = command("delete", "erase the whole collection with its documents and originals, after asking")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    return whole
