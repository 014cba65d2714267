"""What a table holds, column by column: types that hide in texts, keys, ranges, values, likely personal data."""

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

_BLANKS = " \t\r\n\u00a0"
_KINDS: Mapping[str, str] = {
    "integer": r"[+-]?\d{1,18}(\.0*)?",
    "number": r"[+-]?(\d+(\.\d*)?|\.\d+)",
    "boolean": r"(?i)(true|false|yes|no)",
    "date": r"\d{4}-\d{2}-\d{2}",
    "timestamp": r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}(:?\d{2})?)?",
}
"""Types in the order in which they are tried, and what their texts look like (RE2)."""

DATE_FORMS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y%m%d", "%d-%b-%y", "%d-%b-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%Y%m",
)  # fmt: skip
_PERSONAL_NAMES = (
    (
        "name of a person",
        r"^(nom|prenom|nombre|apellido|apelido)s?(_|$)"
        r"|(first|last|full|given|family|sur|mother|father|child|caregiver|patient|respondent|beneficiary)_?name",
    ),
    ("telephone", r"(phone|mobile|tel(efon)?|whatsapp|msisdn)"),
    ("e-mail", r"e_?mail|courriel|correo"),
    ("identity number", r"(national|passport|tax|social|unhcr|case|registration)_?(id|no|num)|^(id|carte)_?(card|nat)"),
    ("date of birth", r"birth|^dob$|naissance|nacimiento|nascimento"),
    ("address", r"address|adresse|direccion|endereco"),
    ("place of a person", r"^(gps|geo|_geolocation)|(lat|lon)(itude|g)?$"),
)  # fmt: skip
_PERSONAL_TEXTS = (
    ("e-mail", r"[^@\s]+@[^@\s]+\.[a-z]{2,}"),
    ("telephone", r"\+\d[\d\s()-]{7,}\d"),
)
_MOST_KEY_COLUMNS = 8
_SHOWN = 5
_MEMORY = "512MB"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: counts of rows, of blanks and of distinct values, the type of its texts, and what stands out.

    `forms` are the forms of a date that all values have; more than one means that the values do not tell which.
    """

    name: str
    rows: int
    missing: int
    distinct: int
    kind: str
    least: str | None
    most: str | None
    longest: int
    frequent: tuple[tuple[str, int], ...]
    forms: tuple[str, ...] = ()
    personal: str = ""
    odd: tuple[str, ...] = ()
    odd_count: int = 0

    @property
    def is_unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.rows > 0 and self.missing == 0 and self.distinct == self.rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a table holds. `key` are the fewest columns that tell its rows apart; none where no few do."""

    rows: int
    columns: tuple[Column, ...]
    key: tuple[str, ...]


def profile(rows: pa.RecordBatchReader, tell: Callable[[int], None] = lambda _rows: None) -> Profile:
    """Return what the rows hold; every value is looked at as a text. `tell` hears how many rows were read.

    The rows go through a temporary DuckDB that spills to the disk, so that memory is bounded.
    """
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        connection.register("incoming", pa.RecordBatchReader.from_batches(rows.schema, _counted(rows, tell)))
        names = rows.schema.names
        texts = ", ".join(
            f"CAST({_quoted(name)} AS VARCHAR) AS {_quoted(f'c{place}')}" for place, name in enumerate(names)
        )
        connection.execute(f"CREATE TEMP TABLE held AS SELECT {texts} FROM incoming")  # noqa: S608 # quoted names
        count = _one(connection, "SELECT count(*) FROM held")
        columns = tuple(_column(connection, f"c{place}", name, count) for place, name in enumerate(names))
        return Profile(rows=count, columns=columns, key=_key(connection, columns, count))


def _counted(rows: pa.RecordBatchReader, tell: Callable[[int], None]) -> Iterator[pa.RecordBatch]:
    count = 0
    for batch in rows:
        count += batch.num_rows
        yield batch
        tell(count)


