"""Documents that are translations of each other, and two of them side by side."""

from __future__ import annotations

ALIGN: dict[str, str | tuple[str, str]] = {
    "trans_title": "Translations",
    "trans_note": "Documents with the same passages in another language, in the same order: found by "
    "themselves when documents are added.",
    "trans_none": "No document is a translation of another one.",
    "trans_looking": "Looking for translations and copies",
    "trans_open": "Side by side",
    "trans_kept": "Read side by side so far",
    "trans_choose": "Read any two documents side by side",
    "trans_first": "First document",
    "trans_second": "Second document",
    "trans_forget": "Forget",
    "trans_forget_sure": "Forget this alignment, with everything that was corrected in it?",
    "trans_also": "Also in {language}: {name}",
    "copies_title": "Copies",
    "copies_note": "Documents with mostly the same text; side by side shows what is different in them.",
    "copies_once": "the same file, kept once",
    "align_title": "Side by side",
    "align_running": "Aligning the sentences",
    "align_merge": "Merge with next",
    "align_split": "Split",
    "align_unlink": "Unlink",
    "align_undo": "Take back",
    "align_alone": "Only on the other side",
    "align_keys": "Arrow keys move. m merges with the next line, s splits, x unlinks, u takes back.",
    "align_review": "Pairs into the review list",
    "align_reviewed": "{n} pairs, {new} of them new on the review list",
    "trans_pairs": ("{n} pair", "{n} pairs"),
}
