"""What a person is told when something goes wrong, and what the log keeps.

A UserError's text is shown as it is. Anything else is a bug: the person gets a sentence and a reference, the log gets
the kind of error and where it arose under the same reference. Neither ever holds a document's text or a path of the
disk: exception messages may quote both, so they are not written.
"""

from __future__ import annotations

import logging
import traceback
import uuid
from pathlib import Path

from labse_search.errors import UserError
from labse_search.ui.strings import text

log = logging.getLogger("labse_search.ui")


def explain(error: Exception) -> tuple[str, str]:
    """(sentence for the person, reference of the log's line or "")."""
    if isinstance(error, UserError):
        return str(error), ""
    reference = uuid.uuid4().hex[:8]
    frames = traceback.extract_tb(error.__traceback__)
    where = " > ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames)
    log.error("reference %s: %s at %s", reference, type(error).__name__, where)
    return text("failed"), reference
