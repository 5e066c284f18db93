"""python app.py: open your documents in the browser. What it does is in labse_search/app.py."""

import sys

from labse_search.app import main

if __name__ == "__main__":
    sys.exit(main())
