"""`manara profile SOURCE`: what a file or dataset holds, and a contract that it keeps to."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from manara.app import Factory
from manara.errors import WrongDefinition
from manara.quality.propose import propose
from manara.table.profile import Column, Profile, profile

_KINDS = {
    ".csv": "DelimitedText", ".tsv": "DelimitedText", ".txt": "DelimitedText", ".parquet": "Parquet", ".json": "Json",
    ".jsonl": "Json", ".xlsx": "Excel", ".xls": "Excel", ".avro": "Avro", ".orc": "Orc", ".xml": "Xml",
}  # fmt: skip
_BAR = 12


def show_profile(
    source: str, factory: Path, *, contract: Path | None, sheet: str, delimiter: str, as_json: bool
) -> None:
    """Profile a file, or a dataset of the factory, and show it; with `contract`, write a proposal there."""
    rows = _open(source, factory, sheet, delimiter)
    with _progress(as_json) as tell:
        found = profile(rows, tell)
    if contract is not None:
        if contract.exists():
            raise WrongDefinition(f"'{contract}' is there already.", advice="Name a new file.")
        contract.parent.mkdir(parents=True, exist_ok=True)
        contract.write_text(propose(found, contract.stem, source), encoding="utf-8")
    if as_json:
        sys.stdout.write(json.dumps(asdict(found), indent=2, ensure_ascii=False) + "\n")
        return
    _show(found)
    if contract is not None:
        sys.stdout.write(f"Proposed a contract: {contract}\n")


def _open(source: str, factory: Path, sheet: str, delimiter: str) -> pa.RecordBatchReader:
    """Return the rows of a file by its ending, or of a dataset of the factory by its name."""
    path = Path(source)
    plain = path.name.removesuffix(".gz")
    kind = _KINDS.get(Path(plain).suffix.lower())
    if not path.is_file():
        return Factory.open(factory).read_dataset(source)
    if kind is None:
        raise WrongDefinition(f"Nobody knows how to read '{path.name}'.", advice=f"Known are: {', '.join(_KINDS)}.")
    properties: dict[str, Any] = {"location": {"type": "FileServerLocation", "fileName": path.name}}
    if path.name.endswith(".gz"):
        properties["compressionCodec"] = "gzip"
        properties["compression"] = {"type": "gzip", "level": "Optimal"}
    if kind == "DelimitedText":
        tab = "\t" if plain.endswith(".tsv") else ","
        properties |= {
            "columnDelimiter": delimiter or tab,
            "firstRowAsHeader": True,
            "quoteChar": '"',
            "escapeChar": '"',
        }
    if kind == "Excel":
        properties |= {"firstRowAsHeader": True} | ({"sheetName": sheet} if sheet else {"sheetIndex": 0})
    return Factory.read_file(path.parent, kind, properties)


def _show(found: Profile) -> None:
    console = Console(highlight=False)
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("column", "type", "missing", "distinct", "range", "frequent", ""):
        table.add_column(name, overflow="fold", justify="right" if name in ("distinct",) else "left")
    for column in found.columns:
        table.add_row(
            Text(column.name, style="bold" if column.name in found.key else ""), Text(_kind(column)), _missing(column),
            Text(f"{column.distinct:,}"), Text(_range(column)), _frequent(column), _note(column, found),
        )  # fmt: skip
    console.print(table)
    key = ", ".join(found.key) if found.key else "none of few columns"
    console.print(f"{found.rows:,} rows, {len(found.columns)} columns; key: {key}", style="dim", markup=False)


def _kind(column: Column) -> str:
    if column.kind == "date" and column.forms:
        return f"date {' or '.join(column.forms)}"
    return column.kind


def _missing(column: Column) -> Text:
    if not column.missing:
        return Text("")
    share = column.missing / column.rows
    filled = round(_BAR * share)
    return Text.assemble(("█" * filled, "yellow"), ("·" * (_BAR - filled), "dim"), f" {share:.0%}")


def _range(column: Column) -> str:
    return f"{column.least} to {column.most}" if column.least is not None else ""


def _frequent(column: Column) -> Text:
    if column.is_unique or not column.frequent:
        return Text("")
    shown = [f"{value[:18]} {count / column.rows:.0%}" for value, count in column.frequent[:3]]
    return Text(", ".join(shown), style="dim")


def _note(column: Column, found: Profile) -> Text:
    notes = []
    if column.name in found.key:
        notes.append(("key", "green"))
    if column.personal:
        notes.append((f"personal? {column.personal}", "magenta"))
    if len(column.forms) > 1:
        notes.append(("which form?", "red"))
    if column.odd:
        notes.append((f"{column.odd_count:,} odd: {column.odd[0][:24]}", "red"))
    return Text("; ").join(Text(words, style=style) for words, style in notes)


@contextmanager
def _progress(as_json: bool) -> Iterator[Any]:
    if as_json or not sys.stderr.isatty():
        yield lambda _rows: None
        return
    with Status("Reading ...", console=Console(stderr=True)) as status:
        yield lambda rows: status.update(f"Reading ... {rows:,} rows")
