"""What an encoder has learnt, on texts that it never trains on."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedTokenizerFast

from labse_search.pretrain.config import PretrainConfig
from labse_search.pretrain.data import Data
from labse_search.pretrain.masking import MaskedDataset, make_collator


class HeldOutLoss:
    """The loss on lines and on pairs that training never sees, under masks that are always the same."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, data: Data, config: PretrainConfig) -> None:
        self.tokenizer = tokenizer
        self.config = config
        lines = MaskedDataset(tokenizer, [line for _, line in data.held_lines], [])
        pairs = MaskedDataset(tokenizer, [], [(pair.source, pair.target) for pair in data.held_pairs])
        self.kinds = {name: texts for name, texts in (("mlm", lines), ("tlm", pairs)) if len(texts)}

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def measure(self, encoder: Any) -> dict[str, float]:
        """Mean cross entropy of the masked tokens, by kind (mlm, tlm)."""
        training, device = encoder.training, next(encoder.parameters()).device
        encoder.eval()
        found = {}
        for name, data in self.kinds.items():
            collator = make_collator(self.config, self.tokenizer, encoder, seed=self.config.seed)
            total = count = 0.0
            with torch.random.fork_rng():
                torch.manual_seed(self.config.seed)
                for at in range(0, len(data), 32):
                    rows = [data[row] for row in range(at, min(at + 32, len(data)))]
                    batch = {key: value.to(device) for key, value in collator(rows).items()}
                    masked = int((batch["labels"] != -100).sum())
                    if masked:
                        total += float(encoder(**batch).loss) * masked
                        count += masked
            found[name] = total / max(1.0, count)
        encoder.train(training)
        return found
