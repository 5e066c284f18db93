"""A model's tokenizer, without torch or transformers: counts, offsets and ids of texts.

Nothing is truncated or padded here. WordPiece turns a word of more than 100 characters into one unknown token, which
would lose whole lines of Thai, Lao, Khmer or Burmese (no spaces between words) without a trace; so a longer run is read
as if it had a space every 80 characters. Text without such runs gets exactly the ids that transformers gives it.
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import overload

import numpy as np
import tokenizers
from numpy.typing import NDArray

from labse_search.encoder.folder import TOKENIZER_CONFIG, TOKENIZERS, ModelFolder, read_json
from labse_search.encoder.protocols import Task
from labse_search.errors import ModelUnavailable

# Where BERT's pre-tokenizer ends a word: spaces, punctuation, and every Chinese character for itself.
_BREAKS = r"\s!-/:-@\[-`{-~\u2000-\u206f\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff00-\uff0f"
_OPENED: weakref.WeakValueDictionary[tuple[object, ...], ModelTokenizer] = weakref.WeakValueDictionary()
_OPENING = threading.Lock()
_UNREAD = "𒀀𐘀"  # of cuneiform and Linear A: letters that no vocabulary holds
UNREADABLE_SHARE = 0.5  # of a text's characters
TEXTS_AT_ONCE = 1024  # one call into the tokenizer: tens of milliseconds, and the interpreter is free meanwhile


def open_tokenizer(folder: ModelFolder) -> ModelTokenizer:
    """The folder's tokenizer; one for all who hold it: LaBSE's takes a second to read and 160 MB."""
    files = [file for name in (*TOKENIZERS, TOKENIZER_CONFIG) if (file := folder.first.folder / name).is_file()]
    states = [(file, status.st_size, status.st_mtime_ns) for file in files for status in [file.stat()]]
    key = (*states, folder.window, folder.lowercase, folder.prompts, folder.first.kind)
    with _OPENING:
        known = _OPENED.get(key)
        if known is None:
            identity = hashlib.sha256(repr(key).encode()).hexdigest()
            known = _OPENED[key] = ModelTokenizer(folder, identity)
        return known


class Tokenized(Sequence[str]):
    """Texts whose tokens somebody has counted before: `flat_ids` of the same tokenizer takes these."""

    def __init__(self, texts: Sequence[str], ids: Sequence[bytes], tokenizer: str) -> None:
        """`ids`: of each text, as `pack_ids` makes them. `tokenizer`: the identity of the one they are of."""
        if len(texts) != len(ids):
            raise ValueError(f"{len(texts)} texts and the tokens of {len(ids)}")
        self.texts, self.ids, self.tokenizer = texts, ids, tokenizer

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Tokenized: ...
    def __getitem__(self, at: int | slice) -> str | Tokenized:
        if isinstance(at, slice):
            return Tokenized(self.texts[at], self.ids[at], self.tokenizer)
        return self.texts[at]


def pack_ids(ids: Iterable[int]) -> bytes:
    """One text's token ids as they travel between processes: four bytes each, in the machine's own order."""
    return array("i", ids).tobytes()


def unpack_ids(packed: bytes) -> list[int]:
    """What `pack_ids` packed."""
    return array("i", packed).tolist()


class ModelTokenizer:
    """The tokenizer of one model folder. Many threads may use it."""

    def __init__(self, folder: ModelFolder, identity: str) -> None:
        self.identity = identity
        self._window, self._prompts = folder.window, folder.prompts
        self.special = folder.first.kind != "StaticEmbedding"  # sentence-transformers adds none there
        self._tokenizer = _open(folder.first.folder)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        if folder.lowercase:
            _lower_first(self._tokenizer)
        limit = getattr(self._tokenizer.model, "max_input_chars_per_word", None)  # WordPiece only
        # 80 of 100: the normaliser may make a word a little longer than it was.
        self._longest_word = limit * 4 // 5 if limit else 0
        self._long_word = re.compile(f"[^{_BREAKS}]{{{limit + 1},}}") if limit else None
        prompts = [prompt for prompt in (folder.prompts.text, folder.prompts.query, folder.prompts.document) if prompt]
        self.max_tokens = self._window - max(self.count(prompts), default=0)  # special tokens are counted twice: slack
        self._unknown = self.unknown_id()

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, special tokens included, never truncated."""
        return [len(ids) for ids in self.ids(texts)]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text, special tokens included where the model adds them."""
        return [ids for start in range(0, len(texts), TEXTS_AT_ONCE) for ids in self._ids(texts, start)]

    def flat_ids(self, texts: Sequence[str], task: Task = "text") -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """All ids in one array, the task's prompt before each text, and the (n,) lengths; a text longer than the
        window is a ValueError."""
        prompt = self._prompts.of(task)
        packed: Sequence[bytes]
        if prompt:
            packed = [pack_ids(ids) for ids in self.ids([prompt + text for text in texts])]
        elif isinstance(texts, Tokenized) and texts.tokenizer == self.identity:
            packed = texts.ids
        else:
            packed = [pack_ids(ids) for ids in self.ids(texts)]
        return self._flat(packed, texts)

    def _flat(self, packed: Sequence[bytes], texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        flat = np.frombuffer(b"".join(packed), dtype=np.intc)
        lengths = np.array([len(ids) // flat.itemsize for ids in packed], dtype=np.int64)
        if len(lengths) and lengths.max() > self._window:
            text = int(np.argmax(lengths > self._window))
            raise ValueError(
                f"text {text} has {lengths[text]} tokens, the model reads {self._window}: cut it first "
                f"(it begins {texts[text][:40]!r})"
            )
        if len(flat) and (flat.min() < 0 or flat.max() >= self._tokenizer.get_vocab_size()):
            raise ValueError("there are tokens that the tokenizer does not know")
        return flat.astype(np.int64), lengths

    def _ids(self, texts: Sequence[str], start: int) -> list[list[int]]:
        part = [self._spaced(text)[0] for text in texts[start : start + TEXTS_AT_ONCE]]
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(part, add_special_tokens=self.special)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Code-point (start, end) of every token of one text, special tokens left out, never truncated."""
        spaced, inserted = self._spaced(text)
        found = self._tokenizer.encode(spaced, add_special_tokens=False).offsets
        if not inserted:
            return list(found)
        return [(start - bisect_left(inserted, start), end - bisect_left(inserted, end)) for start, end in found]

    def ids_and_spans(
        self, texts: Sequence[str], tasks: Sequence[Task]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], list[NDArray[np.int64]]]:
        """All ids and the lengths, as `flat_ids` gives them, each text with the prompt of its own task; and (tokens, 2)
        of each text: code-point start and end of every token, 0 and 0 of those that are not of the text: special tokens
        and the prompt."""
        prompts = [self._prompts.of(task) for task in tasks]
        spaced = [self._spaced(prompt + text) for prompt, text in zip(prompts, texts, strict=True)]
        found = self._tokenizer.encode_batch([text for text, _ in spaced], add_special_tokens=self.special)
        spans = []
        for encoding, (_, inserted), prompt in zip(found, spaced, prompts, strict=True):
            span = np.array(encoding.offsets, np.int64).reshape(-1, 2)
            span = span - np.searchsorted(np.array(inserted, np.int64), span) - len(prompt)
            outside = np.array(encoding.special_tokens_mask, bool) | (span[:, 0] < 0)
            spans.append(np.where(outside[:, None], 0, span))
        return *self._flat([pack_ids(encoding.ids) for encoding in found], texts), spans

    def unknown_id(self) -> int | None:
        """The id of the unknown token; None if the tokenizer reads everything, as one over bytes does."""
        first, second = (self.ids([letter])[0] for letter in _UNREAD)
        middle = first[1:-1] if self.special else first
        return middle[-1] if middle and first == second else None

    def unreadable(self, texts: Sequence[str], ids: Sequence[Sequence[int]] | None = None) -> list[bool]:
        """Of each text, whether more than half of it (white space apart) lies in unknown tokens. `ids`: its tokens, if
        they are known already."""
        return [
            self._unknown is not None and self._unknown in tokens and self._unknown_share(text) > UNREADABLE_SHARE
            for text, tokens in zip(texts, self.ids(texts) if ids is None else ids, strict=True)
        ]

    def _unknown_share(self, text: str) -> float:
        spaced, _ = self._spaced(text)
        found = self._tokenizer.encode(spaced, add_special_tokens=False)
        spans = [span for span, token in zip(found.offsets, found.ids, strict=True) if token == self._unknown]
        unknown = sum(len("".join(spaced[start:end].split())) for start, end in spans)
        return unknown / max(len("".join(spaced.split())), 1)

    def _spaced(self, text: str) -> tuple[str, list[int]]:
        """The text with a space inside every overlong word, and where these spaces are in the new text."""
        if self._long_word is None or not self._long_word.search(text):
            return text, []
        cuts: list[int] = []
        for word in self._long_word.finditer(text):
            start = word.start()
            while word.end() - start > self._longest_word:
                cut = start + self._longest_word
                while cut > start + self._longest_word // 2 and unicodedata.category(text[cut]).startswith("M"):
                    cut -= 1  # a mark stays with its letter
                cuts.append(cut)
                start = cut
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        inserted = [length + n for n, length in enumerate(accumulate(map(len, pieces[:-1])))]
        return " ".join(pieces), inserted


