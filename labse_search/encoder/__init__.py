"""Texts in, vectors out. The only package that runs a model for searching; torch is imported only when it is needed.

`load_encoder` opens a model by folder or hub name; `load_tokenizer` opens just its tokenizer, cheaply, for cutting
text to the model's window in processes that never encode.
"""

from labse_search.encoder.loading import PRECISIONS, default_model, load_encoder, load_tokenizer, open_encoder
from labse_search.encoder.protocols import CheckCancelled, Encoder, Task, Tokenizer, TokenStates

__all__ = [
    "PRECISIONS",
    "CheckCancelled",
    "Encoder",
    "Task",
    "TokenStates",
    "Tokenizer",
    "default_model",
    "load_encoder",
    "load_tokenizer",
    "open_encoder",
]
