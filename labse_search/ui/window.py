"""python -m labse_search.ui.window ADDRESS FOLDER : the page in a window of its own (pywebview), until it is closed.

FOLDER keeps what a browser would: cookies and what the page remembers.
"""

from __future__ import annotations

import sys

from labse_search.settings import write_privately

SIZE = (1240, 860)  # pixels: results with the reader beside them


def main() -> int:
    """Returns when the window is closed."""
    write_privately()
    import webview

    address, folder = sys.argv[1:]
    webview.create_window("labse-search", address, width=SIZE[0], height=SIZE[1], min_size=(390, 480))
    webview.start(private_mode=False, storage_path=folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
