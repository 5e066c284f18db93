"""A model with a smaller vocabulary: only what some languages need. Smaller on disk, the same vectors for kept text.

LaBSE's table of 501,153 word vectors is 82 % of its 1.9 GB. Kept are the special tokens, the tokens in the scripts of
the languages or, with a corpus, those that occur in it (and all single characters of these scripts, so that no word
becomes unknown). A text whose tokens are all kept is cut into the same tokens as before: WordPiece takes the longest
piece that there is, Unigram the best path, and both are still there. Any other text is cut into smaller pieces.
"""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labse_search.corpora.lines import read_lines
from labse_search.encoder import load_encoder
from labse_search.encoder.folder import OWN_FILE, WEIGHTS, ModelFolder, read_folder, read_json
from labse_search.encoder.tokens import open_tokenizer
from labse_search.errors import UserError
from labse_search.languages import unicode_words
from labse_search.trim.weights import shards_of, write_weights

HELD_OUT = 10  # every tenth line of the corpus is not counted: on these the loss is measured
_COMPARED = 100  # of these lines, so many vectors are compared
_SKIPPED = ("sentencepiece.bpe.model", "spiece.model", "vocab.txt", "README.md", ".gitattributes", *WEIGHTS)


@dataclass(frozen=True)
class Trimmed:
    """What was done. Shares are of tokens in the held-out lines of the corpus; None without a corpus."""

    tokens_before: int
    tokens_after: int
    bytes_before: int
    bytes_after: int
    covered: float | None  # share of token occurrences that are kept
    unchanged: float | None  # share of lines that are cut into exactly the same tokens
    cosine: float | None  # mean between old and new vectors


