"""What the databases' SQL has in differing words: the types of columns, temporary tables, and updates from rows."""

import re
from dataclasses import dataclass

import pyarrow as pa
from sqlglot import exp

_TYPE = re.compile(r"\s*([a-z_0-9$ ]*[a-z_0-9])\s*(?:\(\s*(\d+|max)\s*(?:(?:char|byte)\s*)?(?:,\s*(-?\d+)\s*)?\))?(.*)")
_MOST_DIGITS = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a column of a table takes: DuckDB's name of the type, and the Arrow type that its values are given in.

    `length` is how many characters a text may have at most, None for any. `form` is what a text has to look like that
    the database itself is to read (a number of any size).
    """

    name: str
    arrow: pa.DataType
    length: int | None = None
    form: str = ""


TEXT = Kind(name="VARCHAR", arrow=pa.string())
_NUMBER = Kind(name="VARCHAR", arrow=pa.string(), form=r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?")
_BYTES = Kind(name="BLOB", arrow=pa.binary())
_MOMENT = Kind(name="TIMESTAMP", arrow=pa.timestamp("us"))
_KINDS: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "TINYINT": pa.int8(),
    "UTINYINT": pa.uint8(),
    "SMALLINT": pa.int16(),
    "USMALLINT": pa.uint16(),
    "INTEGER": pa.int32(),
    "UINTEGER": pa.uint32(),
    "BIGINT": pa.int64(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMPTZ": pa.timestamp("us", "UTC"),
    "BLOB": pa.binary(),
    "VARCHAR": pa.string(),
    "UUID": pa.string(),
}
# What the words mean in most databases; below, where one means something else by them.
_WORDS = {
    "BOOLEAN": ("bool", "boolean", "bit"),
    "TINYINT": ("tinyint", "int1"),
    "SMALLINT": ("smallint", "int2", "smallserial"),
    "INTEGER": ("int", "integer", "int4", "mediumint", "serial"),
    "BIGINT": ("bigint", "int8", "bigserial"),
    "FLOAT": ("real", "float", "float4", "binary_float"),
    "DOUBLE": ("double", "double precision", "float8", "binary_double"),
    "DATE": ("date",),
    "TIME": ("time", "time without time zone"),
    "TIMESTAMP": (
        "timestamp",
        "timestamp without time zone",
        "datetime",
        "datetime2",
        "smalldatetime",
        "timestamp_ntz",
        "timestamp_us",
        "timestamp_ns",
    ),
    "TIMESTAMPTZ": (
        "timestamptz",
        "timestamp with time zone",
        "timestamp with local time zone",
        "timestamp_tz",
        "timestamp_ltz",
        "datetimeoffset",
    ),
    "BLOB": ("bytea", "blob", "binary", "varbinary", "image", "raw", "long raw", "tinyblob", "mediumblob", "longblob"),
    "UUID": ("uuid", "uniqueidentifier"),
}
_MEANING = {word: name for name, words in _WORDS.items() for word in words}
_OWN_MEANING = {
    ("tsql", "tinyint"): "UTINYINT",
    ("tsql", "float"): "DOUBLE",
    ("tsql", "money"): "DECIMAL(19,4)",
    ("tsql", "smallmoney"): "DECIMAL(10,4)",
    ("mysql", "year"): "SMALLINT",
    ("mysql", "bit"): "UBIGINT",
    ("postgres", "bit"): "VARCHAR",
    ("oracle", "date"): "TIMESTAMP",
    ("oracle", "float"): "DOUBLE",
    ("snowflake", "float"): "DOUBLE",
    ("snowflake", "real"): "DOUBLE",
    ("sqlite", "real"): "DOUBLE",
    ("sqlite", "float"): "DOUBLE",
    ("sqlite", "int"): "BIGINT",
    ("sqlite", "integer"): "BIGINT",
}
_DECIMALS = ("decimal", "numeric", "number", "dec")
# A decimal without digits after it: of any size, or else these.
_PLAIN_DECIMAL = {"tsql": (18, 0), "mysql": (10, 0), "snowflake": (38, 0), "duckdb": (18, 3)}
_TEXTS = ("char", "varchar", "nchar", "nvarchar", "character", "character varying", "varchar2", "nvarchar2", "bpchar")


def kind_of(told: str, dialect: str) -> Kind:
    """Return what a column takes whose type the database tells so; a type that is not known takes text.

    >>> kind_of("decimal(9,2)", "mysql").name, kind_of("nvarchar(20)", "tsql").length
    ('DECIMAL(9,2)', 20)
    """
    found = _TYPE.fullmatch(told.lower())
    if found is None:
        return TEXT
    word, first, second, rest = found.groups()
    word, digits = word.strip(), int(first) if first and first != "max" else None
    unsigned = word.endswith(" unsigned") or " unsigned" in rest
    word = word.removesuffix(" unsigned").removesuffix(" zerofill")
    if "with time zone" in rest or "with local time zone" in rest:
        word = f"{word} with time zone"
    if word in _DECIMALS:
        return _decimal(digits, int(second) if second else 0, dialect)
    if word in _TEXTS:
        return Kind(name="VARCHAR", arrow=pa.string(), length=digits)
    name = _OWN_MEANING.get((dialect, word)) or _MEANING.get(word, "VARCHAR")
    if name.startswith("DECIMAL"):
        return kind_of(name, dialect)
    if dialect == "mysql" and word == "tinyint" and digits == 1:
        name = "TINYINT"
    if unsigned and f"U{name}" in _KINDS:
        name = f"U{name}"
    return Kind(name=name, arrow=_KINDS[name])


def _decimal(digits: int | None, after: int, dialect: str) -> Kind:
    if digits is None:
        if dialect not in _PLAIN_DECIMAL:
            return _NUMBER
        digits, after = _PLAIN_DECIMAL[dialect]
    if digits > _MOST_DIGITS or not 0 <= after <= digits:
        return _NUMBER
    return Kind(name=f"DECIMAL({digits},{after})", arrow=pa.decimal128(digits, after))


_MADE = {
    "text": {"tsql": "nvarchar(max)", "mysql": "longtext", "oracle": "varchar2(4000 char)", "snowflake": "varchar"},
    "bytea": {
        "tsql": "varbinary(max)",
        "mysql": "longblob",
        "oracle": "blob",
        "snowflake": "binary",
        "sqlite": "blob",
    },
    "timestamp": {"tsql": "datetime2", "mysql": "datetime(6)", "snowflake": "timestamp_ntz", "sqlite": "timestamp"},
    "timestamptz": {
        "tsql": "datetimeoffset",
        "mysql": "datetime(6)",
        "oracle": "timestamp with time zone",
        "snowflake": "timestamp_tz",
    },
    "time": {"mysql": "time(6)", "oracle": "varchar2(20)"},
    "boolean": {"tsql": "bit", "oracle": "number(1)"},
    "smallint": {"oracle": "number(5)", "snowflake": "number(5)"},
    "integer": {"oracle": "number(10)", "tsql": "int", "snowflake": "number(10)"},
    "bigint": {"oracle": "number(19)", "snowflake": "number(19)"},
    "real": {"oracle": "binary_float", "mysql": "float"},
    "double precision": {"tsql": "float", "mysql": "double", "oracle": "binary_double", "snowflake": "double"},
    "date": {},
}
_MADE_OF = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "smallint"),
    (pa.types.is_uint8, "smallint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_uint16, "integer"),
    (pa.types.is_int32, "integer"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_float32, "real"),
    (pa.types.is_floating, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "bytea"),
    (pa.types.is_large_binary, "bytea"),
    (pa.types.is_fixed_size_binary, "bytea"),
)


def made_type(kind: pa.DataType, dialect: str) -> str:
    """Return the type that a column made for values of an Arrow type has; texts and all else become text."""
    if pa.types.is_uint64(kind):
        return "number(20)" if dialect == "oracle" else "decimal(20, 0)"
    if pa.types.is_decimal(kind):
        return f"{'number' if dialect == 'oracle' else 'decimal'}({kind.precision}, {kind.scale})"
    if pa.types.is_timestamp(kind):
        word = "timestamptz" if kind.tz else "timestamp"
    else:
        word = next((word for test, word in _MADE_OF if test(kind)), "text")
    return _MADE[word].get(dialect, word)


def made_table(table: exp.Table, schema: pa.Schema, dialect: str) -> str:
    """Return the statement that makes a table for rows of the schema."""
    columns = ", ".join(
        f"{exp.to_identifier(field.name, quoted=True).sql(dialect)} {made_type(field.type, dialect)}"
        for field in schema
    )
    return f"create table {table.sql(dialect)} ({columns})"


_STAGES = {"oracle": "create private temporary table", "snowflake": "create or replace temporary table"}


def stage_table(dialect: str, folder: str = "") -> exp.Table:
    """Return the name of the table in which rows wait to be merged: a temporary one, or a real one in `folder`."""
    if folder:
        return exp.table_("manara_stage", db=folder, quoted=True)
    if dialect == "tsql":
        return exp.Table(this=exp.Identifier(this="manara_stage", quoted=False, temporary=True))
    if dialect == "oracle":
        return exp.to_table("ora$ptt_manara_stage")
    return exp.to_table("manara_stage")


def made_stage(stage: exp.Table, rows: exp.Select, dialect: str) -> str:
    """Return the statement that makes the stage with the columns of `rows`, in the words of the database."""
    if stage.db:
        return exp.Create(kind="TABLE", this=stage.copy(), expression=rows).sql(dialect)
    if dialect == "tsql":
        told = rows.copy()
        told.set("into", exp.Into(this=stage.copy()))
        return told.sql(dialect)
    begins = _STAGES.get(dialect, "create temporary table")
    ends = "on commit drop definition " if dialect == "oracle" else ""
    return f"{begins} {stage.sql(dialect)} {ends}as {rows.sql(dialect)}"


def dropped_stage(stage: exp.Table, dialect: str) -> str:
    """Return the statement that drops the stage; none where that would commit what the transaction has done so far.

    Snowflake commits before every statement that makes or drops a table; its temporary tables end with the connection.
    """
    if stage.db:
        return f"drop table {stage.sql(dialect)}"
    kind = "temporary table" if dialect == "mysql" else "table"
    return "" if dialect == "snowflake" else f"drop {kind} {stage.sql(dialect)}"


def update_from(table: exp.Table, changed: list[str], rows: exp.Subquery, same: exp.Expression, dialect: str) -> str:
    """Return the statement that sets the columns of the table to those of the rows `s` where they are the `same`."""
    if dialect == "oracle":
        sets = [exp.EQ(this=_column(name, table.name), expression=_column(name, "s")) for name in changed]
        when = exp.When(matched=True, then=exp.Update(expressions=sets))
        return exp.Merge(this=table.copy(), using=rows, on=same, whens=exp.Whens(expressions=[when])).sql(dialect)
    sets = [exp.EQ(this=exp.column(name, quoted=True), expression=_column(name, "s")) for name in changed]
    return exp.Update(this=table.copy(), expressions=sets, from_=exp.From(this=rows), where=exp.Where(this=same)).sql(
        dialect
    )


def _column(name: str, table: str) -> exp.Column:
    return exp.column(name, table=table, quoted=True)
