"""The ladder of the design: imports point down only, in no circle; each heavy package has one place; nothing happens
at import."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [
    {"records", "places", "similarity", "errors", "files", "machine", "home", "settings", "naming", "progress"},
    {"languages", "corpora"},
    {"encoder", "store", "library"},
    {"search", "mine", "trim", "indexer", "align", "teach", "map"},
    {"evaluate"},  # which measures mining and searching
    {"training"},
    {"finetune", "pretrain"},
    {"ui"},
    {"app"},
]
# Rooms of these layers do not know each other. (The indexer is the search's neighbour, and so on.)
APART = [{"encoder", "store", "library"}, {"search", "mine", "trim"}, {"finetune", "pretrain"}]
TRAINS = {"training", "finetune", "pretrain"}
HOMES = {
    "gradio": {"ui"},
    "fastapi": {"ui", "app"},  # the app names its type only
    "qdrant_client": {"store"},
    "qdrant_edge": {"store"},
    "torch": {"encoder", *TRAINS},
    "transformers": {"encoder", *TRAINS},
    "sentence_transformers": {"encoder", *TRAINS},
    "accelerate": TRAINS,
    "datasets": {"finetune"},
    "pypdfium2": {"indexer", "ui"},
    "openTSNE": {"map"},
}


def modules() -> list[tuple[Path, str]]:
    """(file, room) of all product code, commands included. The package's own names are imported when they are used."""
    files = [*ROOT.glob("labse_search/**/*.py"), *ROOT.glob("indexer/**/*.py")]
    rooms = []
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts != ("labse_search", "__init__"):
            rooms.append((file, parts[0] if parts[0] == "indexer" else parts[1]))
    return rooms


@functools.cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@functools.cache
def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room_of(name: str) -> str:
    """The room of an imported module of this project, else nothing."""
    parts = name.split(".")
    if parts[0] == "labse_search" and len(parts) > 1:
        return parts[1]
    return "indexer" if parts[0] == "indexer" else ""


def height(room: str) -> int:
    return next((level for level, rooms in enumerate(LAYERS) if room in rooms), -1)


def test_every_module_has_a_layer() -> None:
    unknown = {room for _, room in modules() if height(room) < 0} - {"__init__"}
    assert not unknown


def test_imports_point_down_only() -> None:
    wrong = []
    for file, room in modules():
        # A command may stand on the flows: `python -m labse_search.library` checks and repairs by the indexer.
        own = max(height(room), height("indexer")) if file.stem == "__main__" else height(room)
        for name in imports(file):
            other = room_of(name)
            above = height(other) > own
            apart = other != room and own == height(room) and any({room, other} <= rooms for rooms in APART)
            if height(other) >= 0 and (above or apart):
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_no_imports_go_in_a_circle() -> None:
    named = {".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
             for file, _ in modules()}  # fmt: skip
    graph = {name: imports_at_the_top(file, set(named)) - {name} for name, file in named.items()}
    while True:
        leaves = {name for name, needed in graph.items() if not needed & graph.keys()}
        if not leaves:
            break
        graph = {name: needed for name, needed in graph.items() if name not in leaves}
    assert not graph, f"in or above a circle: {sorted(graph)}"


def imports_at_the_top(file: Path, known: set[str]) -> set[str]:
    """The known modules that the module itself needs; imports inside of functions are there to come late."""
    found: set[str] = set()
    for node in parsed(file).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= names & known or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & known


def test_each_heavy_package_has_one_place() -> None:
    wrong = []
    for file, room in modules():
        for name in imports(file):
            home = HOMES.get(name.split(".")[0])
            if home is not None and room not in home:
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_nothing_is_done_at_import() -> None:
    """No call stands by itself at the top of a module; in commands the last line does."""
    wrong = []
    for file, _ in modules():
        for node in parsed(file).body:
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant):
                wrong.append(f"{file.relative_to(ROOT)}, line {node.lineno}")
    assert not wrong


def test_the_app_imports_no_command() -> None:
    assert not [name for name in imports(ROOT / "labse_search" / "app.py") if "__main__" in name]