def _open(folder: Path) -> tokenizers.Tokenizer:
    """tokenizer.json, or a BERT vocabulary of an older folder."""
    if (path := folder / "tokenizer.json").is_file():
        try:
            return tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception for every kind of damage
            raise ModelUnavailable(f"{path} cannot be read ({error}). Copy or download the model again.") from error
    if (path := folder / "vocab.txt").is_file():
        settings = read_json(folder / TOKENIZER_CONFIG)  # where it is silent, transformers' own defaults
        vocabulary = tokenizers.BertWordPieceTokenizer(
            str(path),
            lowercase=bool(settings.get("do_lower_case", True)),
            strip_accents=settings.get("strip_accents"),
            handle_chinese_chars=bool(settings.get("tokenize_chinese_chars", True)),
        )
        return tokenizers.Tokenizer.from_str(vocabulary.to_str())
    raise ModelUnavailable(
        f"{folder} has no tokenizer that can be read here: looked for {' and '.join(TOKENIZERS)}. "
        "Load the model once with sentence-transformers and save it again."
    )


def _lower_first(tokenizer: tokenizers.Tokenizer) -> None:
    from tokenizers.normalizers import Lowercase, Sequence

    own = tokenizer.normalizer
    tokenizer.normalizer = Sequence([Lowercase()] if own is None else [Lowercase(), own])
