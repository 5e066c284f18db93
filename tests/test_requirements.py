"""What the product imports is installed with it, not with its tests."""

import ast
import re
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONAL = {
    "peft",
    "extract-msg",
    "libpff-python",
}  # `finetune --lora-rank` and the reader of .msg say how to install them


def pinned(file: str) -> set[str]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0] for line in lines if re.match(r"[\w.-]+==", line)}


def imported() -> set[str]:
    """The first names of all modules that the product imports."""
    names: set[str] = set()
    for file in [*ROOT.glob("labse_search/**/*.py"), *ROOT.glob("indexer/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names


def test_nothing_that_the_product_imports_comes_only_with_its_tests() -> None:
    owners = packages_distributions()
    needed = {owner for name in imported() for owner in owners.get(name, [])}
    assert {"torch", "gradio"} <= needed
    assert needed & (pinned("requirements-dev.txt") - pinned("requirements.txt")) == OPTIONAL
