"""Reference packs: code lists and rates that a factory keeps as files, each with its version.

A pack is the folder `pack/<name>/` with `pack.yaml` and the CSV files (`.csv` or `.csv.gz`) that it names:

    version: "2021-11"
    kind: codes                      # or rates
    file: places.csv.gz
    columns: {code: P-Code, name: [Name], parent: Parent P-Code, level: Admin Level}
    aliases: aliases.csv             # decided names: parent, name, code (empty: there is none), author, date
    sha256: ...                      # of the file, where it must not change
    source: ...
    licence: ...
"""

import csv
import gzip
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from manara.errors import Fault, Faults, NotFound
from manara.harmonise.currency import Rate, Rates
from manara.harmonise.match import Entry
from manara.registry import near

FOLDER = "pack"
MANIFEST = "pack.yaml"
_NEEDED = {"codes": ("code", "name"), "rates": ("currency", "day", "rate")}
_KNOWN = {"codes": {"code", "name", "parent", "level"}, "rates": {"currency", "day", "rate"}}
_ALIAS_COLUMNS = ("parent", "name", "code")
_MOST_FAULTS = 20


class Manifest(BaseModel):
    """What `pack.yaml` says."""

    model_config = ConfigDict(frozen=True, extra="allow")

    version: str = Field(min_length=1)
    kind: Literal["codes", "rates"] = "codes"
    file: str
    columns: Mapping[str, str | tuple[str, ...]]
    aliases: str | None = None
    base: str = "USD"
    sha256: str | None = None
    source: str = ""
    licence: str = ""

    @field_validator("file", "aliases")
    @classmethod
    def _lies_in_the_pack(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[\w.-]+\.csv(\.gz)?", name):
            raise ValueError(f"'{name}' is no name of a .csv or .csv.gz file in the pack's folder.")
        return name

    def names_of(self, field: str) -> tuple[str, ...]:
        """Return the columns that hold a field."""
        named = self.columns.get(field, ())
        return (named,) if isinstance(named, str) else tuple(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """A pack as it was read: its entries with the aliases that it carries, or its rates."""

    name: str
    manifest: Manifest
    sha256: str
    entries: tuple[Entry, ...] = ()
    aliases: Mapping[tuple[str, str], str]
    rates: Rates | None = None

    @property
    def told(self) -> dict[str, str]:
        """What goes into an activity's output."""
        return {"name": self.name, "version": self.manifest.version, "sha256": self.sha256}


def pack_names(root: Path) -> list[str]:
    """Return the names of the packs of the factory in the folder, sorted."""
    return sorted(path.parent.name for path in (root / FOLDER).glob(f"*/{MANIFEST}"))


def read_pack(root: Path, name: str) -> Pack:
    """Return the pack of the factory in the folder `root`.

    Raises NotFound for an unknown name, and Faults with all that is wrong in it: missing files and columns, doubled
    codes, parents that lead in a ring, rates that are no numbers, a file that is not the one of `sha256`.
    """
    folder = root / FOLDER / name
    if not re.fullmatch(r"[\w.-]+", name) or not (folder / MANIFEST).is_file():
        raise NotFound(
            f"There is no pack '{name}' in the factory.", where=f"{FOLDER}/", advice=near(name, pack_names(root))
        )
    manifest = _manifest(folder)
    faults = list(_file_faults(folder, manifest))
    if faults:
        raise Faults(faults)
    content = (folder / manifest.file).read_bytes()
    rows = list(_rows(folder / manifest.file, content))
    aliases = _aliases(folder, manifest)
    pack = Pack(name=name, manifest=manifest, sha256=hashlib.sha256(content).hexdigest(), aliases=aliases)
    place = f"{FOLDER}/{name}/{manifest.file}"
    if manifest.kind == "rates":
        return _with(pack, rates=Rates(manifest.base, _rates(rows, manifest, place)))
    return _with(pack, entries=_entries(rows, manifest, place))


def _with(pack: Pack, *, entries: tuple[Entry, ...] = (), rates: Rates | None = None) -> Pack:
    return Pack(
        name=pack.name, manifest=pack.manifest, sha256=pack.sha256, aliases=pack.aliases, entries=entries, rates=rates
    )


def _manifest(folder: Path) -> Manifest:
    file = f"{FOLDER}/{folder.name}/{MANIFEST}"
    try:
        document = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Faults([Fault(file=file, path="", message=f"This is not YAML: {error}.", advice="")]) from error
    try:
        manifest = Manifest.model_validate(document)
    except ValidationError as error:
        raise Faults([
            Fault(file=file, path=".".join(map(str, each["loc"])), message=f"{each['msg']}.", advice="")
            for each in error.errors(include_url=False)
        ]) from error  # fmt: skip
    missing = [field for field in _NEEDED[manifest.kind] if not manifest.names_of(field)]
    unknown = [field for field in manifest.columns if field not in _KNOWN[manifest.kind]]
    faults = [
        Fault(file=file, path=f"columns.{field}", message="The column is not named.", advice="") for field in missing
    ] + [
        Fault(file=file, path=f"columns.{field}", message=f"A pack of {manifest.kind} has no '{field}'.",
              advice=near(field, _KNOWN[manifest.kind])) for field in unknown
    ]  # fmt: skip
    if faults:
        raise Faults(faults)
    return manifest


def _file_faults(folder: Path, manifest: Manifest) -> Iterator[Fault]:
    for name, needed in ((manifest.file, True), (manifest.aliases, False)):
        if name is None:
            continue
        place = f"{FOLDER}/{folder.name}/{name}"
        path = folder / name
        if not path.is_file():
            yield Fault(file=place, path="", message="There is no such file.", advice="Put it beside pack.yaml.")
            continue
        content = path.read_bytes()
        if needed and manifest.sha256 and hashlib.sha256(content).hexdigest() != manifest.sha256:
            yield Fault(
                file=place, path="", message="The file is not the one that sha256 in pack.yaml was taken of.",
                advice="Put the old file back, or give the pack a new version and checksum.",
            )  # fmt: skip
        wanted = [column for field in manifest.columns for column in manifest.names_of(field)]
        yield from _column_faults(place, path, content, wanted if needed else _ALIAS_COLUMNS)


def _column_faults(place: str, path: Path, content: bytes, wanted: Sequence[str]) -> Iterator[Fault]:
    try:
        header = next(csv.reader(io.StringIO(_text(path, content))), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        yield Fault(
            file=place, path="", message=f"The file cannot be read: {error}.", advice="Save it as CSV in UTF-8."
        )
        return
    for column in wanted:
        if column not in header:
            yield Fault(
                file=place, path="line 1", message=f"There is no column '{column}'.", advice=near(column, header)
            )


def _text(path: Path, content: bytes) -> str:
    return (gzip.decompress(content) if path.name.endswith(".gz") else content).decode("utf-8-sig")


def _rows(path: Path, content: bytes) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(_text(path, content)))


def _entries(rows: Sequence[Mapping[str, str]], manifest: Manifest, place: str) -> tuple[Entry, ...]:
    """Return the entries; rows of one code add their names to it."""
    (code_column,) = manifest.names_of("code")
    names: dict[str, list[str]] = defaultdict(list)
    told: dict[str, tuple[str, int | None]] = {}
    faults = []
    for number, row in enumerate(rows, start=2):
        code = (row[code_column] or "").strip()
        parent, level = _one(row, manifest, "parent"), _one(row, manifest, "level")
        if not code:
            faults.append(_fault(place, number, "The code is empty."))
        elif level and not level.isdecimal():
            faults.append(_fault(place, number, f"The level '{level}' is no whole number."))
        elif told.setdefault(code, (parent, int(level) if level else None))[0] != parent:
            faults.append(_fault(place, number, f"The code '{code}' has another parent than before."))
        names[code] += [
            name
            for column in manifest.names_of("name")
            if (name := (row[column] or "").strip()) not in ("", *names[code])
        ]
    faults += [
        Fault(file=place, path=f"code {code}", message="Its parents lead in a ring.", advice="Mend the parent column.")
        for code in told
        if _in_ring(code, told)
    ]
    if faults:
        raise Faults(faults[:_MOST_FAULTS])
    return tuple(
        Entry(code=code, names=tuple(names[code]) or (code,), parent=parent, level=level)
        for code, (parent, level) in told.items()
    )


def _in_ring(code: str, told: Mapping[str, tuple[str, int | None]]) -> bool:
    above, steps = told[code][0], 0
    while above in told and above != code and steps <= 12:
        above, steps = told[above][0], steps + 1
    return above == code or steps > 12


def _one(row: Mapping[str, str], manifest: Manifest, field: str) -> str:
    return next(((row[column] or "").strip() for column in manifest.names_of(field)), "")


def _rates(rows: Sequence[Mapping[str, str]], manifest: Manifest, place: str) -> list[Rate]:
    found, faults = [], []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(
                Rate(
                    currency=_one(row, manifest, "currency"),
                    day=date.fromisoformat(_one(row, manifest, "day")),
                    rate=Decimal(_one(row, manifest, "rate")),
                )
            )
        except (ValueError, InvalidOperation):
            faults.append(_fault(place, number, "The day is no date such as 2024-01-31, or the rate is no number."))
    if faults:
        raise Faults(faults[:_MOST_FAULTS])
    return found


def _aliases(folder: Path, manifest: Manifest) -> dict[tuple[str, str], str]:
    if manifest.aliases is None:
        return {}
    path = folder / manifest.aliases
    rows: Iterator[dict[str, Any]] = _rows(path, path.read_bytes())
    return {((row["parent"] or "").strip(), row["name"].strip()): (row["code"] or "").strip() for row in rows}


def _fault(place: str, line: int, message: str) -> Fault:
    return Fault(file=place, path=f"line {line}", message=message, advice="")
