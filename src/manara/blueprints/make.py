"""Factories to start from: each blueprint is a factory that lies in this room, and is copied into a new folder."""

from importlib.resources import as_file, files
from pathlib import Path

from manara.errors import Conflict, NotAllowed, WrongDefinition
from manara.registry import near
from manara.resources.factory import read_factory, write_factory

BLUEPRINTS = {
    "start": "two folders, a warehouse, and one pipeline that brings a CSV file into it",
    "supply": "the supply control tower: stock, movements and shipments, checked, kept and measured",
}
SETTINGS = """# Settings of this factory. What can stand here: docs/reference/settings.md
# The environment wins: MANARA_WORKER_THREADS=4 manara run ...

[worker]
threads = 8
"""
IGNORED = """# what the factory makes and keeps on this machine
data/
.env
"""


def make_factory(folder: Path, blueprint: str) -> list[str]:
    """Make a factory in the folder from a blueprint and return the files written, relative to it.

    Raises WrongDefinition for an unknown blueprint, Conflict where the folder holds anything already, NotAllowed where
    it cannot be written.
    """
    if blueprint not in BLUEPRINTS:
        raise WrongDefinition(f"There is no blueprint '{blueprint}'.", advice=near(blueprint, BLUEPRINTS))
    try:
        if folder.exists() and any(folder.iterdir()):
            raise Conflict(f"The folder '{folder}' is not empty.", advice="Name a new folder, or empty this one.")
        with as_file(files("manara.blueprints").joinpath(blueprint)) as source:
            write_factory(read_factory(source), folder)
            for file in sorted((source / "pack").rglob("*.*")):
                _write(folder / file.relative_to(source), file.read_text(encoding="utf-8"))
            for sample in sorted((source / "sample").rglob("*.csv")):
                _write(folder / "data" / sample.relative_to(source / "sample"), sample.read_text(encoding="utf-8"))
        _write(folder / "manara.toml", SETTINGS)
        _write(folder / ".gitignore", IGNORED)
    except OSError as error:
        raise NotAllowed(
            f"The folder cannot be written: {error.strerror}.",
            where=str(folder),
            advice="Check the rights and the disk.",
        ) from error
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
