"""How fast the encoder is, against sentence-transformers, on a LaBSE-shaped model of random weights made on the spot.

    python -m benchmarks.encoder [--quick] [--json]
    python -m benchmarks.encoder --in-turn 5                          # where the machine's speed drifts
    ONEDNN_MAX_CPU_ISA=AVX2 python -m benchmarks.encoder --quick      # as on an older processor

Every variant runs in a process of its own: load time, peak memory, one query at a time, sentences, 120-token passages.
Ratios are to sentence-transformers' default within the same run; other programs on the machine disturb all alike. Where
they disturb too much, look at the ratios per second of processor time (cpu), with OMP_NUM_THREADS=1: with more threads
the time that they spend waiting for each other counts too.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from labse_search.encoder.hub import LABSE_MINI
from labse_search.encoder.safetensors import write_tensors

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY, HIDDEN, LAYERS, HEADS, INNER = 501_153, 768, 12, 12, 3072  # LaBSE
LABSE_VARIANTS = ("st-fp32", "st-bf16", "ours-fp32", "ours-bf16", "ours-auto")
MINI_VARIANTS = ("st-fp32", "st-bf16", "ours-fp32", "ours-auto")
# First code point of an alphabet, letters in it, letters a word: scripts differ in characters a token, which is what
# sorting by characters gets wrong.
ALPHABETS = ((0x61, 26, 6), (0x430, 32, 7), (0x3B1, 24, 8), (0x5D0, 22, 4), (0xE01, 40, 3), (0x4E00, 9000, 1))


# --- what is measured on ---------------------------------------------------------------------------------------------


def make_labse_shape(folder: Path, *, vocabulary: int = VOCABULARY, layers: int = LAYERS) -> Path:
    """A sentence-transformers folder with LaBSE's stack, sizes and float32 weights, all random."""
    draw = np.random.default_rng(0)
    words = _words(vocabulary)
    for name, content in _settings(len(words), layers).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    tensors: dict[str, tuple[str, tuple[int, ...], Any]] = {}

    def add(name: str, *shape: int, mean: float = 0.0, spread: float = 0.02) -> None:
        values = draw.standard_normal(shape, dtype=np.float32) * np.float32(spread) + np.float32(mean)
        tensors[name] = ("F32", shape, values)

    add("embeddings.word_embeddings.weight", len(words), HIDDEN)
    add("embeddings.position_embeddings.weight", 512, HIDDEN)
    add("embeddings.token_type_embeddings.weight", 2, HIDDEN)
    norms = ["embeddings.LayerNorm"]
    for n in range(layers):
        layer = f"encoder.layer.{n}"
        linears = [(f"attention.self.{part}", HIDDEN, HIDDEN) for part in ("query", "key", "value")]
        linears += [("attention.output.dense", HIDDEN, HIDDEN), ("intermediate.dense", INNER, HIDDEN)]
        linears += [("output.dense", HIDDEN, INNER)]
        for name, rows, columns in linears:
            add(f"{layer}.{name}.weight", rows, columns)
            add(f"{layer}.{name}.bias", rows)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name in norms:
        add(f"{name}.weight", HIDDEN, mean=1.0)
        add(f"{name}.bias", HIDDEN)
    add("pooler.dense.weight", HIDDEN, HIDDEN)
    add("pooler.dense.bias", HIDDEN)
    write_tensors(folder / "model.safetensors", tensors)
    tensors.clear()
    add("linear.weight", HIDDEN, HIDDEN)
    add("linear.bias", HIDDEN)
    write_tensors(folder / "2_Dense" / "model.safetensors", tensors)
    return folder


def _words(n: int) -> list[str]:
    draw = random.Random(1)
    letters = {chr(start + n) for start, count, _ in ALPHABETS for n in range(count)}
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(letters), *("##" + one for one in sorted(letters))]
    words = words[: max(n, 100)]
    known = set(words)
    while len(words) < n:
        start, count, length = ALPHABETS[len(words) % (len(ALPHABETS) - 1)]
        word = "".join(chr(start + draw.randrange(count)) for _ in range(max(2, length + draw.randint(-2, 3))))
        if word not in known:
            known.add(word)
            words.append(word)
    return words