def _column(connection: duckdb.DuckDBPyConnection, held: str, name: str, count: int) -> Column:
    text = f"nullif(trim({held}, '{_BLANKS}'), '')"
    fits = ", ".join(f"count_if(regexp_full_match(t, ?)) AS k{place}" for place in range(len(_KINDS)))
    told = connection.execute(
        f"SELECT count(t), count(DISTINCT t), max(length(t)), {fits} FROM (SELECT {text} AS t FROM held)",  # noqa: S608
        list(_KINDS.values()),
    ).fetchall()[0]
    present, distinct, longest = told[0], told[1], told[2] or 0
    fitting = dict(zip(_KINDS, told[3:], strict=True))
    kind = next((kind for kind, found in fitting.items() if present and found == present), "string")
    forms = _forms(connection, text, present) if kind in ("string", "integer") and present else ()
    if kind == "integer" and not (forms and longest in (6, 8) and name_says_date(name)):
        forms = ()
    kind = "date" if forms else kind
    nearly = max(fitting, key=lambda each: fitting[each]) if kind == "string" and present else ""
    odd, odd_count = _odd(connection, text, nearly, present, fitting) if nearly else ((), 0)
    least, most = _range(connection, text, kind, forms)
    frequent = connection.execute(
        f"SELECT t, count(*) FROM (SELECT {text} AS t FROM held) WHERE t IS NOT NULL "  # noqa: S608
        "GROUP BY t ORDER BY 2 DESC, 1 LIMIT ?", [_SHOWN],
    ).fetchall()  # fmt: skip
    return Column(
        name=name, rows=count, missing=count - present, distinct=distinct, kind=kind, least=least, most=most,
        longest=longest, frequent=tuple((value, number) for value, number in frequent), forms=forms,
        personal=_personal(name, [value for value, _ in frequent]), odd=odd, odd_count=odd_count,
    )  # fmt: skip


def name_says_date(name: str) -> bool:
    """Say whether the name of a column speaks of time; digits alone do not make a date."""
    return bool(re.search(r"date|day|month|period|time|fecha|jour|mois|semana|week", name.lower()))


def _forms(connection: duckdb.DuckDBPyConnection, text: str, present: int) -> tuple[str, ...]:
    """Return the forms of a date that every value has."""
    tries = ", ".join(f"count_if(try_strptime(t, '{form}') >= TIMESTAMP '1000-01-01')" for form in DATE_FORMS)
    found = connection.execute(f"SELECT {tries} FROM (SELECT {text} AS t FROM held)").fetchall()[0]  # noqa: S608
    fits = [form for form, count in zip(DATE_FORMS, found, strict=True) if count == present]
    return tuple(form for form in fits if "%Y" in form or not any("%Y" in other for other in fits))


def _odd(
    connection: duckdb.DuckDBPyConnection, text: str, kind: str, present: int, fitting: Mapping[str, int]
) -> tuple[tuple[str, ...], int]:
    """Return the values that keep a column from a type that nearly all others have."""
    if fitting[kind] < 0.5 * present:
        return (), 0
    rows = connection.execute(
        f"SELECT t FROM (SELECT {text} AS t FROM held) WHERE t IS NOT NULL "  # noqa: S608
        "AND NOT regexp_full_match(t, ?) GROUP BY t ORDER BY count(*) DESC, t LIMIT ?", [_KINDS[kind], _SHOWN],
    ).fetchall()  # fmt: skip
    return tuple(row[0] for row in rows), present - fitting[kind]


def _range(
    connection: duckdb.DuckDBPyConnection, text: str, kind: str, forms: Sequence[str]
) -> tuple[str | None, str | None]:
    value = {"integer": "CAST(t AS DOUBLE)", "number": "CAST(t AS DOUBLE)"}.get(kind, "t")
    if kind == "date" and forms:
        value = f"CAST(strptime(t, '{forms[0]}') AS DATE)"
    if kind in ("boolean", "string"):
        return None, None
    least, most = connection.execute(
        f"SELECT min({value}), max({value}) FROM (SELECT {text} AS t FROM held)"  # noqa: S608
    ).fetchall()[0]
    return _shown(least), _shown(most)


def _shown(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _key(connection: duckdb.DuckDBPyConnection, columns: Sequence[Column], count: int) -> tuple[str, ...]:
    """Return the fewest columns that tell the rows apart, ids and codes before others."""
    if not count:
        return ()
    ranked = sorted(
        (place for place, each in enumerate(columns) if each.missing == 0 and each.distinct > 1),
        key=lambda place: (not re.search(r"(^|_)(id|uuid|code|key)$", columns[place].name.lower()), place),
    )
    for place in ranked:
        if columns[place].is_unique:
            return (columns[place].name,)
    few = sorted(ranked, key=lambda place: -columns[place].distinct)[:_MOST_KEY_COLUMNS]
    for size in (2, 3, 4):
        for group in itertools.combinations(sorted(few), size):
            most = 1
            for place in group:
                most *= columns[place].distinct
            if most < count:
                continue
            held = ", ".join(f"c{place}" for place in group)
            if _one(connection, f"SELECT count(*) FROM (SELECT DISTINCT {held} FROM held)") == count:  # noqa: S608
                return tuple(columns[place].name for place in group)
    return ()


def _personal(name: str, values: Sequence[str]) -> str:
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    for what, pattern in _PERSONAL_NAMES:
        if re.search(pattern, plain):
            return what
    for what, pattern in _PERSONAL_TEXTS:
        if values and all(re.fullmatch(pattern, value, re.IGNORECASE) for value in values):
            return what
    return ""


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
