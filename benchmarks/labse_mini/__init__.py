"""How labse-mini is made, from packages on PyPI and files of translation pairs; see `__main__` for the commands."""
