"""Real tokenizers, made on the spot: one token a word, or one token a character."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import Regex, models, pre_tokenizers, processors


class TinyTokenizer:
    """The Tokenizer protocol over the tokenizers library, with [CLS] and [SEP] around every text."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self.identity = "tiny"
        self.calls = 0  # of ids
        self._tokenizer = tokenizer

    @classmethod
    def of_words(cls, max_tokens: int) -> TinyTokenizer:
        return cls(_tiny(pre_tokenizers.WhitespaceSplit()), max_tokens)

    @classmethod
    def of_characters(cls, max_tokens: int) -> TinyTokenizer:
        return cls(_tiny(pre_tokenizers.Split(Regex("[\\s\\S]"), "isolated")), max_tokens)

    @classmethod
    def of_model(cls, folder: Path, max_tokens: int) -> TinyTokenizer:
        return cls(tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json")), max_tokens)

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in self.ids(texts)]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        self.calls += 1
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(list(texts))]

    def unreadable(self, texts: Sequence[str], ids: Sequence[Sequence[int]] | None = None) -> list[bool]:
        return [False for _ in texts]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)


def _tiny(pre_tokenizer: object) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(models.WordLevel({"[UNK]": 0, "[CLS]": 1, "[SEP]": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return tokenizer