def _settings(size: int, layers: int) -> dict[str, Any]:
    """The JSON files of the folder, by path."""
    base, own = "sentence_transformers.base.modules", "sentence_transformers.sentence_transformer.modules"
    kinds = [f"{base}.transformer.Transformer", f"{own}.pooling.Pooling", f"{base}.dense.Dense"]
    kinds += [f"{base}.normalize.Normalize"]
    paths = ["", "1_Pooling", "2_Dense", "3_Normalize"]
    words = _words(size)
    ends = {name: {"id": name, "ids": [n], "tokens": [name]} for n, name in ((2, "[CLS]"), (3, "[SEP]"))}
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    pieces = [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    pieces += [{"SpecialToken": {"id": "[SEP]", "type_id": 0}}]
    return {
        "modules.json": [
            {"idx": n, "name": str(n), "path": path, "type": kind}
            for n, (path, kind) in enumerate(zip(paths, kinds, strict=True))
        ],
        "config.json": {
            "architectures": ["BertModel"], "model_type": "bert", "hidden_size": HIDDEN, "num_hidden_layers": layers,
            "num_attention_heads": HEADS, "intermediate_size": INNER, "hidden_act": "gelu", "vocab_size": size,
            "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
            "dtype": "float32",
        },
        "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
        "tokenizer_config.json": {
            "tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 512, "cls_token": "[CLS]",
            "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]",
        },
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None,
            "added_tokens": [{"id": n, "content": word, **flags, "special": True} for n, word in enumerate(words[:5])],
            "normalizer": {
                "type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                "lowercase": False,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing", "single": pieces, "pair": pieces, "special_tokens": ends,
            },
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {
                "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100, "vocab": {word: n for n, word in enumerate(words)},
            },
        },
        "1_Pooling/config.json": {"embedding_dimension": HIDDEN, "pooling_mode": "cls", "include_prompt": True},
        "2_Dense/config.json": {
            "in_features": HIDDEN, "out_features": HIDDEN, "bias": True,
            "activation_function": "torch.nn.modules.activation.Tanh",
        },
        "3_Normalize/config.json": {},
    }  # fmt: skip


def make_texts(folder: Path, *, sentences: int, passages: int) -> dict[str, list[str]]:
    """Sentences of 6 to 100 tokens (30 on average) in mixed scripts, passages of 120, queries of 10."""
    from tokenizers import Tokenizer

    draw = random.Random(2)
    words = sorted(Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab())
    of_script = [
        [word for word in words if start <= ord(word[0]) < start + count and (len(word) > 1 or start == 0x4E00)]
        for start, count, _ in ALPHABETS
    ]

    def text(tokens: int) -> str:
        # Frequent words are frequent: a power of a uniform number, about Zipf.
        own = draw.choice(of_script)
        return " ".join(own[int(len(own) * draw.random() ** 4)] for _ in range(tokens - 2))

    lengths = [min(100, max(6, round(draw.lognormvariate(3.28, 0.5)))) for _ in range(sentences)]
    return {
        "sentences": [text(n) for n in lengths],
        "passages": [text(120) for _ in range(passages)],
        "queries": [text(10) for _ in range(40)],
    }


# --- one variant, in a process of its own ----------------------------------------------------------------------------


def measure(variant: str, model: Path, texts: dict[str, list[str]], repeats: int, vectors: Path) -> dict[str, Any]:
    import torch

    if variant.startswith("st"):
        import sentence_transformers  # noqa: F401  # its import is not loading time
    else:
        import labse_search.encoder.packed  # noqa: F401
    start = time.perf_counter()
    encode, describe = _open(variant, model)
    loaded = time.perf_counter() - start
    encode(texts["queries"][:3])
    waits = [_seconds(lambda query=query: encode([query])) for query in texts["queries"]]
    np.save(vectors, encode(texts["sentences"]))
    measured: dict[str, Any] = {"variant": variant, "describe": describe, "load_seconds": round(loaded, 2)}
    measured["query_ms_p50"], measured["query_ms_p95"] = (
        round(float(np.percentile(waits, share)) * 1e3, 1) for share in (50, 95)
    )
    with Ticker() as ticker:
        for kind in ("sentences", "passages"):
            used = time.process_time()
            runs = [len(texts[kind]) / _seconds(lambda kind=kind: encode(texts[kind])) for _ in range(repeats)]
            used = time.process_time() - used
            measured[f"{kind}_per_second"] = round(float(np.median(runs)), 1)
            measured[f"{kind}_per_cpu_second"] = round(len(texts[kind]) * repeats / used, 2)
            measured[f"{kind}_spread"] = [round(min(runs), 1), round(max(runs), 1)]
    measured["interpreter_held_ms"] = round(ticker.longest * 1e3)
    measured.update(_memory())
    if variant.startswith("ours"):
        dtype = torch.bfloat16 if "bf16" in describe else torch.float32
        peak = matmul_peak(dtype)
        spent = _flops(model, texts["sentences"]) / len(texts["sentences"]) * measured["sentences_per_second"]
        measured["matmul_peak_gflops"], measured["share_of_peak"] = round(peak / 1e9), round(spent / peak, 3)
    return measured


