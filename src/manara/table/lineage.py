"""Where the columns come from that SQL writes: from a statement or a script, read and not run.

What cannot be followed is told of as that: such a table has its inputs, and no columns. Nothing is guessed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from manara.errors import ManaraError
from manara.table.lineage_query import Columns, Found, Query, Unclear, name_of, origins, query_of
from manara.table.lineage_told import How, ReadColumn, Script, Written
from manara.table.lineage_writes import Write, write_of
from manara.table.statements import statements

__all__ = ["Columns", "How", "ReadColumn", "Script", "Written", "query_lineage", "script_lineage"]

_MOST_STATEMENTS = 500


def script_lineage(
    texts: str | Sequence[str], dialect: str, columns: Callable[[exp.Table], Mapping[str, str]]
) -> Script:
    """Return what the statements write and from where; those of a script, or each given by itself.

    `columns` returns the columns of a table that is there already, in order; nothing for one that is not. Temporary
    tables and views of the script itself are looked through; other views are tables of their own. Never raises for
    SQL that it cannot read: that is named in `unclear`.
    """
    return _Reader(dialect, columns).read([texts] if isinstance(texts, str) else texts)


def query_lineage(
    text: str, dialect: str, columns: Callable[[exp.Table], Mapping[str, str]]
) -> tuple[tuple[str, ...], Mapping[str, tuple[ReadColumn, ...]], str]:
    """Return what one query reads, and where each column of its rows comes from; and why not, where that is unclear.

    >>> query_lineage("select a, b + 1 as c from t", "duckdb", lambda _: {"a": "", "b": ""})[1]["a"]
    (ReadColumn(table='t', column='a', how='IDENTITY'),)
    """
    try:
        tree = sqlglot.parse_one(text, dialect=dialect)
    except (SqlglotError, RecursionError) as error:
        return (), {}, f"The query cannot be read: {str(error)[:100]}"
    reader = _Reader(dialect, columns)
    told = reader.followed(Write(target=exp.to_table("__rows"), source=tree, names=None))
    return told.inputs, told.columns, told.unclear


class _Reader:
    """Statements read one after the other; later ones see the temporary tables and views of earlier ones."""

    def __init__(self, dialect: str, columns: Callable[[exp.Table], Mapping[str, str]]) -> None:
        self._dialect = dialect
        self._known = Columns(columns)
        self._written: dict[str, Written] = {}
        self._reads: dict[str, None] = {}
        self._unclear: dict[str, None] = {}

    def read(self, texts: Sequence[str]) -> Script:
        for text in texts:
            for tree in self._trees(text):
                self._take(tree)
        reads = [name for name in self._reads if name not in self._written]
        return Script(written=tuple(self._written.values()), reads=tuple(reads), unclear=tuple(self._unclear))

    def followed(self, write: Write) -> Written:
        """Return one write with the origins of its columns, as far as they can be followed."""
        try:
            query = query_of(write.source, self._dialect, self._known)
            found, unclear = self._origins(query, write)
        except Unclear as error:
            inputs = self._known.through(write.source)
            return Written(table=name_of(write.target), inputs=inputs, unclear=str(error))
        return Written(
            table=name_of(write.target), inputs=query.tables, columns=_told(found, self._known), unclear=unclear
        )

    def _origins(self, query: Query, write: Write) -> tuple[dict[str, Found], str]:
        found, lost = origins(query)
        names = write.names
        if names is None:
            kept = dict(zip(query.names, found.values(), strict=True)) if len(query.names) == len(found) else found
            return kept, _lost(lost)
        if len(names) != len(found):
            reason = "It is not known which columns the table has." if not names else "The numbers of columns differ."
            return {}, reason
        placed = {name: each for name, (was, each) in zip(names, found.items(), strict=True) if was not in lost}
        return placed, _lost([name for name, was in zip(names, found, strict=True) if was in lost])

    def _trees(self, text: str) -> Iterator[exp.Expr]:
        """Yield the statements as trees; the whole text at once where it reads so, or else one by one."""
        try:
            yield from (tree for tree in sqlglot.parse(text, dialect=self._dialect) if tree)
        except (SqlglotError, RecursionError):
            yield from self._one_by_one(text)

    def _one_by_one(self, text: str) -> Iterator[exp.Expr]:
        try:
            found = [one.text for one in statements(text, self._dialect)]
        except ManaraError:
            found = [text]
        for one in found[:_MOST_STATEMENTS]:
            try:
                yield sqlglot.parse_one(one, dialect=self._dialect)
            except (SqlglotError, RecursionError):
                self._unclear[f"This cannot be read: {' '.join(one.split())[:80]}"] = None

    def _take(self, tree: exp.Expr) -> None:
        write = write_of(tree, self._known)
        if isinstance(write, str):
            self._unclear[write] = None
        elif write is None:
            if isinstance(tree, exp.Query):
                self._reads.update(dict.fromkeys(self._known.through(tree)))
        else:
            self._keep(write, self.followed(write))

    def _keep(self, write: Write, told: Written) -> None:
        if write.is_passing:
            self._known.make(write.target, told.columns, told.inputs, told.unclear, adds=write.adds)
            return
        if write.defines:
            self._known.define(write.target, list(told.columns))
        earlier = self._written.get(told.table)
        self._written[told.table] = _merged(earlier, told) if earlier and write.adds else told


def _lost(names: Sequence[str]) -> str:
    return f"It is not known where these come from: {', '.join(names)}." if names else ""


def _told(found: Mapping[str, Found], known: Columns) -> dict[str, tuple[ReadColumn, ...]]:
    told: dict[str, tuple[ReadColumn, ...]] = {}
    for name, sources in found.items():
        spelt = sorted((known.spelling(table, column), how) for (table, column), how in sources.items())
        told[name] = tuple(ReadColumn(table=table, column=column, how=_HOW[how]) for (table, column), how in spelt)
    return told


_HOW: Sequence[Any] = ("IDENTITY", "TRANSFORMATION", "AGGREGATION")


def _merged(one: Written, other: Written) -> Written:
    """Return two writes to one table as one: the sources of a column are those of both."""
    columns: dict[str, dict[tuple[str, str], ReadColumn]] = {}
    for part in (one, other):
        for name, sources in part.columns.items():
            held = columns.setdefault(next((each for each in columns if each.lower() == name.lower()), name), {})
            for each in sources:
                known = held.get((each.table, each.column))
                if known is None or _HOW.index(known.how) < _HOW.index(each.how):
                    held[each.table, each.column] = each
    return Written(
        table=one.table,
        inputs=tuple(dict.fromkeys((*one.inputs, *other.inputs))),
        columns={name: tuple(held.values()) for name, held in columns.items()},
        unclear=" ".join(dict.fromkeys(filter(None, (one.unclear, other.unclear)))),
    )
