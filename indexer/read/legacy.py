"""Word and PowerPoint before 2007, through LibreOffice where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from indexer.read.docx import read_docx
from indexer.read.limits import Source
from indexer.read.pptx import read_pptx
from labse_search.errors import Unreadable
from labse_search.records import Extraction

_SECONDS = 50  # below the limit of one file, so that the reason is said here
_PROGRAMS = ("soffice", "libreoffice", "/Applications/LibreOffice.app/Contents/MacOS/soffice")


def read_legacy(source: Source) -> Extraction:
    """Unreadable("needs_program") where LibreOffice is not installed."""
    program = next((found for name in _PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise Unreadable("needs_program", "LibreOffice")
    slides = "PowerPoint Document".encode("utf-16-le") in source.content
    content = _converted(program, source.content, "pptx" if slides else "docx")
    source.account.spend_bytes(len(content))
    newer = replace(source, content=content)
    read = read_pptx(newer) if slides else read_docx(newer)
    return replace(read, kind="ppt" if slides else "doc")


def _converted(program: str, content: bytes, wanted: str) -> bytes:
    with tempfile.TemporaryDirectory(prefix="labse-office-") as folder:
        path = Path(folder, "in.doc" if wanted == "docx" else "in.ppt")
        path.write_bytes(content)
        profile = Path(folder, "profile").as_uri()  # of its own: a second LibreOffice of the same profile does nothing
        command = [program, f"-env:UserInstallation={profile}", "--headless", "--norestore", "--nolockcheck",
                   "--convert-to", wanted, "--outdir", folder, str(path)]  # fmt: skip
        try:
            subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=_SECONDS,
                check=False,
                env={**os.environ, "HOME": folder},
                preexec_fn=_without_our_limits if sys.platform == "linux" else None,
            )
        except subprocess.TimeoutExpired:
            raise Unreadable("too_slow", "LibreOffice") from None
        except OSError as error:
            raise Unreadable("needs_program", f"LibreOffice: {type(error).__name__}") from None
        converted = path.with_suffix(f".{wanted}")
        if not converted.exists():
            raise Unreadable("damaged", "LibreOffice makes nothing of it")
        return converted.read_bytes()


def _without_our_limits() -> None:
    """It maps more memory than a reader may; its own is limited to 4 GB."""
    import resource

    for what, most in ((resource.RLIMIT_AS, 4 << 30), (resource.RLIMIT_CPU, 2 * _SECONDS)):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