def _open(variant: str, model: Path) -> tuple[Callable[[list[str]], Any], str]:
    if variant.startswith("ours"):
        from labse_search.encoder import load_encoder

        encoder = load_encoder(str(model), precision=variant.removeprefix("ours-"))
        return encoder.encode, encoder.describe()
    import torch
    from sentence_transformers import SentenceTransformer

    kind = torch.bfloat16 if variant == "st-bf16" else torch.float32
    peer = SentenceTransformer(str(model), device="cpu", model_kwargs={"dtype": kind})

    def encode(texts: list[str]) -> Any:
        return peer.encode(texts, convert_to_tensor=True, show_progress_bar=False).float().numpy()

    return encode, f"sentence-transformers defaults, {kind}"


class Ticker:
    """A thread that wants the interpreter every millisecond: the longest it had to wait, in seconds."""

    def __enter__(self) -> Ticker:
        self.longest, self._stop = 0.0, False
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()
        return self

    def _tick(self) -> None:
        while not self._stop:
            start = time.perf_counter()
            time.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - start - 0.001)

    def __exit__(self, *_: object) -> None:
        self._stop = True
        self._thread.join()


def matmul_peak(dtype: Any) -> float:
    """FLOP/s of a prepacked multiplication of 2,048 × 768 × 3,072, best of many."""
    import torch

    from labse_search.encoder.kernels import prepare

    layer = prepare(torch.randn(INNER, HIDDEN), torch.zeros(INNER), dtype)
    rows = torch.randn(2048, HIDDEN).to(dtype)
    layer(rows)
    return 2 * 2048 * HIDDEN * INNER / min(_seconds(lambda: layer(rows)) for _ in range(25))


def _flops(model: Path, texts: list[str]) -> float:
    """Multiplications and additions that our path executes for the texts: the last layer mostly for [CLS] alone."""
    from labse_search.encoder import load_tokenizer

    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    linear = 2 * (4 * hidden * hidden + 2 * hidden * inner)
    total = 0.0
    for tokens in load_tokenizer(str(model)).count(texts):
        total += (config["num_hidden_layers"] - 1) * tokens * (linear + 4 * tokens * hidden)
        total += tokens * 4 * hidden * hidden + linear - 4 * hidden * hidden + 4 * tokens * hidden
    return total


