"""Small real models, made on the spot: the LaBSE stack over a BERT of a few thousand weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

WORDS = """the a of and to in is cat dog house water sea river city bridge market bread salt wind rain sun night day
der die das und in ist katze hund haus wasser meer fluss stadt brücke markt brot salz wind regen sonne nacht tag
le la les et dans est chat chien maison eau mer fleuve ville pont marché pain sel vent pluie soleil nuit jour
кот собака дом вода море река город мост рынок хлеб соль ветер дождь солнце ночь день и в на""".split()


def make_tiny_labse(
    folder: Path,
    *,
    hidden: int = 32,
    layers: int = 2,
    heads: int = 4,
    window: int = 64,
    words: Iterable[str] = WORDS,
    pooling: str = "cls",
    act: str = "gelu",
    seed: int = 0,
) -> Path:
    """A sentence-transformers folder: Transformer(BERT), pooling, Dense(tanh), Normalize, random weights.

    The tokenizer is WordPiece over `words` and every character in them, as LaBSE's is (cased).
    """
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = list(dict.fromkeys(words))
    letters = sorted({letter for word in words for letter in word} | set("abcdefghijklmnopqrstuvwxyz0123456789"))
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,!?-"]
    vocabulary += letters + ["##" + letter for letter in letters] + [word for word in words if len(word) > 1]
    vocabulary = list(dict.fromkeys(vocabulary))
    bert = folder.with_name(folder.name + "-bert")
    bert.mkdir(parents=True)
    (bert / "vocab.txt").write_text("\n".join(vocabulary), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab=str(bert / "vocab.txt"), do_lower_case=False, model_max_length=window)
    tokenizer.save_pretrained(bert)
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=hidden * 4,
        hidden_act=act,
        max_position_embeddings=max(window, 64),
    )
    BertModel(config).save_pretrained(bert)
    transformer = Transformer(str(bert), max_seq_length=window)
    model = SentenceTransformer(
        modules=[
            transformer,
            Pooling(hidden, pooling_mode=pooling),
            Dense(hidden, hidden, activation_function=torch.nn.Tanh()),
            Normalize(),
        ],
        device="cpu",
    )
    model.save(str(folder), create_model_card=False)
    return folder


def make_tiny_xlmr(folder: Path, *, words: Iterable[str] = WORDS, seed: int = 0) -> Path:
    """A sentence-transformers folder of the XLM-R kind: Unigram tokenizer, positions from 2 on, mean pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from tokenizers import Tokenizer
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast, XLMRobertaConfig, XLMRobertaModel

    special = ["<s>", "<pad>", "</s>", "<unk>"]
    words = list(dict.fromkeys(words))
    letters = sorted({letter for word in words for letter in word} | set("abcdefghijklmnopqrstuvwxyz.,!?"))
    scored = [("▁" + word, -3 - len(word) / 10) for word in words] + [("▁", -2.5)] + [(one, -9.0) for one in letters]
    vocabulary = [(token, 0.0) for token in special] + list(dict(scored).items())
    tokenizer = Tokenizer(Unigram(vocabulary, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = Metaspace()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    base = folder.with_name(folder.name + "-base")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        unk_token="<unk>", pad_token="<pad>", model_max_length=64,
    ).save_pretrained(base)  # fmt: skip
    torch.manual_seed(seed)
    config = XLMRobertaConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
        max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
    )  # fmt: skip
    XLMRobertaModel(config).save_pretrained(base)
    modules = [Transformer(str(base), max_seq_length=64), Pooling(32, pooling_mode="mean"), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save(str(folder), create_model_card=False)
    return folder
