"""Stored procedures: the script that answers one on this machine, and the call of a real one."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from manara.errors import NotFound, WrongDefinition
from manara.table.tsql.procedure import Written, constant, read_procedure

FOLDER = "local/procedure"
_PARAMETER = re.compile(r"--\s*@(?P<name>\w+)\s*(?P<type>[^=\n]*?)\s*(?:=\s*(?P<default>.*?))?\s*")
_PART = re.compile(r"\[((?:[^\]]|\]\])+)\]|\"((?:[^\"]|\"\")+)\"|([^.\[\]\"]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """A script that stands for a stored procedure.

    Comment lines at its beginning may declare the parameters in order (`-- @day date`, `-- @most int = 10`); a default
    is a number, a text in quotes or null. Without them every parameter that is given can be used. It may be the
    procedure's own CREATE PROCEDURE too (`is_tsql`): then `types` are those of its parameters, and `tables` the names
    of those that are tables.
    """

    name: str
    text: str
    defaults: Mapping[str, Any]
    needed: tuple[str, ...]
    order: tuple[str, ...]
    is_tsql: bool = False
    types: Mapping[str, str] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()

    @staticmethod
    def read(name: str, text: str) -> "Procedure":
        """Return the script with what its first lines declare."""
        written = read_procedure(text)
        if written is not None:
            return _of_tsql(name, written)
        order, defaults, needed = [], {}, []
        for line in text.splitlines():
            if line.strip() and not line.lstrip().startswith("--"):
                break
            if found := _PARAMETER.fullmatch(line.strip()):
                key = found["name"].lower()
                order.append(key)
                if found["default"] is None:
                    needed.append(key)
                else:
                    defaults[key] = _default(found["default"])
        return Procedure(name=name, text=text, defaults=defaults, needed=tuple(needed), order=tuple(order))

    def bound(self, named: Mapping[str, Any], placed: Sequence[Any] = ()) -> dict[str, Any]:
        """Return the values of the parameters. Raises WrongDefinition for one that is missing, or not declared."""
        given = {name.lstrip("@").lower(): value for name, value in named.items()}
        if len(placed) > len(self.order):
            raise WrongDefinition(
                f"The procedure '{self.name}' is given {len(placed)} values by their places, and its script declares "
                f"{len(self.order)} parameters.",
                advice=f"Declare them in the first lines of {FOLDER}/{self.name}.sql: -- @name type",
            )
        given.update(zip(self.order, placed, strict=False))
        if lost := [name for name in self.needed if name not in given]:
            raise WrongDefinition(f"The procedure '{self.name}' needs the parameter @{lost[0]}.")
        if self.order and (odd := [name for name in given if name not in self.order]):
            raise WrongDefinition(f"The procedure '{self.name}' has no parameter @{odd[0]}.")
        return {**self.defaults, **given}


def _of_tsql(name: str, written: Written) -> Procedure:
    values = [one for one in written.parameters if not one.is_table]
    return Procedure(
        name=name,
        text=written.body,
        defaults={one.name: None if one.default is None else constant(one.default)
                  for one in values if one.default is not None or one.is_output},
        needed=tuple(one.name for one in values if one.default is None and not one.is_output),
        order=tuple(one.name for one in written.parameters),
        is_tsql=True,
        types={one.name: one.type for one in values},
        tables=frozenset(one.name for one in written.parameters if one.is_table),
    )  # fmt: skip


def plain_name(told: str) -> str:
    """Return a procedure's name without brackets and quotes.

    >>> plain_name("[dbo].[Load sales]")
    'dbo.Load sales'
    """
    return ".".join(next(part for part in found if part).strip() for found in _PART.findall(told))


def script_of(name: str, text: Callable[[str, str], str]) -> str:
    """Return the script that answers a procedure: by its whole name, or by its last part.

    Raises NotFound that names the file to write.
    """
    whole = plain_name(name)
    for key in dict.fromkeys((whole, whole.rpartition(".")[2], f"dbo.{whole}")):
        try:
            return text(FOLDER, key)
        except NotFound:
            continue
    raise NotFound(
        f"There is no stored procedure '{whole}' on this machine.",
        advice=f"Write {FOLDER}/{whole}.sql: its CREATE PROCEDURE, or a script in the words of what stands in.",
        code="UserErrorMissingStoredProcedure",
    )


def called(dialect: str, name: str, parameters: Sequence[str], runner: Any) -> str:
    """Return the statement that calls a procedure of the database itself; nothing where it has none."""
    parts = plain_name(name).split(".")
    quoted = ".".join(exp.to_identifier(part, quoted=True).sql(dialect) for part in parts)
    if dialect == "tsql":
        return f"exec {quoted} " + ", ".join(f"@{one.lstrip('@')} = ${one.lstrip('@').lower()}" for one in parameters)
    arguments = ", ".join(f"${one.lstrip('@').lower()}" for one in parameters)
    if dialect == "postgres":
        return _called_in_postgres(parts, parameters, runner)
    if dialect in {"mysql", "snowflake"}:
        return f"call {quoted}({arguments})"
    return f"begin {quoted}({arguments}); end;" if dialect == "oracle" else ""


_OF_POSTGRES = """
select nspname::text as folder, proname::text as name, prokind::text as kind, proargnames as names,
    array(select format_type(told.type, null)
          from unnest(coalesce(proallargtypes, proargtypes::oid[])) with ordinality as told(type, place)
          order by told.place) as types
