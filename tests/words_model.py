"""A model of random word vectors, the same every time: a BERT of one layer, in which [CLS] takes the mean of all words.

For tests of everything but the model itself, which start many processes: it is written and opened without torch. Texts
that share words are close to each other; translations are not.
"""

from __future__ import annotations

import atexit
import functools
import json
import re
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
from measured import save_usual_profile
from numpy.typing import NDArray
from safetensors.numpy import save_file
from tokenizers import Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers.models import WordPiece

from labse_search.encoder.hub import LABSE_MINI

TESTS = Path(__file__).resolve().parent
HIDDEN, WINDOW = 64, 256
MEAN = 100.0  # the mean counts that much more than [CLS]'s own vector
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": HIDDEN,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "intermediate_size": 4,
    "max_position_embeddings": WINDOW,
    "type_vocab_size": 1,
    "hidden_act": "gelu",
}
MODULES = {
    "": "sentence_transformers.base.modules.transformer.Transformer",
    "1_Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "2_Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}


@functools.cache
def words_model() -> Path:
    """A folder that lies there until this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="labse-words-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    vocabulary = _vocabulary()
    save_file(_weights(vocabulary), folder / "model.safetensors", {"format": "pt"})
    _save_tokenizer(vocabulary, folder)
    for name in MODULES:
        (folder / name).mkdir(exist_ok=True)
    _write(folder / "config.json", {**BERT, "vocab_size": len(vocabulary)})
    _write(folder / "sentence_bert_config.json", {"max_seq_length": WINDOW, "do_lower_case": False})
    _write(folder / "1_Pooling" / "config.json", {"embedding_dimension": HIDDEN, "pooling_mode": "cls"})
    _write(
        folder / "modules.json",
        [{"idx": n, "name": str(n), "path": path, "type": kind} for n, (path, kind) in enumerate(MODULES.items())],
    )
    shutil.copy(LABSE_MINI / "labse.json", folder)  # its languages
    save_usual_profile(folder)
    return folder


def _vocabulary() -> dict[str, int]:
    """Whole words of the questions and passages in tests/data, and every letter of most scripts."""
    text = " ".join(path.read_text(encoding="utf-8").lower() for path in sorted((TESTS / "data").glob("*.jsonl")))
    words = [word for word, _ in Counter(re.findall(r"\w+", text)).most_common(6000)]
    letters = [chr(code) for code in (*range(0x21, 0x3000), *range(0xAC00, 0xD7A4)) if chr(code).isprintable()]
    letters += sorted(set(text) - set(letters) - {" ", "\n"})
    letters += [chr(code) for code in range(0x3041, 0x9FFF)]
    inside = ["##" + letter for letter in letters if not "\u4e00" <= letter <= "\u9fff"]
    return {token: n for n, token in enumerate(dict.fromkeys((*SPECIAL, *letters, *inside, *words)))}


def _weights(vocabulary: dict[str, int]) -> dict[str, NDArray[np.float32]]:
    """LayerNorm makes every word's vector equally long; the first two numbers are [CLS]'s alone."""
    zeros, ones, square = np.zeros(HIDDEN, "f4"), np.ones(HIDDEN, "f4"), np.zeros((HIDDEN, HIDDEN), "f4")
    table = np.random.default_rng(0).standard_normal((len(vocabulary), HIDDEN), "f4")
    table[:, :2] = 0
    table[[vocabulary[token] for token in ("[PAD]", "[SEP]", "[MASK]")]] = 0
    table[vocabulary["[CLS]"]] = [1, -1, *[0] * (HIDDEN - 2)]
    value = np.diag(np.float32([0, 0, *[1] * (HIDDEN - 2)]))
    layer = "encoder.layer.0"
    linears = {
        f"{layer}.attention.self.query": (square, zeros),
        f"{layer}.attention.self.key": (square, zeros),  # nothing is asked, so all words count alike
        f"{layer}.attention.self.value": (value, zeros),
        f"{layer}.attention.output.dense": (MEAN * np.eye(HIDDEN, dtype="f4"), zeros),
        f"{layer}.intermediate.dense": (np.zeros((4, HIDDEN), "f4"), np.zeros(4, "f4")),
        f"{layer}.output.dense": (np.zeros((HIDDEN, 4), "f4"), zeros),
        "embeddings.LayerNorm": (ones, zeros),
        f"{layer}.attention.output.LayerNorm": (ones, zeros),
        f"{layer}.output.LayerNorm": (ones, zeros),
    }
    weights = {"embeddings.word_embeddings.weight": table}
    weights["embeddings.position_embeddings.weight"] = np.zeros((WINDOW, HIDDEN), "f4")
    weights["embeddings.token_type_embeddings.weight"] = np.zeros((1, HIDDEN), "f4")
    for name, (weight, bias) in linears.items():
        weights |= {f"{name}.weight": weight.copy(), f"{name}.bias": bias.copy()}
    return weights


def _save_tokenizer(vocabulary: dict[str, int], folder: Path) -> None:
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    named = {f"{token[1:-1].lower()}_token": token for token in SPECIAL}
    _write(folder / "tokenizer_config.json", {"tokenizer_class": "BertTokenizerFast", **named})


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")
