"""A model's name → its folder on this machine: a path, the hub's cache, or the hub itself if it answers in seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from labse_search.errors import ModelUnavailable

LABSE_MINI = Path(__file__).resolve().parent.parent / "models" / "labse-mini"
ANSWER_SECONDS = 6.0  # for the hub's first answer; a name that can't be had must not keep a person waiting
# What encoding needs; a repository may hold the same weights again for ONNX, OpenVINO, TensorFlow and Flax.
_WANTED = ["*.json", "*.txt", "*.model", "*.safetensors", "README.md"]
_WANTED_OLD = [*_WANTED, "*.bin"]
_COPIES = ["onnx/*", "openvino/*"]
Answer = TypeVar("Answer")


def find_model(model: str) -> Path:
    """The folder of a model; ModelUnavailable, with what to do, if there is none or it can't be had."""
    if model == LABSE_MINI.name:
        return LABSE_MINI
    path = Path(model).expanduser()
    if path.is_dir():
        return path.resolve()
    if model == LABSE_MINI.name or path.parts[-3:] == LABSE_MINI.parts[-3:]:
        return LABSE_MINI  # a library from another machine, where this package lies elsewhere; the fingerprint decides
    if path.exists():
        raise ModelUnavailable(f"{model} is a file. Name the folder of a model, the one with modules.json in it.")
    if not _is_hub_name(model):
        raise ModelUnavailable(f"There is no folder {model}. Name a folder with modules.json in it, or a hub name.")
    name = hub_name(model)
    return _in_cache(name) or _from_hub(name)


def is_here(model: str) -> bool:
    """Whether the model is on this computer: nothing is fetched, nobody is asked."""
    path = Path(model).expanduser()
    if model == LABSE_MINI.name or path.is_dir() or path.parts[-3:] == LABSE_MINI.parts[-3:]:
        return True
    return not path.exists() and _is_hub_name(model) and _in_cache(hub_name(model)) is not None


def hub_name(model: str) -> str:
    """The name with its owner."""
    return model if "/" in model else f"sentence-transformers/{model}"


def _is_hub_name(model: str) -> bool:
    parts = model.split("/")
    return len(parts) <= 2 and all(part.strip(".") and part.isascii() for part in parts) and "\\" not in model


def _in_cache(name: str) -> Path | None:
    """The newest complete snapshot. Looked up without importing the hub's client: that alone takes 0.3 s."""
    from huggingface_hub import constants

    home = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    main = home / "refs" / "main"
    revisions = [main.read_text(encoding="utf-8").strip()] if main.is_file() else []
    snapshots = [home / "snapshots" / revision for revision in revisions]
    snapshots += sorted(home.glob("snapshots/*"), key=lambda path: path.stat().st_mtime, reverse=True)
    return next((path for path in snapshots if _is_complete(path)), None)


def _is_complete(snapshot: Path) -> bool:
    from labse_search.encoder.folder import read_folder

    if not (snapshot / "modules.json").is_file():
        return False
    try:
        read_folder(snapshot)
    except ModelUnavailable:  # a download that was broken off; the next step fetches the rest
        return False
    return True


def _from_hub(name: str) -> Path:
    _, wanted = asked_hub(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]  # the client's HTTP library changes

    try:
        return Path(snapshot_download(name, allow_patterns=sorted(wanted), etag_timeout=5))
    except (OSError, HTTPError) as error:  # the second: the hub client's own network errors are no OSErrors
        raise no_answer(name, error) from error


def asked_hub(name: str) -> tuple[Any, set[str]]:
    """What the hub says of a model, and which of its files encoding needs. ModelUnavailable, with what to do, if it has
    none of that name or does not answer."""
    from huggingface_hub import constants

    if constants.is_offline_mode():
        raise ModelUnavailable(
            f"{name} is not on this machine and HF_HUB_OFFLINE forbids downloading. "
            "Unset it, or copy the model's folder here and name that."
        )
    from huggingface_hub import HfApi
    from huggingface_hub.errors import (  # type: ignore[attr-defined]  # the client's HTTP library changes, this stays
        HFValidationError,
        HTTPError,
        RepositoryNotFoundError,
    )
    from huggingface_hub.utils import filter_repo_objects  # type: ignore[attr-defined]  # public by documentation

    instead = "Check the name, or copy the model's folder here and name that."
    try:
        info = _within(ANSWER_SECONDS, lambda: HfApi().model_info(name, timeout=ANSWER_SECONDS, files_metadata=True))
        names = [file.rfilename for file in info.siblings or []]
        if "modules.json" not in names:
            raise ModelUnavailable(f"{name} on the hub is no sentence-transformers model (no modules.json). {instead}")
        wanted = _WANTED if any(file.endswith(".safetensors") for file in names) else _WANTED_OLD
        return info, {*filter_repo_objects(names, allow_patterns=wanted, ignore_patterns=_COPIES)}
    except HFValidationError as error:
        raise ModelUnavailable(f"There is no folder {name}, and the hub has no such names. {instead}") from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(f"The hub has no model {name}, or it is not public. {instead}") from error
    except (OSError, HTTPError) as error:
        raise no_answer(name, error) from error


def no_answer(name: str, error: Exception) -> ModelUnavailable:
    """That the hub does not answer, and what to do."""
    reason = str(error).strip().splitlines()
    return ModelUnavailable(
        f"{name} is not on this machine and the hub does not answer ({reason[0] if reason else type(error).__name__}). "
        "Connect to the internet and try again, or copy the model's folder here and name that."
    )


def _within(seconds: float, ask: Callable[[], Answer]) -> Answer:
    """The answer, or TimeoutError: looking up a host's name can hang far beyond any timeout of the connection."""
    answers: list[Answer] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # handed to the caller below
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="hub")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return answers[0]
