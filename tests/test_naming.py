"""One rule for the names of collections, and where a store's location is taken for what it is not."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from indexer.read.kinds import BY_EXTENSION
from labse_search.errors import UserError
from labse_search.naming import (
    collection_name,
    count_kinds,
    generation_name,
    kind_name,
    kind_spellings,
    split_generation,
)
from labse_search.settings import Settings


def test_a_name_is_composed_and_without_space_around_it() -> None:
    assert collection_name(" " + unicodedata.normalize("NFD", "Ärzte") + "\t") == "Ärzte"


@pytest.mark.parametrize(
    "bad", ["", " ", "a/b", "a:b", "..", ".x", "x.", "a@2", "@2", "a\nb", "x" * 65, "a\u202eb", "\ud83d"]
)
def test_what_could_be_a_path_a_command_or_a_generation_is_no_name(bad: str) -> None:
    with pytest.raises(UserError, match="name of a collection"):
        collection_name(bad)


def test_a_generation_has_the_name_of_its_collection_and_its_number() -> None:
    assert split_generation(generation_name("a@b", 12)) == ("a@b", 12)
    assert split_generation("a@b") == ("a@b", None)


def test_the_commands_take_the_same_names() -> None:
    assert Settings().with_arguments(store=None, collection=" книги ", model=None).collection == "книги"
    with pytest.raises(UserError, match="name of a collection"):
        Settings().with_arguments(store=None, collection="../up", model=None)


@pytest.mark.parametrize("address", ["localhost:6333", "10.0.0.7:6333", "[::1]:6333", "qdrant.example.org:80/"])
def test_an_address_without_a_scheme_is_not_taken_for_a_folder(address: str) -> None:
    with pytest.raises(UserError, match="LABSE_STORE.*http://"):
        Settings.from_env({"LABSE_STORE": address})
    with pytest.raises(UserError, match="--store.*http://"):
        Settings().with_arguments(store=address, collection=None, model=None)


def test_a_folder_in_the_variable_of_servers_is_an_error_and_on_the_command_line_a_home(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LABSE_HOME"):
        Settings.from_env({"LABSE_STORE": str(tmp_path)})
    assert Settings().with_arguments(store=str(tmp_path), collection=None, model=None).home == tmp_path


@pytest.mark.parametrize(
    ("written", "name"),
    [("htm", "html"), (".HTM ", "html"), ("yml", "yaml"), ("jpeg", "jpg"), ("tif", "tiff"), ("markdown", "md"),
     ("pdf", "pdf"), ("docm", "docm"), ("", "")],
)  # fmt: skip
def test_a_file_type_that_is_written_in_several_ways_has_one_name(written: str, name: str) -> None:
    assert kind_name(written) == name and written.strip(" .").lower() in kind_spellings(name)


def test_ways_to_write_a_file_type_are_read_alike_and_belong_to_one_name() -> None:
    for written, reader in BY_EXTENSION.items():
        for other in kind_spellings(written):
            assert BY_EXTENSION.get(other, reader) == reader and kind_spellings(other) == kind_spellings(written)


def test_file_types_of_one_name_are_counted_together() -> None:
    counted = count_kinds({"pdf": 4, "html": 3, "htm": 2, "xhtml": 1})
    assert list(counted.items()) == [("html", 5), ("pdf", 4), ("xhtml", 1)]
