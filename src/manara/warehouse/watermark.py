"""Loads that go on where the last good one ended, by a column that grows: a moment of change, or a running number."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlglot import exp

from manara.errors import WrongDefinition
from manara.plugin.activity import Given
from manara.registry import near
from manara.table.template import fill, name, table
from manara.warehouse.staging import SOURCE, Staging

_DAY = len("2024-01-31")
_ENDLESS = ("nan", "inf", "infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """The column, and from which value on rows are taken (a text; all rows where it is None).

    The value itself belongs to it, as other rows may have the same; those that are there already change nothing. A row
    without a value is always taken.
    """

    column: str
    since: str | None
    last: str | None
    where: str

    def within(self, query: str) -> str:
        """Return the query for the rows that are taken."""
        if self.since is None:
            return query
        rows = query.strip().rstrip(";")
        return f"SELECT * FROM ({rows}\n) AS manara_rows WHERE {self._wanted().sql('duckdb')}"  # noqa: S608 # its own query

    def leave_out_old(self, staging: Staging) -> int:
        """Remove what is not taken from the rows of a source, and return how many those are."""
        self._check(staging)
        if self.since is None:
            return 0
        return staging.run("delete from {source} where not {wanted}", source=table(SOURCE), wanted=self._wanted())

    def reached(self, staging: Staging) -> str | None:
        """Return the greatest value among the rows that were taken, as a text; the last one where there is none."""
        self._check(staging)
        column = name(staging.columns[self.column.lower()])
        self._refuse_texts(staging, column)
        found = staging.ask(
            "select cast(max({column}) as text) as reached from {source}", column=column, source=table(SOURCE)
        )[0]["reached"]
        if found is not None and str(found).lower() in _ENDLESS:
            raise WrongDefinition(
                f"The watermark '{self.column}' has come to '{found}', after which nothing comes.", where=self.where,
                advice="Leave such rows out, or give them no value.",
            )  # fmt: skip
        return self.last if found is None else str(found)

    def _check(self, staging: Staging) -> None:
        if self.column.lower() not in staging.columns:
            raise WrongDefinition(
                f"The source has no column '{self.column}', which the watermark is.", where=self.where,
                advice=near(self.column, staging.columns.values()),
            )  # fmt: skip

    def _refuse_texts(self, staging: Staging, column: exp.Column) -> None:
        """Refuse a text: it may sort otherwise than it grows ('9' comes after '10'), and rows would be passed over."""
        kind = staging.transaction.columns(table(SOURCE))[column.name]
        if exp.DataType.build(kind, dialect=staging.dialect).this in exp.DataType.TEXT_TYPES:
            raise WrongDefinition(
                f"The watermark '{self.column}' is a text, which may sort otherwise than it grows.", where=self.where,
                advice="Give it a type: cast it in the query, or name its type where the rows are landed.",
            )  # fmt: skip

    def _wanted(self) -> exp.Expr:
        # A quoted value has no type of its own: both databases read it as one of the column's.
        since = exp.Literal.string(str(self.since))
        return exp.paren(fill("{column} is null or {column} >= {since}", column=name(self.column), since=since))


def watermark_of(given: Given) -> Watermark | None:
    """Return the watermark of a load that has one. Raises WrongDefinition for one that cannot be."""
    column, overlap = given.properties.get("watermark"), given.properties.get("overlapInSeconds")
    where = f"activity '{given.name}'"
    if not column:
        if overlap:
            raise WrongDefinition("overlapInSeconds belongs to a watermark, and there is none.", where=where)
        return None
    if str(given.properties.get("deletes") or "ignore") != "ignore":
        raise WrongDefinition(
            "With a watermark the source is not whole: what is missing in it is not deleted.", where=where,
            advice="Leave out deletes, or the watermark.",
        )  # fmt: skip
    last = None if given.cursor is None else str(given.cursor)
    since = last if last is None or not overlap else _earlier(last, overlap, where)
    return Watermark(column=str(column), since=since, last=last, where=where)


def _earlier(last: str, overlap: object, where: str) -> str:
    try:
        moment = datetime.fromisoformat(last) - timedelta(seconds=float(str(overlap)))
        return str(moment.date() if len(last) == _DAY else moment)
    except (ValueError, OverflowError) as error:
        raise WrongDefinition(
            f"'{overlap}' seconds cannot be taken from the watermark '{last}'.", where=where,
            advice="An overlap is a number of seconds, and its column a date or a timestamp.",
        ) from error  # fmt: skip
