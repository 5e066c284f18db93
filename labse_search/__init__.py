"""Search your own documents by meaning, across languages, and teach the model your field."""

__version__ = "0.1.0"