from pg_proc join pg_namespace on pg_namespace.oid = pronamespace
where lower(proname) = lower($name) and prokind in ('p', 'f')
    and (pg_function_is_visible(pg_proc.oid) or lower(nspname) = lower($folder))
order by lower(nspname) = lower($folder) desc, proname = $name desc, pg_proc.oid
"""


def _called_in_postgres(parts: Sequence[str], parameters: Sequence[str], runner: Any) -> str:
    """Return the call of a procedure or function of PostgreSQL, by the names and types that it has there itself.

    SQL Server does not tell capitals apart, PostgreSQL does; `dbo`, where there is no such schema, is the usual one.
    Of several of one name, the first that has all the parameters is called.
    """
    folder = parts[-2] if len(parts) > 1 else ""
    found = runner.query(_OF_POSTGRES, {"name": parts[-1], "folder": folder}).read_all().to_pylist()
    if folder.lower() not in {"", "dbo"}:
        found = [one for one in found if one["folder"].lower() == folder.lower()]
    if not found:
        return ""
    wanted = [one.lstrip("@") for one in parameters]
    real = next((one for one in found if {name.lower() for name in wanted} <= _places(one).keys()), found[0])
    arguments = ", ".join(_argument(real, name) for name in wanted)
    whole = f"{_quoted(real['folder'])}.{_quoted(real['name'])}({arguments})"
    return f"call {whole}" if real["kind"] == "p" else f"select * from {whole}"  # noqa: S608 # the names are quoted


def _argument(real: Mapping[str, Any], name: str) -> str:
    """Return one argument by its name, as the type that it has: a double is no numeric to PostgreSQL."""
    place = _places(real).get(name.lower())
    if place is None:
        return f"{_quoted(name)} => ${name.lower()}"
    return f"{_quoted(real['names'][place])} => cast(${name.lower()} as {real['types'][place]})"


def _places(real: Mapping[str, Any]) -> dict[str, int]:
    """Return where the parameters stand, by their names in small letters."""
    return {str(name).lower(): place for place, name in enumerate(real["names"] or ()) if name}


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("postgres")


def _default(told: str) -> Any:
    text = told.strip().rstrip(",")
    if text.lower() == "null":
        return None
    if text[:1] == "'" and text[-1:] == "'":
        return text[1:-1].replace("''", "'")
    try:
        return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
    except ValueError as error:
        raise WrongDefinition(f"The default '{text}' is no number, text in quotes, or null.") from error
