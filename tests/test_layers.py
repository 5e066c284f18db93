"""The ladder of the design: imports point down only, and each heavy package has one place."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [
    {"records", "places", "similarity", "errors", "settings"},
    {"encoder", "store", "library"},
    {"search", "mine", "evaluate", "finetune", "pretrain", "align", "trim", "indexer"},
    {"ui"},
]
HOMES = {
    "gradio": {"ui"},
    "fastapi": {"ui"},
    "qdrant_client": {"store"},
    "qdrant_edge": {"store"},
    "accelerate": {"finetune", "pretrain"},
    "pypdfium2": {"indexer", "ui"},
}


def modules() -> list[tuple[Path, str]]:
    """(file, room) of all product code but the entry points."""
    files = [*ROOT.glob("labse_search/**/*.py"), *ROOT.glob("indexer/**/*.py")]
    rooms = []
    for file in files:
        parts = file.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            rooms.append((file, parts[0] if parts[0] == "indexer" else parts[1]))
    return rooms


def imports(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def height(room: str) -> int:
    return next((level for level, rooms in enumerate(LAYERS) if room in rooms), -1)


def test_every_module_has_a_layer() -> None:
    unknown = {room for _, room in modules() if height(room) < 0} - {"__init__"}
    assert not unknown


def test_imports_point_down_only() -> None:
    wrong = []
    for file, room in modules():
        for name in imports(file):
            parts = name.split(".")
            if parts[0] == "labse_search" and len(parts) > 1:
                target = parts[1]
            elif parts[0] == "indexer":
                target = "indexer"
            else:
                continue
            above = height(target) > height(room)
            neighbours = target != room and height(target) == height(room) == 1
            if height(target) >= 0 and (above or neighbours):
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_each_heavy_package_has_one_place() -> None:
    wrong = []
    for file, room in modules():
        for name in imports(file):
            home = HOMES.get(name.split(".")[0])
            if home is not None and room not in home:
                wrong.append(f"{file.relative_to(ROOT)} imports {name}")
    assert not wrong
