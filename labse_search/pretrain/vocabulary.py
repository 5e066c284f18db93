"""Train a vocabulary on texts, or take another model's: either way a fast tokenizer that writes [CLS] text [SEP]."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from labse_search.errors import UserError

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_vocabulary(
    texts: Iterator[str], *, size: int, pieces: Literal["wordpiece", "unigram"], window: int
) -> PreTrainedTokenizerFast:
    """Cased, NFKC, Chinese characters apart, as LaBSE's; unigram does better where words have no spaces between."""
    if pieces == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.NFKC(), normalizers.BertNormalizer(lowercase=False, strip_accents=False)]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(
            vocab_size=size, special_tokens=SPECIAL, min_frequency=2, show_progress=False
        )
    else:
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=size, special_tokens=SPECIAL, unk_token="[UNK]", show_progress=False
        )
    tokenizer.train_from_iterator(texts, trainer)
    return as_bert(tokenizer, window)


def as_bert(tokenizer: Tokenizer, window: int) -> PreTrainedTokenizerFast:
    """The tokenizer with BERT's special tokens around each text. UserError when it has none of them."""
    ids = {token: tokenizer.token_to_id(token) for token in SPECIAL}
    missing = [token for token, number in ids.items() if number is None]
    if missing:
        raise UserError(f"the vocabulary has no {', '.join(missing)}: it cannot start an encoder. Train one instead.")
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=window,
    )
