"""Settings: the environment first, then what was changed on the page; both are told to the person who reads them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from labse_search.errors import UserError
from labse_search.settings import FILE, Settings, save

ROOT = Path(__file__).resolve().parent.parent


def test_the_environment_goes_before_the_file_and_the_file_before_the_defaults(tmp_path: Path) -> None:
    save(tmp_path, {"model": "one", "max_file_mb": "50", "theme": "dark"})
    settings = Settings.from_env({"LABSE_HOME": str(tmp_path), "LABSE_MODEL": "two"})
    assert (settings.model, settings.max_file_mb, settings.theme, settings.precision) == ("two", 50, "dark", "auto")
    assert settings.fixed == {"home", "model"}
    save(tmp_path, {"max_file_mb": "", "precision": "bf16"})
    again = settings.with_file()
    assert (again.max_file_mb, again.precision, again.theme) == (200, "bf16", "dark")
    if (tmp_path / FILE).stat().st_mode & 0o777 != 0o600:
        pytest.fail("others can read the settings")


def test_another_home_has_its_own_file(tmp_path: Path) -> None:
    save(tmp_path, {"model": "one", "ocr": "deu"})
    (tmp_path / "other").mkdir()
    save(tmp_path / "other", {"precision": "fp32"})
    settings = Settings.from_env({"LABSE_HOME": str(tmp_path)}).with_arguments(
        store=str(tmp_path / "other"), collection=None, model=None
    )
    assert (settings.model, settings.ocr, settings.precision) == ("", "", "fp32")


@pytest.mark.parametrize("changes", [{"theme": "pink"}, {"max_file_mb": "0"}, {"max_file_mb": "x"}])
def test_what_cannot_be_is_refused_and_a_damaged_file_named(tmp_path: Path, changes: dict[str, str]) -> None:
    with pytest.raises(UserError, match=next(iter(changes))):
        save(tmp_path, changes)
    assert not (tmp_path / FILE).exists()
    (tmp_path / FILE).write_text("{")
    with pytest.raises(UserError, match=FILE):
        Settings.from_env({"LABSE_HOME": str(tmp_path)})


def test_the_readme_has_every_variable_and_no_other() -> None:
    table = re.findall(r"^\| `(LABSE_\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {f"LABSE_{setting.name.upper()}" for setting in fields(Settings) if setting.name != "fixed"}
    assert sorted(table) == sorted(named)


def test_a_model_chosen_on_the_page_is_for_new_collections(tmp_path: Path) -> None:
    save(tmp_path, {"model": "chosen"})
    saved = Settings.from_env({"LABSE_HOME": str(tmp_path)})
    assert (saved.model, saved.model_for("its own")) == ("chosen", "its own")
    named = saved.with_arguments(store=None, collection=None, model="named")
    assert named.model_for("its own") == "named"
    environ = Settings.from_env({"LABSE_HOME": str(tmp_path), "LABSE_MODEL": "of the environment"})
    assert environ.model_for("its own") == "of the environment"