def trim(model: Path, output: Path, *, languages: Sequence[str], corpus: Sequence[Path] = ()) -> Trimmed:
    """Write the smaller model to `output`, which must not exist; UserError if the model can't be trimmed."""
    if output.exists():
        raise UserError(f"{output} is there already. Name a folder that does not exist, or remove it first.")
    folder = read_folder(model)
    if folder.languages and (missing := sorted(set(languages) - set(folder.languages))):
        raise UserError(f"The model was not trained on {', '.join(missing)}. It knows {', '.join(folder.languages)}.")
    shards = shards_of(folder.first.folder)
    definition = read_json(folder.first.folder / "tokenizer.json")
    tokens = vocabulary(definition, folder.first.folder)
    counted, held_out = _split(corpus)
    kept = _choose(tokens, definition, languages, _used(folder, counted) if corpus else None)
    beside = output.with_name(output.name + ".part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        _write(folder, beside, definition, kept, languages)
        write_weights(shards, beside / folder.first.folder.relative_to(folder.path), kept, len(tokens))
        trimmed = read_folder(beside)
        loss = _measure(folder, trimmed, kept, held_out) if held_out else (None, None, None)
        before, after = _size(folder.path), _size(beside)
        os.replace(beside, output)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    return Trimmed(len(tokens), len(kept), before, after, *loss)


def vocabulary(definition: dict[str, Any], folder: Path) -> list[str]:
    """Tokens by id, of a WordPiece or a Unigram tokenizer.json; UserError for any other."""
    model = definition.get("model", {})
    kind = model.get("type") or ("WordPiece" if "continuing_subword_prefix" in model else "none")
    if kind == "Unigram":
        return [token for token, _ in model["vocab"]]
    if kind == "WordPiece":
        return sorted(model["vocab"], key=model["vocab"].__getitem__)
    raise UserError(f"{folder / 'tokenizer.json'} is {kind}, and only WordPiece and Unigram can be trimmed.")


def _split(corpus: Iterable[Path]) -> tuple[list[str], list[str]]:
    """Lines to count and lines to measure on."""
    lines = [line for path in corpus for line in read_lines(path) if line.strip()]
    if len(lines) < HELD_OUT:
        return lines, lines
    return [line for n, line in enumerate(lines) if n % HELD_OUT], lines[::HELD_OUT]


def _used(folder: ModelFolder, lines: Sequence[str]) -> set[int]:
    return {token for ids in open_tokenizer(folder).ids(lines) for token in ids}


def _choose(
    tokens: Sequence[str], definition: dict[str, Any], languages: Sequence[str], used: set[int] | None
) -> list[int]:
    """Old ids that stay, in their old order: special tokens keep their place at the front."""
    scripts = _scripts_of(languages)
    always = {entry["id"] for entry in definition.get("added_tokens", [])}
    model = definition["model"]
    prefix = model.get("continuing_subword_prefix") or ""
    if model.get("type") == "Unigram":
        always.add(model.get("unk_id"))
        # An unknown character costs the lowest score less 10: with that piece gone, paths around it could change.
        always.add(min(range(len(tokens)), key=lambda n: model["vocab"][n][1]))
    elif model.get("unk_token") in model["vocab"]:
        always.add(model["vocab"][model["unk_token"]])
    kept = []
    for n, token in enumerate(tokens):
        bare = token.removeprefix(prefix).strip("▁")
        wanted = _in_scripts(bare, scripts) and (used is None or len(bare) <= 1)
        if wanted or n in always or (used is not None and n in used):
            kept.append(n)
    return kept


def _scripts_of(languages: Iterable[str]) -> set[str]:
    """First words of the Unicode names of the languages' letters."""
    scripts = {"MODIFIER", "FEMININE", "MASCULINE"}  # ʼ ª º: written with many scripts
    for language in languages:
        words = unicode_words(language)
        if not words:
            raise UserError(f"{language!r} is no language that is known here. Use codes such as en, de or ja.")
        scripts.update(words)
    return scripts


def _in_scripts(token: str, scripts: set[str]) -> bool:
    """Is every letter of the token in one of the scripts? Digits, signs, marks and single Latin letters are in all."""
    if len(token) <= 1 and token.isascii():
        return True
    for letter in token:
        if not unicodedata.category(letter).startswith("L"):
            continue
        if unicodedata.name(letter, "UNKNOWN").split()[0] not in scripts:
            return False
    return True


def _write(
    folder: ModelFolder, target: Path, definition: dict[str, Any], kept: Sequence[int], languages: Sequence[str]
) -> None:
    """All but the weights."""
    text = folder.first.folder
    skipped = {text / name for name in _SKIPPED} | set(shards_of(text))

    def skip(where: str, names: list[str]) -> set[str]:
        return {name for name in names if Path(where) / name in skipped}

    shutil.copytree(folder.path, target, ignore=skip, symlinks=False)
    own = target / text.relative_to(folder.path)
    new_ids = {old: new for new, old in enumerate(kept)}
    tokens = vocabulary(definition, text)
    _write_json(own / "tokenizer.json", _renumbered(definition, kept, new_ids))
    if (text / "vocab.txt").is_file():
        (own / "vocab.txt").write_text("".join(f"{tokens[old]}\n" for old in kept), encoding="utf-8")
    for name in ("config.json", "tokenizer_config.json"):
        if (own / name).is_file():
            _write_json(own / name, _renumbered_config(read_json(own / name), len(kept), new_ids))
    _write_json(target / OWN_FILE, {**read_json(target / OWN_FILE), "languages": list(languages)})


def _renumbered(definition: dict[str, Any], kept: Sequence[int], new_ids: dict[int, int]) -> dict[str, Any]:
    """tokenizer.json with new numbers wherever it writes ids."""
    new: dict[str, Any] = json.loads(json.dumps(definition))
    model = new["model"]
    if model.get("type") == "Unigram":
        model["vocab"] = [model["vocab"][old] for old in kept]
        if model.get("unk_id") is not None:
            model["unk_id"] = new_ids[model["unk_id"]]
    else:
        model["vocab"] = {token: new_ids[old] for token, old in model["vocab"].items() if old in new_ids}
    for entry in new.get("added_tokens", []):
        entry["id"] = new_ids[entry["id"]]
    if new.get("padding"):
        new["padding"]["pad_id"] = new_ids[new["padding"]["pad_id"]]
    for step in _steps(new.get("post_processor")):
        for entry in (step.get("special_tokens") or {}).values():
            entry["ids"] = [new_ids[old] for old in entry["ids"]]
        for name in ("sep", "cls"):
            if name in step:
                step[name][1] = new_ids[step[name][1]]
    return new


def _steps(processor: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not processor:
        return []
    return list(processor["processors"]) if processor.get("type") == "Sequence" else [processor]


def _renumbered_config(config: dict[str, Any], size: int, new_ids: dict[int, int]) -> dict[str, Any]:
    new = dict(config)
    if "vocab_size" in new:
        new["vocab_size"] = size
    for name, value in config.items():
        if name.endswith("_token_id") and isinstance(value, int):
            new[name] = new_ids.get(value)
    if decoder := config.get("added_tokens_decoder"):
        new["added_tokens_decoder"] = {str(new_ids[int(old)]): entry for old, entry in decoder.items()}
    return new


def _measure(
    before: ModelFolder, after: ModelFolder, kept: Sequence[int], lines: Sequence[str]
) -> tuple[float, float, float]:
    """Of the held-out lines: share of token occurrences kept, of lines cut into the same tokens, mean cosine."""
    old, new = open_tokenizer(before).ids(lines), open_tokenizer(after).ids(lines)
    stays = set(kept)
    tokens = [token for ids in old for token in ids]
    same = [[kept[token] for token in ids] == other for ids, other in zip(new, old, strict=True)]
    short = [n for n in range(len(lines)) if len(new[n]) <= after.window and len(old[n]) <= before.window]
    some = [lines[n] for n in short[:: max(1, len(short) // _COMPARED)]]
    first, second = (load_encoder(str(folder.path), precision="fp32").encode(some) for folder in (before, after))
    cosine = float((first * second).sum(axis=1).mean()) if some else 1.0
    return sum(token in stays for token in tokens) / max(len(tokens), 1), sum(same) / len(same), cosine


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
