"""Files in any format in, text with its places out.

`read(name, content)` decides by what the file is, then by what it is called: signatures of PDF, ZIP, RTF and Office
win over the extension, and whatever has no reader but decodes as text is text. It returns an Extraction or raises
Unreadable with a code of `errors.REASONS`; other exceptions are bugs, which `indexer.sandbox` keeps away from the app.
The readers trust nothing but they are not a sandbox: strangers' files belong into the worker's child process.
"""

from __future__ import annotations

from indexer.read.detect import has_reader
from indexer.read.dispatch import read
from indexer.read.kinds import SUPPORTED
from indexer.read.limits import DEFAULT_LIMITS, Limits

__all__ = ["DEFAULT_LIMITS", "SUPPORTED", "Limits", "has_reader", "read"]
