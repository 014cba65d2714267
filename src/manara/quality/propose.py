"""A contract proposed from what a table holds, for a person to read and to change."""

import re
from collections.abc import Iterator

import yaml

from manara.table.profile import Column, Profile

_FEW = 12
_RESERVED = {"_origin", "_row", "_run"}


def propose(found: Profile, name: str, source: str) -> str:
    """Return a contract (ODCS 3) as YAML, with what was seen as comments.

    The rows that were profiled keep to it. What is not sure is said and left open: a date with two meanings stays a
    text.
    """
    lines = [
        f"# Proposed from {source}: {found.rows:,} rows. Read it, and change what you know better.",
        "apiVersion: v3.1.0",
        "kind: DataContract",
        f"id: {_text(name)}",
        f"name: {_text(name)}",
        "version: 0.1.0",
        "status: draft",
        "schema:",
        f"  - name: {_text(name)}",
        "    logicalType: object",
        "    properties:",
    ]
    if not found.key:
        lines.append("      # No few columns tell the rows apart: name the key, or number the rows before.")
    names = _names(found)
    for column in found.columns:
        lines += [f"      {line}" for line in _property(column, names[column.name], found)]
    return "\n".join(lines) + "\n"


def _property(column: Column, name: str, found: Profile) -> Iterator[str]:
    yield from (f"# {line}" for line in _seen(column))
    yield f"- name: {_text(name)}"
    if name != column.name:
        yield f"  physicalName: {_text(column.name)}"
    is_open = column.kind == "date" and len(column.forms) > 1
    kind = "string" if is_open else column.kind
    if kind != "string":
        yield f"  logicalType: {kind}"
    if column.name in found.key:
        yield "  primaryKey: true"
        if len(found.key) > 1:
            yield f"  primaryKeyPosition: {found.key.index(column.name) + 1}"
    elif column.rows and not column.missing:
        yield "  required: true"
    if kind in ("integer", "number") and column.least is not None and float(column.least) >= 0:
        yield "  logicalTypeOptions: {minimum: 0}"
    if column.personal:
        yield f"  classification: restricted  # likely personal: {column.personal}"
    if kind == "date" and column.forms:
        yield f"  customProperties: [{{property: formats, value: [{_text(column.forms[0])}]}}]"
    if kind == "string" and not is_open and 1 < column.distinct <= _FEW and column.distinct * 10 <= column.rows:
        values = ", ".join(_text(value) for value, _ in column.frequent)
        rest = ", ..." if column.distinct > len(column.frequent) else ""
        yield f"  # A short list? validValues: [{values}{rest}]"


def _seen(column: Column) -> Iterator[str]:
    told = f"{column.distinct:,} distinct"
    if column.missing:
        told += f", {column.missing:,} missing ({column.missing / column.rows:.1%})"
    if column.least is not None:
        told += f", {column.least} to {column.most}"
    yield told
    if len(column.forms) > 1:
        yield f"The dates fit {' and '.join(column.forms)}: say which it is, as formats."
    if column.odd:
        shown = ", ".join(repr(value) for value in column.odd)
        yield f"{column.odd_count:,} values are unlike the others: {shown}"


def _names(found: Profile) -> dict[str, str]:
    """Return the names of the target's columns: plain ones, each once."""
    names: dict[str, str] = {}
    for number, column in enumerate(found.columns, start=1):
        plain = re.sub(r"[^a-z0-9]+", "_", column.name.lower()).strip("_") or f"column_{number}"
        plain = f"c_{plain}" if plain[0].isdigit() or plain in _RESERVED or f"_{plain}" in _RESERVED else plain
        while plain in names.values():
            plain = f"{plain}_{number}"
        names[column.name] = plain
    return names


def _text(value: str) -> str:
    """Return a text as YAML writes it on one line."""
    return (
        yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("\n...\n").strip()
    )
