"""Every setting of Manara: one row each, read once, from `manara.toml` and then from the environment."""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from manara.errors import WrongDefinition

FILE = "manara.toml"
HOME = "MANARA_HOME"
"""The variable that names the home of a server which no factory's folder is given."""


def _row(default: Any, unit: str, says: str) -> Any:
    return field(default=default, metadata={"unit": unit, "says": says})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings, ready to hand on.

    In the file `copy.batch_rows` stands as `batch_rows` under `[copy]`; in the environment as `MANARA_COPY_BATCH_ROWS`,
    which wins.
    """

    store_journal: str = _row(
        "data/journal.sqlite",
        "path or address",
        "The journal of all runs: a file, relative to the factory's folder, or `postgresql://user:password@host/name`.",
    )
    store_key: str = _row(
        "",
        "keys",
        "What seals the definitions that a server keeps, in place of its file `seal.key`; the first of several, with "
        "commas between, is for new texts. Give it in the environment only.",
    )
    worker_threads: int = _row(8, "threads", "How many activities may work at the same time in one process.")
    worker_runs: int = _row(4, "runs", "How many runs a worker process does at the same time.")
    worker_lease_s: int = _row(10, "seconds", "How long a run stays with a process that has stopped beating.")
    web_token: str = _row(
        "", "bearer token", "What stands for the managed identity of the factory when it calls web services."
    )
    worker_crash_at: str = _row(
        "", "commit", "For tests of durability: kill the process `after 12` commits, or `before` the twelfth."
    )
    identity_issuer: str = _row(
        "", "address", "The issuer of an outside OpenID Connect provider with which people sign in."
    )
    identity_audience: str = _row("", "client id", "The audience that its ID tokens for this server have.")
    server_gateway_allow: str = _row(
        "", "host names", "Hosts beside Azure's management that the gateway leads to, with blanks between."
    )
    server_reads_per_minute: int = _row(
        60_000, "requests", "How many reads of one caller the server takes in a minute before it answers 429."
    )
    server_writes_per_minute: int = _row(
        12_000, "requests", "How many writes, and how many deletes, of one caller it takes in a minute."
    )
    trigger_missed: str = _row(
        "latest",
        "all, latest or none",
        "Which moments of a schedule are fired that came while no server was at work.",
    )
    custom_allowed: bool = _row(
        False,
        "true or false",
        "Whether a Custom activity may run its command on this machine, with the rights of who runs the pipeline.",
    )
    lineage_key: str = _row(
        "",
        "key",
        "The bearer key with which lineage is sent to a server of OpenLineage. Give it in the environment only.",
    )
    copy_batch_rows: int = _row(65_536, "rows", "Rows in one Arrow batch: what a copy holds in memory at a time.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting as the reference page shows it."""

    name: str
    type: str
    default: Any
    unit: str
    says: str

    @property
    def key(self) -> str:
        """The name in the file: `section.key`."""
        return self.name.replace("_", ".", 1)

    @property
    def variable(self) -> str:
        """The name in the environment."""
        return "MANARA_" + self.name.upper()


ROWS = tuple(
    Row(
        name=item.name,
        type=str(getattr(item.type, "__name__", item.type)),
        default=item.default,
        unit=item.metadata["unit"],
        says=item.metadata["says"],
    )
    for item in fields(Settings)
)


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the factory in `root`.

    Raises WrongDefinition for an unknown key or a value of the wrong type, naming the file or the variable.
    """
    values = _from_file(root / FILE)
    for row in ROWS:
        if row.variable in environment:
            values[row.name] = _typed(row, environment[row.variable], f"environment variable {row.variable}")
    return Settings(**values)


def read_home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the home of this user's server: MANARA_HOME, else a folder among those of the user's programs."""
    told = environment.get(HOME, "")
    return Path(told) if told else Path.home() / ".local" / "share" / "manara"


def _from_file(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongDefinition(
            f"This is no TOML: {error}.", where=str(path), advice="Mend the line it names."
        ) from error
    by_key = {row.key: row for row in ROWS}
    values = {}
    for key, value in _flat(document):
        row = by_key.get(key)
        if row is None:
            near = difflib.get_close_matches(key, by_key, n=1)
            advice = f"Did you mean '{near[0]}'?" if near else f"Known are: {', '.join(by_key)}."
            raise WrongDefinition(f"There is no setting '{key}'.", where=str(path), advice=advice)
        values[row.name] = _typed(row, value, f"{path} {key}")
    return values


def _flat(document: Mapping[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for section, content in document.items():
        if isinstance(content, dict):
            pairs += [(f"{section}.{key}", value) for key, value in content.items()]
        else:
            pairs.append((section, content))
    return pairs


def _typed(row: Row, value: Any, where: str) -> Any:
    if row.type == "int":
        try:
            number = int(value) if not isinstance(value, bool | float) else None
        except (TypeError, ValueError):
            number = None
        if number is None or number < 1:
            raise WrongDefinition(f"'{value}' is no whole number above zero.", where=where, advice=f"Give {row.unit}.")
        return number
    if row.type == "bool":
        word = str(value).lower()
        if word not in {"true", "false"}:
            raise WrongDefinition(f"'{value}' is neither true nor false.", where=where, advice=f"Give {row.unit}.")
        return word == "true"
    if not isinstance(value, str) or not value:
        raise WrongDefinition(f"'{value}' is no text.", where=where, advice=f"Give a {row.unit}.")
    return value
