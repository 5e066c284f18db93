"""Names, folders and fingerprints: what is a model, and which two are the same."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from processes import run
from safetensors.numpy import load_file, save_file

from labse_search.encoder import fingerprint as fingerprints
from labse_search.encoder import load_encoder, load_tokenizer
from labse_search.encoder.folder import read_folder
from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.safetensors import TensorFile, write_tensors
from labse_search.errors import ModelUnavailable

ROOT = Path(__file__).parent.parent


@pytest.fixture
def model(tiny_labse: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_labse, tmp_path / "model"))


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("modules.json", "no modules.json"),
        ("model.safetensors", "looked for model.safetensors"),
        ("2_Dense/model.safetensors", "2_Dense has no weights"),
        ("tokenizer.json", "looked for tokenizer.json"),
    ],
)
def test_a_missing_file_is_named(model: Path, missing: str, said: str) -> None:
    (model / missing).unlink()
    with pytest.raises(ModelUnavailable, match=said):
        load_encoder(str(model))


def test_weights_that_were_cut_off_are_noticed(model: Path) -> None:
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="is cut off"):
        load_encoder(str(model))


@pytest.mark.parametrize("name", ["modules.json", "config.json", "tokenizer.json"])
def test_a_damaged_file_is_named(model: Path, name: str) -> None:
    (model / name).write_text("{")
    with pytest.raises(ModelUnavailable, match=f"{re.escape(name)} cannot be read"):
        load_encoder(str(model))


def test_a_folder_that_is_not_there_is_said_so() -> None:
    with pytest.raises(ModelUnavailable, match=r"There is no folder \./nowhere"):
        load_tokenizer("./nowhere")


def test_a_file_is_not_a_model(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("x")
    with pytest.raises(ModelUnavailable, match="is a file"):
        load_tokenizer(str(tmp_path / "model.txt"))


def _refusal(name: str, **environment: str) -> str:
    """What a fresh process says about a hub name, with an empty cache."""
    code = (
        "import sys\nfrom labse_search.encoder import hub, load_encoder\n"
        "from labse_search.errors import ModelUnavailable\n"
        "hub.ANSWER_SECONDS = 1.0\n"
        "try:\n    load_encoder(sys.argv[1])\nexcept ModelUnavailable as error:\n    print(error)"
    )
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "TRANSFORMERS_"))}
    return run(sys.executable, "-c", code, name, env={**kept, **environment}).stdout


def test_offline_a_hub_name_is_refused_with_what_to_do(tmp_path: Path) -> None:
    said = _refusal("LaBSE", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")
    assert "sentence-transformers/LaBSE is not on this machine" in said and "HF_HUB_OFFLINE" in said


def test_a_hub_that_does_not_answer_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound and not listening: every connection is refused
        port = closed.getsockname()[1]
        said = _refusal("some/model", HF_HOME=str(tmp_path), HF_ENDPOINT=f"http://127.0.0.1:{port}")
    assert "some/model is not on this machine and the hub does not answer" in said
    assert "copy the model's folder here" in said


def test_a_hub_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()  # takes the connection and says nothing: only a limit of our own ends this
        port = silent.getsockname()[1]
        said = _refusal("some/model", HF_HOME=str(tmp_path), HF_ENDPOINT=f"http://127.0.0.1:{port}")
    assert "does not answer" in said


def test_a_name_in_the_hub_cache_is_used_offline(tiny_labse: Path, tmp_path: Path) -> None:
    home = tmp_path / "hub" / "models--some--model"
    shutil.copytree(tiny_labse, home / "snapshots" / "abc")
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("abc")
    code = "from labse_search.encoder import load_encoder; print(load_encoder('some/model').fingerprint)"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    assert run(sys.executable, "-c", code, env=environment).stdout.strip() == load_encoder(str(tiny_labse)).fingerprint


def test_a_copy_has_the_same_fingerprint(model: Path, tiny_labse: Path) -> None:
    (model / "README.md").write_text("another card")
    (model / "labse.json").write_text('{"languages": ["en"]}')
    assert load_encoder(str(model)).fingerprint == load_encoder(str(tiny_labse)).fingerprint
    assert re.fullmatch("[0-9a-f]{64}", load_encoder(str(model)).fingerprint)


@pytest.mark.parametrize("changed", ["model.safetensors", "2_Dense/model.safetensors", "tokenizer.json"])
def test_one_changed_byte_changes_the_fingerprint(model: Path, changed: str) -> None:
    before = fingerprints.fingerprint(read_folder(model))
    content = bytearray((model / changed).read_bytes())
    content[-3] ^= 1
    (model / changed).write_bytes(content)
    assert fingerprints.fingerprint(read_folder(model)) != before


def test_window_and_modules_change_the_fingerprint(model: Path) -> None:
    found = {fingerprints.fingerprint(read_folder(model))}
    (model / "sentence_bert_config.json").write_text('{"max_seq_length": 32}')
    found.add(fingerprints.fingerprint(read_folder(model)))
    (model / "modules.json").write_text(json.dumps(json.loads((model / "modules.json").read_text())[:3]))
    found.add(fingerprints.fingerprint(read_folder(model)))
    assert len(found) == 3


def test_large_weights_are_hashed_once(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprints, "CACHED_BYTES", 1000)  # a constant: so that 150 kB count as large
    cache = tmp_path / "cache" / "digests.json"
    weights = model / "model.safetensors"
    first = fingerprints.fingerprint(read_folder(model), cache)
    known = json.loads(cache.read_text())
    assert any(str(weights.resolve()) in key for key in known)

    cache.write_text(json.dumps(dict.fromkeys(known, "0" * 64)))
    assert fingerprints.fingerprint(read_folder(model), cache) != first  # it believed the cache

    os.utime(weights, (1, 1))
    os.utime(model / "2_Dense" / "model.safetensors", (1, 1))
    os.utime(model / "tokenizer.json", (1, 1))
    assert fingerprints.fingerprint(read_folder(model), cache) == first  # changed files are hashed again


def test_languages_are_read_from_beside_the_modules(model: Path) -> None:
    assert load_encoder(str(model)).languages == ()
    (model / "labse.json").write_text('{"languages": ["en", "de"]}')
    assert load_encoder(str(model)).languages == ("en", "de")


@pytest.mark.parametrize(
    "heading",
    [
        "language: [de, multilingual, 'no', zh-TW, ceb]",
        "license: mit\nlanguage:\n- multilingual\n- de\n- no\ntags:\n- it",
    ],
)
def test_languages_are_else_read_from_the_card(model: Path, heading: str) -> None:
    (model / "README.md").write_text(f"---\n{heading}\n---\nlanguage: en\n")
    assert load_encoder(str(model)).languages == ("de", "no")


def test_the_shipped_model_goes_by_its_name_too() -> None:
    assert load_encoder("labse-mini").fingerprint == load_encoder(str(LABSE_MINI)).fingerprint


def test_the_shipped_model_stays_small() -> None:
    assert sum(path.stat().st_size for path in LABSE_MINI.rglob("*")) < 130e6
    assert max(path.stat().st_size for path in LABSE_MINI.rglob("*")) < 95e6


def test_rows_equal_those_of_safetensors(tmp_path: Path) -> None:
    table, bias = np.arange(12, dtype=np.float16).reshape(3, 4), np.ones(3, dtype=np.float32)
    path = tmp_path / "x.safetensors"
    write_tensors(path, {"table": ("F16", (3, 4), table), "bias": ("F32", (3,), bias)})
    file, expected = TensorFile(path), load_file(path)
    np.testing.assert_array_equal(expected["table"], table)
    for _ in range(2):
        np.testing.assert_array_equal(file.rows("table", np.array([2, 0])).view(np.float16), table[[2, 0]])
        file.release_pages()
    with pytest.raises(ModelUnavailable, match="no tensor missing"):
        file.tensor("missing")


def test_every_shard_counts(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    first = dict(list(weights.items())[:5])
    shards = {"one.safetensors": first, "two.safetensors": {n: w for n, w in weights.items() if n not in first}}
    for name, part in shards.items():
        save_file(part, model / name)
    listed = {tensor: name for name, part in shards.items() for tensor in part}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    before = fingerprints.fingerprint(read_folder(model))
    content = bytearray((model / "two.safetensors").read_bytes())
    content[-3] ^= 1
    (model / "two.safetensors").write_bytes(content)
    assert fingerprints.fingerprint(read_folder(model)) != before
    (model / "two.safetensors").unlink()
    with pytest.raises(ModelUnavailable, match="lacks two.safetensors"):
        load_tokenizer(str(model))