def _memory() -> dict[str, int]:
    """Of this process so far, in MB: the most that was resident, and what is its own now. Linux only."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return {
        "peak_mb": int(lines["VmHWM"].split()[0]) // 1024,
        "anonymous_mb": int(lines["RssAnon"].split()[0]) // 1024,
    }


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# --- both in one process, in turn -------------------------------------------------------------------------------------


def in_turn(model: Path, texts: dict[str, list[str]], rounds: int) -> dict[str, str]:
    """How many times as fast ours is as the default: median, least and most of `rounds` pairs of measurements one after
    the other, which drift with the machine together; with all cores free, and beside a process that keeps one busy."""
    peer, _ = _open("st-fp32", model)
    own, _ = _open("ours-auto", model)
    found = {}
    for beside in ("", " beside a busy process"):
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if beside else None
        for kind in ("sentences", "passages"):
            peer(texts[kind][:8]), own(texts[kind][:8])
            ratios = sorted(
                _seconds(lambda kind=kind: peer(texts[kind])) / _seconds(lambda kind=kind: own(texts[kind]))
                for _ in range(rounds)
            )
            found[kind + beside] = f"{np.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        if busy is not None:
            busy.kill()
            busy.wait()
    return found


# --- queries while another process encodes in bulk -------------------------------------------------------------------


def under_load(model: Path, texts: dict[str, list[str]], folder: Path) -> dict[str, float]:
    """p50 and p95 of a query in milliseconds: alone, beside bulk work, and beside bulk work that takes turns."""
    from labse_search.encoder import load_encoder
    from labse_search.encoder.priority import QueryPriority

    encoder = load_encoder(str(model))
    priority = QueryPriority(folder / "queries")
    encoder.encode(texts["queries"][:5])

    def query(text: str) -> None:
        with priority.query():
            encoder.encode([text])

    measured: dict[str, float] = {}
    for name, arguments in (("alone", None), ("beside_bulk", []), ("taking_turns", ["--turns", str(folder / "turns")])):
        bulk = None
        if arguments is not None:
            command = [sys.executable, "-m", "benchmarks.encoder", "--bulk", str(model), *arguments]
            bulk = subprocess.Popen(
                ["nice", "-n", "10", *command, "--texts", str(folder / "texts.json")], cwd=ROOT, stdout=subprocess.PIPE
            )
            assert bulk.stdout is not None
            bulk.stdout.readline()  # it says when it is at work
        waits = []
        for text in texts["queries"]:
            waits.append(_seconds(lambda text=text: query(text)))
            time.sleep(0.1)  # a person asks, reads, asks again
        if bulk is not None:
            bulk.kill()
            bulk.wait()
        for share in (50, 95):
            measured[f"{name}_ms_p{share}"] = round(float(np.percentile(waits, share)) * 1e3, 1)
    priority.close()
    return measured


def work_in_bulk(model: Path, texts: list[str], turns: str) -> None:
    """Encode until killed."""
    from labse_search.encoder import load_encoder
    from labse_search.encoder.priority import QueryPriority

    encoder = load_encoder(str(model))
    wait_for_queries = QueryPriority(Path(turns)).wait_for_queries if turns else None
    encoder.encode(texts[:64])
    print("at work", flush=True)
    while True:
        encoder.encode(texts, check_cancelled=wait_for_queries)


# --- the whole -------------------------------------------------------------------------------------------------------


def compare(model: Path, variants: tuple[str, ...], texts: dict[str, list[str]], repeats: int) -> list[dict[str, Any]]:
    """A row a variant, with ratios to the first one and the agreement of the vectors with it."""
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
        reference = None
        for variant in variants:
            vectors = Path(scratch) / f"{variant}.npy"
            command = [sys.executable, "-m", "benchmarks.encoder", "--one", variant, "--model", str(model)]
            command += ["--texts", f"{scratch}/texts.json", "--repeats", str(repeats), "--vectors", str(vectors)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            row = json.loads(done.stdout.strip().splitlines()[-1])
            found = np.load(vectors)
            if reference is None:
                reference = found
            rows.append({**row, **_ratios(row, rows[0] if rows else row), **_agreement(reference, found)})
            print(".", end="", file=sys.stderr, flush=True)
    return rows


def _ratios(row: dict[str, Any], first: dict[str, Any]) -> dict[str, float]:
    kinds = ("sentences", "passages")
    rates = [(f"{kind}_{name}ratio", f"{kind}_per_{name}second") for kind in kinds for name in ("", "cpu_")]
    return {ratio: round(row[rate] / first[rate], 2) for ratio, rate in rates}


def _agreement(reference: Any, found: Any) -> dict[str, float]:
    cosines = (reference * found).sum(axis=1) / np.linalg.norm(reference, axis=1) / np.linalg.norm(found, axis=1)
    nearest = []
    for vectors in (reference, found):
        scores = vectors @ vectors.T
        np.fill_diagonal(scores, -np.inf)
        nearest.append(scores.argmax(axis=1))
    return {
        "cosine_mean": round(float(cosines.mean()), 5),
        "cosine_min": round(float(cosines.min()), 5),
        "same_nearest": round(float((nearest[0] == nearest[1]).mean()), 3),
    }


def print_table(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}\n")
    columns = (
        "variant", "sentences_per_second", "sentences_ratio", "sentences_cpu_ratio", "passages_per_second",
        "passages_ratio", "passages_cpu_ratio", "query_ms_p50", "query_ms_p95", "load_seconds", "peak_mb",
        "anonymous_mb", "cosine_mean", "cosine_min", "same_nearest", "share_of_peak", "interpreter_held_ms",
    )  # fmt: skip
    print("| " + " | ".join(column.replace("_", " ") for column in columns) + " |")
    print("|" + "---|" * len(columns))
    for row in rows:
        print("| " + " | ".join(str(row.get(column, "")) for column in columns) + " |")
    for row in rows:
        peak = f"; matmul peak {row['matmul_peak_gflops']} GFLOP/s" if "matmul_peak_gflops" in row else ""
        print(f"{row['variant']}: {row['describe']}{peak}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.encoder", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--quick", action="store_true", help="fewer texts, one repeat")
    parser.add_argument("--sentences", type=int, default=0)
    parser.add_argument("--vocabulary", type=int, default=0, help="rows of the table; default: LaBSE's 501,153")
    parser.add_argument("--variants", default="", help=f"with commas, of {', '.join(LABSE_VARIANTS)}")
    parser.add_argument("--mini-only", action="store_true", help="labse-mini alone, without LaBSE's shape")
    parser.add_argument("--no-load", action="store_true", help="leave out queries under load")
    parser.add_argument(
        "--in-turn", type=int, default=0, metavar="N", help="only the ratios to the default, of N pairs taken in turn"
    )
    for internal in ("--one", "--model", "--texts", "--vectors", "--bulk", "--turns"):
        parser.add_argument(internal, default="", help=argparse.SUPPRESS)
    parser.add_argument("--repeats", type=int, default=0, help="of every measurement; the median counts")
    options = parser.parse_args()
    if options.one or options.bulk:
        texts = json.loads(Path(options.texts).read_text(encoding="utf-8"))
        if options.bulk:
            work_in_bulk(Path(options.bulk), texts["sentences"], options.turns)
        row = measure(options.one, Path(options.model), texts, options.repeats, Path(options.vectors))
        print(json.dumps(row))
        return 0
    if options.in_turn:
        print(json.dumps(both_in_turn(options.in_turn), indent=1))
        return 0
    repeats = options.repeats or (1 if options.quick else 3)
    sentences = options.sentences or (96 if options.quick else 192)
    variants = tuple(options.variants.split(",")) if options.variants else LABSE_VARIANTS
    found = {} if options.mini_only else labse_shape(options, sentences, variants, repeats)
    mini = {**mini_texts(2000 if options.quick else 8000)}
    found["labse_mini"] = compare(LABSE_MINI, MINI_VARIANTS, mini, repeats)
    found["machine"] = {"cores": os.cpu_count(), "isa_limit": os.environ.get("ONEDNN_MAX_CPU_ISA", "none")}
    if options.json:
        print(json.dumps(found, indent=1))
        return 0
    if "labse_shape" in found:
        print_table(f"LaBSE shape, {sentences} sentences, {repeats} repeats", found["labse_shape"])
    if "query_under_load" in found:
        print(f"\nquery beside another process that encodes in bulk: {found['query_under_load']}")
    print_table("labse-mini", found["labse_mini"])
    return 0


def both_in_turn(rounds: int) -> dict[str, dict[str, str]]:
    """The ratios with LaBSE's shape and with labse-mini."""
    with tempfile.TemporaryDirectory() as scratch:
        model = make_labse_shape(Path(scratch) / "model", vocabulary=60_000)
        found = {"LaBSE shape": in_turn(model, make_texts(model, sentences=64, passages=32), rounds)}
    return {**found, "labse-mini": in_turn(LABSE_MINI, mini_texts(2000), rounds)}


