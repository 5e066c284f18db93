"""The errors a person can meet.

UserError
├── ModelUnavailable     the model's name or folder gives no model
├── ModelMismatch        a collection was made with another model
├── StoreUnavailable     the store does not answer
│   └── CollectionDamaged  the files of one collection are not what was stored
├── CollectionMissing    no collection of that name
├── CollectionForeign    a collection on a server belongs to another home, which alone may change it
├── CollectionElsewhere  a collection of this home is kept in another store than the one that was asked for
├── LedgerDamaged        the library's ledger is no longer readable
└── Unreadable           one file gives no text: `code` is stable, `detail` is for the log

Entry points turn a UserError, and what the system refuses of a file, into one line and exit status 2 (`told`), the page
into a message in place. Anything else is a bug and stays loud.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import select
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

P = ParamSpec("P")
UNREAD = 141  # 128 + SIGPIPE


class UserError(Exception):
    """Something a person can fix. The text says what happened, with the value, and what to do next."""


class ModelUnavailable(UserError):
    """The model's folder or hub name cannot be opened here."""

    pass


class ModelMismatch(UserError):
    """The vectors of two models cannot be compared."""

    pass


class StoreUnavailable(UserError):
    """The store does not answer, or answers with an error."""

    pass


class CollectionDamaged(StoreUnavailable):
    """The files of a collection are not what was stored; it can be built again from the originals."""

    pass


class CollectionMissing(UserError):
    """The store has no collection of this name."""

    pass


class CollectionForeign(UserError):
    """The collection on a server belongs to another home, which alone may change it."""

    pass


class CollectionElsewhere(UserError):
    """The ledger describes what another store holds of this collection: here nothing may be believed of it."""

    pass


class LedgerDamaged(UserError):
    """The ledger's file cannot be read as what it was written."""

    pass


# What a person reads when a file gives no text. The keys are stable: the ledger stores them.
REASONS = {
    "empty": "This file is empty.",
    "no_text": "There is no text in this file.",
    "encrypted": "Protected by a password. Save a copy without the password and add that.",
    "no_text_layer": "A scan without text. Install Tesseract and set LABSE_OCR=auto, or run OCR over it first.",
    "damaged": "The file is damaged or is not what its name says. Open it and save it again.",
    "binary": "Not a text document.",
    "unsupported": "This format is not supported. Save it as PDF, DOCX or plain text.",
    "needs_program": "Another program is needed to read this format: install LibreOffice, or save it as PDF or DOCX.",
    "needs_package": "An extra package is needed: pip install extract-msg for .msg, libpff-python for .pst, .ost. Or "
    "save the message as .eml, or turn the .pst into mailboxes with readpst (apt install pst-utils).",
    "archive_bomb": "Unpacks to more than the limit. Unpack it yourself and add the files you need.",
    "archive_too_deep": "Archives inside archives inside archives. Unpack the outer one first.",
    "archive_too_many_files": "More files than the limit inside one archive. Unpack it first.",
    "link": "A link that is not followed. Add what it points to.",
    "link_broken": "A link to something that does not exist.",
    "special": "Not a file but a pipe, a socket or a device.",
    "too_large": "Larger than the limit for one file. Split it, or raise LABSE_MAX_FILE_MB.",
    "unsafe_xml": "The file declares its own XML entities, which is not read. Save it again with another program.",
    "too_slow": "Reading took longer than the time limit. Split the file, or save it as plain text.",
    "out_of_memory": "Reading needed more memory than the limit. Split the file.",
    "crashed": "The reader failed on this file. The other files are not affected.",
    "vanished": "The file was no longer there when its turn came.",
    "changing": "The file kept changing while it was read. Add it again when it is finished.",
    "private": "Belongs to labse-search itself, which is never indexed.",
    "not_permitted": "The file may not be read. Check its permissions.",
}


