"""What every entry point does before anything else."""

from __future__ import annotations

import ast
import errno
import os
import sys
from pathlib import Path

import pytest
from processes import run

from labse_search.errors import quiet_when_unread, told

ROOT = Path(__file__).resolve().parent.parent
ENTRY_POINTS = [
    ROOT / "labse_search" / "app.py",
    ROOT / "indexer" / "worker.py",
    ROOT / "labse_search" / "ui" / "window.py",
    ROOT / "labse_search" / "store" / "edge" / "process.py",
]
COMMANDS = [
    ROOT / "indexer" / "__main__.py",
    ROOT / "labse_search" / "app.py",
    ROOT / "labse_search" / "training" / "command.py",
]
COMMANDS += [
    ROOT / "labse_search" / name / "__main__.py"
    for name in ("align", "evaluate", "library", "mine", "search", "teach", "trim", "ui")
]
WRITERS = [ROOT / "labse_search" / "app.py", *ROOT.glob("indexer/**/__main__.py")]
WRITERS += sorted(ROOT.glob("labse_search/**/__main__.py"))
ENTRY_POINTS += sorted(ROOT.glob("labse_search/*/__main__.py")) + [ROOT / "indexer" / "__main__.py"]


@pytest.mark.parametrize("file", ENTRY_POINTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_it_writes_for_this_account_alone(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    first = next(
        node for node in main.body if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
    )
    assert ast.unparse(first) == "write_privately()"


@pytest.mark.parametrize("file", WRITERS, ids=lambda file: str(file.relative_to(ROOT)))
def test_it_ends_quietly_where_nobody_reads_on(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    main = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert [ast.unparse(one) for one in main.decorator_list] == ["quiet_when_unread"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("asked", ["print('x' * 100_000)", "print('x')", "raise SystemExit(print('x'))"])
def test_output_that_nobody_reads_ends_a_command_without_a_traceback(asked: str) -> None:
    code = f"""
import sys
from labse_search.errors import UserError, quiet_when_unread, told

@quiet_when_unread
def main():
    try:
        {asked}
    except (UserError, OSError) as error:
        print(told(error), file=sys.stderr)
        return 2
    return 0

sys.exit(main())
"""
    read, write = os.pipe()
    os.close(read)
    try:
        assert run(sys.executable, "-c", code, stdout=write, status=141).stderr == ""
    finally:
        os.close(write)


def test_a_broken_pipe_that_is_not_the_output_stays_loud() -> None:
    @quiet_when_unread
    def main() -> int:
        raise BrokenPipeError(errno.EPIPE, "of a socket")

    with pytest.raises(BrokenPipeError):
        main()


@pytest.mark.parametrize("file", COMMANDS, ids=lambda file: str(file.relative_to(ROOT)))
def test_it_tells_what_a_person_can_mend_and_what_the_system_refuses_in_one_line(file: Path) -> None:
    assert "except (UserError, OSError) as error:" in file.read_text(encoding="utf-8")


def test_what_the_system_refuses_of_no_file_stays_loud() -> None:
    with pytest.raises(ConnectionResetError):
        told(ConnectionResetError(errno.ECONNRESET, "reset"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no umask")
def test_a_file_of_such_a_process_is_for_its_account_alone(tmp_path: Path) -> None:
    code = "from labse_search.settings import write_privately as w; w(); open('f', 'w'); import os; os.makedirs('d')"
    run(sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}", cwd=tmp_path)
    assert [(tmp_path / name).stat().st_mode & 0o077 for name in "fd"] == [0, 0]
