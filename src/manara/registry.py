"""Plug-ins by type name: one door for ours and for guests'.

A plug-in registers itself by a decorator under the type name that the JSON uses. A package names the module that does
so in the entry-point group `manara.<kind>`; the module is imported when its type name is first asked for.
"""

import difflib
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Any, Generic, TypeVar

from manara.errors import Broken, Conflict, ManaraError, WrongDefinition

P = TypeVar("P")

EXTRAS = {
    "pyspark": "spark",
    "fastavro": "avro",
    "cramjam": "snappy",
    "deltalake": "delta",
    "babel": "harmonise",
    "rapidfuzz": "harmonise",
    "fastexcel": "excel",
    "xlsxwriter": "excel",
    "paramiko": "sftp",
    "psycopg": "postgres",
    "pgpq": "postgres",
    "adbc_driver_manager": "postgres",
    "adbc_driver_postgresql": "postgres",
    "azure": "cosmos",
    "bson": "mongodb",
    "mssql_python": "mssql",
    "oracledb": "oracle",
    "pymongo": "mongodb",
    "pymysql": "mysql",
    "pyodbc": "odbc",
    "cryptography": "web",
    "json5": "server",
    "jwt": "server",
    "uvicorn": "server",
    "snowflake": "snowflake",
}
"""The extra that brings each library."""


class Registry(Generic[P]):
    """The plug-ins of one kind (`activity`, `connector`, ...), and which of the `abilities` each of them has."""

    def __init__(self, kind: str, abilities: Collection[str] = ()) -> None:
        self.kind = kind
        self.abilities = frozenset(abilities)
        self._plugins: dict[str, P] = {}
        self._can: dict[str, frozenset[str]] = {}
        self._modules: dict[str, str] | None = None
        self._loaded: set[str] = set()

    def register(self, *names: str, can: Collection[str] | None = None) -> Callable[[P], P]:
        """Return a decorator that registers what it decorates under all of `names`; each can be taken once.

        `can` says which abilities it has; all of them where nothing is said. Raises Broken for one that is unknown.
        """
        abilities = self.abilities if can is None else frozenset(can)
        if not abilities <= self.abilities:
            unknown = ", ".join(sorted(abilities - self.abilities))
            raise Broken(f"The {self.kind} type '{names[0]}' says that it can {unknown}, which nothing can.")

        def decorate(plugin: P) -> P:
            for name in names:
                if name in self._plugins and self._plugins[name] is not plugin:
                    raise Conflict(f"The {self.kind} type '{name}' is registered twice.")
                self._plugins[name] = plugin
                self._can[name] = abilities
            return plugin

        return decorate

    def __contains__(self, name: str) -> bool:
        """Say whether the type name is known, without importing anything."""
        return name in self._plugins or name in self._entry_points()

    def names(self) -> list[str]:
        """Return every known type name, sorted, without importing anything."""
        return sorted({*self._plugins, *self._entry_points()})

    def find(self, name: str) -> P:
        """Return the plug-in called `name`; imports its module at the first call.

        Raises WrongDefinition for an unknown name (with near ones), and for a module whose library is not installed
        (with the extra to install).
        """
        module = self._entry_points().get(name)
        if module is not None and module not in self._loaded and (name not in self._plugins or module in sys.modules):
            self._load(module)  # waits where another thread is at it: half a module has its names, and not its parts
            self._loaded.add(module)
        if name not in self._plugins:
            raise WrongDefinition(f"There is no {self.kind} type '{name}'.", advice=near(name, self.names()))
        return self._plugins[name]

    def can(self, name: str) -> frozenset[str]:
        """Return the abilities of the plug-in called `name`; raises as `find` does."""
        self.find(name)
        return self._can[name]

    def _load(self, module: str) -> None:
        try:
            importlib.import_module(module)
        except ModuleNotFoundError as error:
            raise missing_library(error) from error
        except ImportError as error:
            if "shared object" not in str(error) and "Library not loaded" not in str(error):
                raise
            raise WrongDefinition(
                f"A library of this machine is missing: {error}.", advice="Install it by the machine's own packages."
            ) from error

    def _entry_points(self) -> dict[str, str]:
        if self._modules is None:
            points = _all_entry_points().select(group=f"manara.{self.kind}")
            self._modules = {point.name: point.module for point in points}
        return self._modules


@cache
def _all_entry_points() -> Any:  # the class has another name in Python 3.11; both can `select`
    """Return those of all installed packages: reading them takes longer than anything else here, so once for all."""
    return importlib.metadata.entry_points()


def missing_library(error: ModuleNotFoundError) -> ManaraError:
    """Return the error for a library that an optional part needs and that is not installed."""
    library = (error.name or "").split(".")[0]
    if library == "manara":
        return Broken(f"The module '{error.name}' is missing.", advice="Install Manara again.")
    extra = EXTRAS.get(library, library)
    return WrongDefinition(
        f"The library '{library}' is not installed.", advice=f"Install it with: pip install 'manara[{extra}]'"
    )


def near(name: str, known: Iterable[str]) -> str:
    """Return a sentence of advice: the known names that resemble `name`, or all of them when they are few.

    >>> near("Coppy", ["Copy", "Lookup"])
    "Did you mean 'Copy'?"
    """
    names = sorted(known)
    folded = {known_name.lower(): known_name for known_name in names}
    close = [folded[match] for match in difflib.get_close_matches(name.lower(), folded, n=3, cutoff=0.6)]
    if close:
        return "Did you mean " + " or ".join(f"'{match}'" for match in close) + "?"
    if not names:
        return "There is none yet."
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"Known are: {shown}."