# Notes of the readers, as a person reads them; {detail} is "3-7", a number, or the name of an encoding or a member.
NOTES = {
    "pages_without_text": "Pages without text: {detail}. Install Tesseract and set LABSE_OCR=auto to read them.",
    "pages_damaged": "Damaged pages left out: {detail}.",
    "slides_damaged": "Damaged slides left out: {detail}.",
    "lines_damaged": "Damaged lines left out: {detail}.",
    "undecodable_bytes": "Some bytes were not readable as text ({detail}).",
    "undecodable_characters": "Some characters have no meaning outside the file's own font ({detail}).",
    "member_skipped": "Left out of the archive: {detail}.",
    "attachment_skipped": "Attachment left out: {detail}.",
    "body_skipped": "Part of the message left out: {detail}.",
    "navigation_skipped": "Menus and footers of the web page were left out.",
    "outputs_skipped": "Outputs of the notebook were left out.",
    "encoding_guessed": "Read as {detail}: a guess from its bytes.",
    "unreadable": "The model cannot read {detail}: found by their words only.",
    "read_as": "Read as {detail}, which is what it contains.",
    "read_as_text": "Read as plain text.",
    "message_skipped": "Mails of the mailbox left out: {detail}.",
    "encoding_mixed": "Two encodings in one file: {detail}.",
    "mojibake_repaired": "Letters that another program had garbled were repaired ({detail}).",
    "frames_skipped": "The page shows other pages in frames, which are files of their own ({detail}).",
    "outputs_cut": "Long outputs of the notebook were cut ({detail} cells).",
    "formulas_without_value": "Formulas without a stored result: {detail}. Open the file, save it, and add it again.",
    "hidden_columns": "Hidden columns are read, too: {detail}.",
    "pictures_on_pages": "Pages with pictures whose text is not read: {detail}.",
    "ocr": "Text recognised in pictures: {detail}.",
    "text_outside_page": "Text outside the visible page: {detail}.",
}


def note_sentence(code: str, detail: str) -> str:
    """What a reader noted of a file, as a person reads it."""
    return NOTES[code].format(detail=detail) if code in NOTES else f"{code}: {detail}"


class Unreadable(UserError):
    """One file gives no text. `code` is a key of REASONS; `detail` is for the log and holds no document text."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(REASONS[code])
        self.code = code
        self.detail = detail


def _system_sentence(error: OSError) -> str:
    """What the system refused, as a person would say it: a full disk and a place that may not be written by name."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{place}. Nothing that was there has changed. Free some space and try again."
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return f"This place may not be written{place}: {error.strerror}. Choose another one."
    return str(error)


def told(error: UserError | OSError) -> str:
    """The line that an entry point prints. What the system refused of no file and of no disk is a bug and goes on."""
    if isinstance(error, UserError):
        return str(error)
    if error.filename is None and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise error
    return _system_sentence(error)


def quiet_when_unread(main: Callable[P, int]) -> Callable[P, int]:
    """A command that ends without a word where whoever read its output has gone (`| head`), with the status that a
    shell gives to other programs then."""

    @functools.wraps(main)
    def run(*arguments: P.args, **named: P.kwargs) -> int:
        try:
            try:
                return main(*arguments, **named)
            finally:
                sys.stdout.flush()  # or the rest is written, and fails, when the interpreter ends
        except BrokenPipeError:
            if _is_read():
                raise  # it was a socket, or a pipe of ours: a bug
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # where the rest goes at the end
            return UNREAD

    return run


def _is_read() -> bool:
    """Whether somebody still reads what this process prints."""
    try:
        sys.stdout.flush()
        output = sys.stdout.fileno()
    except BrokenPipeError:
        return False
    except io.UnsupportedOperation:  # it was never a pipe
        return True
    if not hasattr(select, "poll"):  # Windows
        return True
    looking = select.poll()
    looking.register(output, 0)  # errors are always told
    return looking.poll(0) == []


def arose_at(error: BaseException) -> str:
    """The kind of an unexpected error and where it arose, for the log: never its message, which may quote a document,
    a question or a key."""
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = f", after {arose_at(cause)}" if cause is not None else ""
    return f"{type(error).__name__} at {where or 'no line'}{before}"
