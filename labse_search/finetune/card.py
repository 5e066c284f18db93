"""The model card of a fine-tuned model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from labse_search.finetune.report import Outcome, table_rows
from labse_search.training.card import heading, is_hub_name


def card(run: Outcome, languages: Sequence[str]) -> str:
    """README.md of the model folder. `languages`: what the model reads, empty where the base does not say."""
    base = run.base_folder.name if not is_hub_name(run.config.model) else run.config.model
    config, after = run.config, run.tuned[run.verdict.alpha]
    counts = Counter(pair.language or "not named" for pair in run.data.training)
    table = "\n".join(
        f"| {name} | {before:.2f} | {now:.2f} | {now - before:+.2f} |"
        for name, before, now in table_rows(run.base, after)
    )
    by_language = "\n".join(f"| {name} | {count:,} |" for name, count in counts.most_common())
    report = "\n".join(f"* {line}" for line in run.data.report)
    plan, unseen, teacher = run.plan, "", ""
    if config.teacher:
        name = config.teacher if is_hub_name(config.teacher) else Path(config.teacher).name
        teacher = (
            f" Beside it a teacher, {name}: its vectors with weight {config.teacher_vectors:g}, its similarities in "
            f"the batch with {config.teacher_similarities:g} (Reimers & Gurevych, arXiv 2004.09813)."
        )
    if after.regression is None:
        unseen = "\n* No regression set was given: what it forgot outside its field was not measured."
    return (
        heading(
            tags=["sentence-transformers", "sentence-similarity", "feature-extraction"],
            base=run.base_folder,
            name=config.model,
            languages=languages,
        )
        + f"""
# {Path(config.output).name}

{base}, taught a field with pairs of texts that mean the same. Its vectors are not
interchangeable with the base's: a collection of documents must be indexed anew with it.

```python
from sentence_transformers import SentenceTransformer
model = SentenceTransformer("{Path(config.output).name}")
```

## Before and after

{len(run.data.dev):,} pairs of the field that share no text with training; each text looks for its partner among the
texts of the same two languages. In percent.

| | before | after | change |
|---|---|---|---|
{table}

Decision: accepted with alpha {run.verdict.alpha:g} ({run.verdict.reason}). Alpha is the share of the tuned weights
in the interpolation with the base's (WiSE-FT, arXiv 2109.01903).

## Data

{report}

| languages | pairs |
|---|---|
{by_language}

## Loss

Additive-margin softmax both ways (LaBSE, arXiv 2007.01852): scale {config.scale:g}, margin {config.used_margin:g},
{config.reduction} of the directions, {plan.global_batch} pairs a step over {plan.processes} processes,
{plan.negatives} negatives a row, {plan.steps:,} steps, peak learning rate {plan.learning_rate:g}, pooling
{config.pooling}, {run.seconds:.0f} seconds of training.{teacher}

## Limits

* It was measured on translation pairs of the field. Likeness that is not translation was not measured; models of this
  kind are weak at it.
* A small corpus teaches its words; other words of the field are as they were.{unseen}
"""
    )
