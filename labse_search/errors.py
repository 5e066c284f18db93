"""The errors a person can meet.

UserError
├── ModelUnavailable     the model's name or folder gives no model
├── ModelMismatch        a collection was made with another model
├── StoreUnavailable     the store does not answer
│   └── CollectionDamaged  the files of one collection are not what was stored
├── CollectionMissing    no collection of that name
├── LedgerDamaged        the library's ledger is no longer readable
└── Unreadable           one file gives no text: `code` is stable, `detail` is for the log

Entry points turn a UserError into one line and exit status 2, the page into a message in place. Anything else is a
bug and stays loud.
"""

from __future__ import annotations

import traceback
from pathlib import Path


class UserError(Exception):
    """Something a person can fix. The text says what happened, with the value, and what to do next."""


class ModelUnavailable(UserError):
    pass


class ModelMismatch(UserError):
    pass


class StoreUnavailable(UserError):
    pass


class CollectionDamaged(StoreUnavailable):
    pass


class CollectionMissing(UserError):
    pass


class LedgerDamaged(UserError):
    pass


# What a person reads when a file gives no text. The keys are stable: the ledger stores them.
REASONS = {
    "empty": "This file is empty.",
    "no_text": "There is no text in this file.",
    "encrypted": "Protected by a password. Save a copy without the password and add that.",
    "no_text_layer": "A scan without text. Run OCR over it first, then add the result.",
    "damaged": "The file is damaged or is not what its name says. Open it and save it again.",
    "binary": "Not a text document.",
    "unsupported": "This format is not supported. Save it as PDF, DOCX or plain text.",
    "archive_bomb": "Unpacks to more than the limit. Unpack it yourself and add the files you need.",
    "archive_too_deep": "Archives inside archives inside archives. Unpack the outer one first.",
    "archive_too_many_files": "More files than the limit inside one archive. Unpack it first.",
    "link": "Points to another file, which is not followed. Add that file itself.",
    "too_large": "Larger than the limit for one file. Split it, or raise LABSE_MAX_FILE_MB.",
    "unsafe_xml": "The file declares its own XML entities, which is not read. Save it again with another program.",
    "too_slow": "Reading took longer than the time limit. Split the file, or save it as plain text.",
    "out_of_memory": "Reading needed more memory than the limit. Split the file.",
    "crashed": "The reader failed on this file. The other files are not affected.",
    "vanished": "The file was no longer there when its turn came.",
    "changing": "The file kept changing while it was read. Add it again when it is finished.",
    "not_permitted": "The file may not be read. Check its permissions.",
}


class Unreadable(UserError):
    """One file gives no text. `code` is a key of REASONS; `detail` is for the log and holds no document text."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(REASONS[code])
        self.code = code
        self.detail = detail


def arose_at(error: BaseException) -> str:
    """The kind of an unexpected error and where it arose, for the log: never its message, which may quote a document,
    a question or a key."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f", after {arose_at(cause)}" if cause is not None else ""
    return f"{type(error).__name__} at {where or 'no line'}{before}"
