"""The one place where the rooms are wired together: a factory in a folder, and a server with many."""

from manara.app.factory import Factory, known, seal_of, silent

__all__ = ["Factory", "known", "seal_of", "silent"]
