"""Rows of a star as the rows that they were loaded from: the natural keys behind the surrogate ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlglot import exp

from manara.catalog.history import Work
from manara.catalog.promise import conformed, documents
from manara.catalog.trail import Row
from manara.plugin.lineage import Asset
from manara.resources.factory import Factory

Ask = Callable[[exp.Select], Sequence[Row]]
"""Gives the rows of a query on the warehouse."""


def keys_of(factory: Factory, table: Asset) -> list[str]:
    """Return the columns that a contract or a subject area declares as the key of a table, in small letters."""
    for contract in documents(factory, "contract").values():
        for schema in contract.get("schema") or ():
            if isinstance(schema, Mapping) and str(schema.get("name")).lower() == table.name.lower():
                found = [one for one in schema.get("properties") or () if one.get("primaryKey")]
                return [str(one["name"]).lower() for one in found]
    for subject in documents(factory, "subject").values():
        for kind, prefix in (("facts", "fact_"), ("dimensions", "dim_")):
            for one in subject.get(kind) or ():
                if table.name.lower() in {f"{prefix}{one.get('name')}", str(one.get("table", "")).lower()}:
                    return [each for each, _ in _key_columns(conformed(factory, one))]
    return []


def source_key(factory: Factory, row: Row, column: str, work: Work, ask: Ask) -> tuple[dict[str, Any], str]:
    """Return the key of a row of the star as the columns of the query that it was loaded from, and the column there."""
    subject = documents(factory, "subject").get(str(work.input["subject"]), {})
    if work.type == "LoadDimension":
        one = conformed(factory, _named(subject.get("dimensions"), work.input.get("dimension")))
        renamed = work.input.get("columns") or {}
        keys = [str(name) for name in one.get("key") or ()]
        return {str(renamed.get(name, name)): row.get(name) for name in keys}, column
    fact = _named(subject.get("facts"), work.input.get("fact"))
    roles = {str(role["name"]): role for role in fact.get("roles") or ()}
    values: dict[str, Any] = {}
    for name in fact.get("key") or ():
        if name in roles:
            declared = conformed(factory, _named(subject.get("dimensions"), roles[name].get("dimension")))
            values |= _member(row, roles[name], declared, ask)
        else:
            values[str(name)] = row.get(str(name))
    is_role = any(column == f"{name}_key" for name in roles)
    return values, "" if is_role else column


def _member(row: Row, role: Mapping[str, Any], declared: Mapping[str, Any], ask: Ask) -> dict[str, Any]:
    """Return the natural key of the member that a surrogate key stands for, under the names of the rows."""
    names = [str(name) for name in declared.get("key") or ()]
    value = row.get(f"{role['name']}_key")
    given = [str(name) for name in role.get("from") or ()]
    if not names or value is None:
        return {name: row[name] for name in given if row.get(name) is not None}
    table = exp.to_table(str(declared.get("table") or f"dim_{declared['name']}"))
    query = exp.select(*(exp.column(name, quoted=True) for name in names)).from_(table)
    rows = ask(query.where(exp.column(f"{declared['name']}_key").eq(exp.convert(value))))
    return dict(zip(given, rows[0].values(), strict=False)) if rows else {}


def _named(found: Any, name: Any) -> Mapping[str, Any]:
    return next((one for one in found or () if isinstance(one, Mapping) and one.get("name") == name), {})


def _key_columns(declared: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    roles = {str(role.get("name")) for role in declared.get("roles") or ()}
    for name in declared.get("key") or ():
        yield (f"{name}_key" if name in roles else str(name)).lower(), str(name)