def labse_shape(options: argparse.Namespace, sentences: int, variants: Sequence[str], repeats: int) -> dict[str, Any]:
    """What is found with a model of LaBSE's shape, made on the spot."""
    with tempfile.TemporaryDirectory() as scratch:
        # A small table for --quick: speed is the same without its pages, only load time and memory are not LaBSE's.
        vocabulary = options.vocabulary or (60_000 if options.quick else VOCABULARY)
        model = make_labse_shape(Path(scratch) / "model", vocabulary=vocabulary)
        texts = make_texts(model, sentences=sentences, passages=sentences // 4)
        found: dict[str, Any] = {"labse_shape": compare(model, variants, texts, repeats)}
        if not options.no_load:
            (Path(scratch) / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
            found["query_under_load"] = under_load(model, texts, Path(scratch))
    return found


def mini_texts(n: int) -> dict[str, list[str]]:
    """Sentences of the words that labse-mini knows, in random order."""
    from tokenizers import Tokenizer

    draw = random.Random(4)
    known = sorted(Tokenizer.from_file(str(LABSE_MINI / "tokenizer.json")).get_vocab())
    words = [word[1:] for word in known if word.startswith("▁") and len(word) > 2]
    texts = [" ".join(draw.choices(words, k=draw.randint(4, 25))) for _ in range(n)]
    passages = [" ".join(draw.choices(words, k=90)) for _ in range(n // 10)]
    return {"sentences": texts, "passages": passages, "queries": texts[:40]}


if __name__ == "__main__":
    sys.exit(main())
