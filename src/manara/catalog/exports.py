"""The catalog for others: a data dictionary, DCAT, and a Frictionless data package."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manara.catalog.describe import Column, Entry
from manara.clock import stamp
from manara.errors import NotAllowed, WrongDefinition
from manara.registry import missing_library

HEAD = ("table", "column", "type", "key", "required", "classification", "description")
_FRICTIONLESS = {
    "integer": "integer", "number": "number", "boolean": "boolean", "date": "date", "timestamp": "datetime",
    "string": "string",
}  # fmt: skip
_CONTEXT = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "adms": "http://www.w3.org/ns/adms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

Json = dict[str, Any]


def dictionary_rows(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return one row for each column of each table, under HEAD."""
    return [
        (
            entry.asset.name, column.name, column.type, "yes" if column.is_key else "",
            "yes" if column.is_required else "", column.classification, column.description,
        )
        for entry in entries
        for column in entry.columns
        if entry.kind == "table"
    ]  # fmt: skip


def markdown(entries: Sequence[Entry]) -> str:
    """Return the data dictionary as Markdown: a table of columns under each table."""
    parts = ["# Data dictionary\n"]
    for entry in entries:
        if entry.kind != "table" or not entry.columns:
            continue
        facts = [f"owner {entry.owner}" if entry.owner else "", f"contract {entry.contract}" if entry.contract else ""]
        facts += [f"version {entry.version}" if entry.version else ""]
        parts.append(f"## {_cell(entry.asset.name)}\n\n{_cell(entry.description)}\n")
        if any(facts):
            parts.append(f"{_cell(', '.join(filter(None, facts)))}\n")
        rows = [_line(column) for column in entry.columns]
        parts.append("| column | type | key | class | meaning |\n|---|---|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def as_csv(entries: Sequence[Entry]) -> str:
    """Return the data dictionary as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEAD, *dictionary_rows(entries)])
    return text.getvalue()


def to_excel(entries: Sequence[Entry], path: Path) -> None:
    """Write the data dictionary as a workbook. Raises WrongDefinition where the library is missing."""
    try:
        import xlsxwriter  # noqa: PLC0415 # an extra
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as book:
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet("Dictionary")
        sheet.write_row(0, 0, HEAD, bold)
        for number, row in enumerate(dictionary_rows(entries), start=1):
            sheet.write_row(number, 0, row)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, 5, 18)
        sheet.set_column(6, 6, 80)


def write_text(path: Path, text: str) -> None:
    """Write a file. Raises NotAllowed where that cannot be."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise NotAllowed(f"The file cannot be written: {error.strerror}.", where=str(path)) from error


def dcat(entries: Sequence[Entry], title: str, base: str) -> Json:
    """Return the catalog in DCAT-AP's terms as JSON-LD; `base` begins the address of every part."""
    root = base.rstrip("/")
    return {
        "@context": _CONTEXT,
        "@id": f"{root}/catalog",
        "@type": "dcat:Catalog",
        "dct:title": title,
        "dct:description": f"The data of the factory {title}.",
        "dct:publisher": {"@type": "foaf:Agent", "foaf:name": title},
        "dcat:dataset": [_dcat_dataset(entry, root) for entry in entries],
    }


def _dcat_dataset(entry: Entry, root: str) -> Json:
    told: Json = {
        "@id": f"{root}/dataset/{_slug(entry.id)}",
        "@type": "dcat:Dataset",
        "dct:identifier": entry.id,
        "dct:title": entry.asset.name,
        "dct:description": entry.description or f"The {entry.kind} {entry.asset.name}.",
        "dcat:distribution": [
            {
                "@id": f"{root}/distribution/{_slug(entry.id)}",
                "@type": "dcat:Distribution",
                "dct:title": entry.asset.name,
                "dcat:accessURL": {"@id": f"{root}/dataset/{_slug(entry.id)}"},
            }
        ],
    }
    if entry.columns:
        told["dcat:keyword"] = [column.name for column in entry.columns]
    if entry.fresh:
        told["dct:modified"] = {"@type": "xsd:dateTime", "@value": stamp(entry.fresh)}
    if entry.owner:
        told["dcat:contactPoint"] = {"@type": "foaf:Agent", "foaf:name": entry.owner}
    if entry.version:
        told["adms:version"] = entry.version
    return told


def data_package(entries: Sequence[Entry], name: str) -> Json:
    """Return a Frictionless data package of the tables with known columns; their data are files of the same names."""
    tables = [entry for entry in entries if entry.kind == "table" and any(column.type for column in entry.columns)]
    if not tables:
        raise WrongDefinition("No table with known columns is in the catalog.", advice="Write contracts in contract/.")
    return {
        "profile": "tabular-data-package",
        "name": _slug(name),
        "title": name,
        "resources": [_resource(entry) for entry in tables],
    }


def _resource(entry: Entry) -> Json:
    schema: Json = {"fields": [_field(column) for column in entry.columns], "missingValues": [""]}
    keys = [column.name for column in entry.columns if column.is_key]
    if keys:
        schema["primaryKey"] = keys
    told: Json = {
        "profile": "tabular-data-resource",
        "name": _slug(entry.asset.name),
        "path": f"{_slug(entry.asset.name)}.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": schema,
    }
    return told | ({"description": entry.description} if entry.description else {})


def _field(column: Column) -> Json:
    kind = column.type.split("(")[0].lower()
    told: Json = {"name": column.name, "type": _FRICTIONLESS.get(kind, "number" if kind == "decimal" else "string")}
    if column.description:
        told["description"] = column.description
    if column.is_required:
        told["constraints"] = {"required": True}
    return told


def _slug(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in "-_." else "-" for sign in text.lower()).strip("-")


def _line(column: Column) -> str:
    cells = (column.name, column.type, "yes" if column.is_key else "", column.classification, column.description)
    return "| " + " | ".join(_cell(each) for each in cells) + " |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
