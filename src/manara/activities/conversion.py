"""Values from one type to another: fast where a value is certain to fit, by DuckDB where that has to be found out."""

import contextlib
import functools
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute
from sqlglot import exp

from manara.errors import WrongDefinition
from manara.table.cast import does_not_fit, may_fit, safe_cast
from manara.table.rows import all_but

Array: TypeAlias = "pa.Array[Any]"
"""The values of one column in one batch."""

Misfits = list[int]
"""Where in the batch the values stand that do not fit."""

# The stubs of Arrow's functions want the kind of each array, and here it is known only when it runs.
pc: Any = pyarrow.compute

_FEW = 1000  # so few values are looked at one by one before DuckDB is asked
_ROWS, _VALUE = "manara_rows", "value"
_ARROW: dict[str, pa.DataType] = {
    "BOOLEAN": pa.bool_(),
    "UTINYINT": pa.uint8(),
    "TINYINT": pa.int8(),
    "SMALLINT": pa.int16(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "USMALLINT": pa.uint16(),
    "UINTEGER": pa.uint32(),
    "UBIGINT": pa.uint64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "UUID": pa.string(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
    "TIME": pa.time64("us"),
}
_DECIMAL = re.compile(r"DECIMAL\((\d+), (\d+)\)")

# The letters of .NET's date formats in those of strptime; what is not here cannot be read in one go.
_LETTERS = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dddd": "%A", "ddd": "%a", "dd": "%d",
    "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S",
    "ffffff": "%f", "fff": "%g", "tt": "%p", "zzz": "%z", "K": "%z",
}  # fmt: skip
_STANDARD = {
    "s": "yyyy-MM-ddTHH:mm:ss", "u": "yyyy-MM-dd HH:mm:ssZ", "d": "M/d/yyyy", "g": "M/d/yyyy h:mm tt",
    "G": "M/d/yyyy h:mm:ss tt", "t": "h:mm tt", "T": "h:mm:ss tt", "o": "yyyy-MM-ddTHH:mm:ss.ffffff",
    "c": "hh:mm:ss", "r": "ddd, dd MMM yyyy HH:mm:ss GMT",
}  # fmt: skip
_PIECE = re.compile(r"([dfFghHKmMstyz])\1*|'([^']*)'|\"([^\"]*)\"|\\(.)|(.)", re.DOTALL)

# What separates thousands, and what a decimal fraction: by language, and by country where that differs.
_NUMBER_MARKS = {
    "en": (",", "."), "zh": (",", "."), "ja": (",", "."), "ko": (",", "."), "th": (",", "."), "he": (",", "."),
    "de": (".", ","), "es": (".", ","), "it": (".", ","), "nl": (".", ","), "pt": (".", ","), "id": (".", ","),
    "tr": (".", ","), "da": (".", ","), "el": (".", ","), "ro": (".", ","), "fr": (" ", ","), "ru": (" ", ","),
    "uk": (" ", ","), "pl": (" ", ","), "cs": (" ", ","), "sv": (" ", ","), "fi": (" ", ","), "nb": (" ", ","),
    "de-ch": ("'", "."), "es-mx": (",", "."), "fr-ch": (" ", "."),
}  # fmt: skip
_BLANKS = "[ \u00a0\u2009\u202f]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What typeConversionSettings say. Formats are .NET's; `marks` separate thousands and decimals in numbers."""

    moment: str = ""
    moment_with_offset: str = ""
    day: str = ""
    time: str = ""
    marks: tuple[str, str] | None = None
    truncates: bool = False
    boolean_is_number: bool = False

    @classmethod
    def told(cls, settings: Mapping[str, Any]) -> "Settings":
        """Return the settings as they stand in the translator; raises WrongDefinition for a culture we do not know."""

        def text(name: str) -> str:
            return str(settings.get(name) or "")

        def true(name: str) -> bool:
            return str(settings.get(name) or "").lower() == "true"

        return cls(
            moment=text("dateTimeFormat"),
            moment_with_offset=text("dateTimeOffsetFormat"),
            day=text("dateFormat"),
            time=text("timeFormat") or text("timeSpanFormat"),
            marks=_marks(text("culture")),
            truncates=true("allowDataTruncation"),
            boolean_is_number=true("treatBooleanAsNumber"),
        )

    def form(self, sql_type: str) -> str:
        """Return the format of texts that become this type, or of values of it that become text."""
        if sql_type == "TIMESTAMP WITH TIME ZONE":
            return self.moment_with_offset or self.moment
        return {"TIMESTAMP": self.moment, "DATE": self.day or self.moment, "TIME": self.time}.get(sql_type, "")


def _marks(culture: str) -> tuple[str, str] | None:
    name = culture.lower()
    if not name or name in {"invariant", "en-us", "en"}:
        return None
    found = _NUMBER_MARKS.get(name) or _NUMBER_MARKS.get(name.split("-")[0])
    if not found:
        raise WrongDefinition(
            f"The culture '{culture}' is not known.",
            where="translator.typeConversionSettings.culture",
            advice=f"Known are the languages {', '.join(_NUMBER_MARKS)}, with or without a country.",
        )
    return found


def strptime(form: str) -> str:
    """Return a .NET date format in the letters of strptime; raises WrongDefinition for what cannot be said in them.

    >>> strptime("dd/MM/yyyy HH:mm")
    '%d/%m/%Y %H:%M'
    >>> strptime("yyyy-MM-dd'T'HH")
    '%Y-%m-%dT%H'
    """
    found = ""
    for piece in _PIECE.finditer(_STANDARD.get(form, form)):
        letters = piece[0] if piece[1] else ""
        if letters and letters not in _LETTERS:
            raise WrongDefinition(
                f"The date format '{form}' asks for '{letters}', which cannot be converted.",
                where="translator.typeConversionSettings",
                advice=f"Known are {', '.join(_LETTERS)}.",
            )
        literal = next((one for one in piece.groups()[1:] if one is not None), "")
        found += _LETTERS[letters] if letters else literal.replace("%", "%%")
    return found


class Conversion:
    """One column's way into its type: called with the values of a batch, gives them in the type `arrow`, and misfits.

    A value that does not fit is null in the result, and its place is among the misfits (None where all fit). It
    `is_known_to_arrow` where Arrow's parser of delimited text gives the same values, or an error.
    """

    def __init__(
        self,
        sql_type: str,
        arrow: pa.DataType,
        tree: exp.Expression,
        quick: "Quick | None",
        *,
        is_known_to_arrow: bool = False,
    ) -> None:
        self.sql_type = sql_type
        self.arrow = arrow
        self.is_known_to_arrow = is_known_to_arrow
        self.tree = tree
        self._quick = quick
        value = exp.column(_VALUE, quoted=True)
        wrong = exp.alias_(does_not_fit(value, tree), "wrong")
        self._statement = exp.select(exp.alias_(tree, "fitted"), wrong).from_(_ROWS).sql("duckdb")

    def __call__(self, column: Array) -> tuple[Array, Misfits | None]:
        if self._quick is None:
            return self._slowly(column)
        odd = _odd_places(column, self._quick.letters)
        if odd is not None:
            with contextlib.suppress(pa.ArrowInvalid):
                return self._but_for(column, self._quick, odd)
        return self._in_halves(column, self._quick)

    def misfit(self, text: object, column: str) -> str:
        """Return the reason why a row with this value in the column is refused."""
        return f"'{text}' in the column '{column}' is no {self.sql_type}"

    def _but_for(self, column: Array, quick: "Quick", odd: Misfits) -> tuple[Array, Misfits | None]:
        """Convert all values but the few odd ones the fast way, and look at these."""
        if not odd:
            return quick.cast(column, self.arrow), None
        rest = all_but(odd, len(column))
        known = quick.cast(pc.if_else(rest, column, pa.scalar(None, column.type)), self.arrow)
        found, misfits = self._doubted(column.take(pa.array(odd)))
        if misfits is None or len(misfits) < len(odd):
            known = pc.replace_with_mask(known, pc.invert(rest), found)
        return known, misfits and [odd[at] for at in misfits]

    def _in_halves(self, column: Array, quick: "Quick") -> tuple[Array, Misfits | None]:
        """Convert the values that certainly fit the fast way, and ask DuckDB about the others only."""
        sure = pc.fill_null(quick.sure(column), True)
        try:
            known = quick.cast(pc.if_else(sure, column, pa.scalar(None, column.type)), self.arrow)
        except pa.ArrowInvalid:
            return self._slowly(column)
        doubtful = pc.invert(sure)
        found, misfits = self._doubted(column.filter(doubtful))
        if misfits is not None:
            places = pc.indices_nonzero(doubtful).to_pylist()
            misfits = [places[at] for at in misfits]
        return pc.replace_with_mask(known, doubtful, found), misfits

    def _doubted(self, column: Array) -> tuple[Array, Misfits | None]:
        """Convert values of which most fit nowhere; DuckDB is asked only where one may fit."""
        if len(column) < _FEW and not any(may_fit(str(text), self.sql_type) for text in column.to_pylist()):
            return pa.array([None] * len(column), self.arrow), list(range(len(column)))
        return self._slowly(column)

    def _slowly(self, column: Array) -> tuple[Array, Misfits | None]:
        if not len(column):
            return pa.array([], self.arrow), None
        with _memory().cursor() as database:  # several threads may convert at once
            database.register(_ROWS, pa.table([column], names=[_VALUE]))
            result = database.sql(self._statement).to_arrow_table()
        fitted, wrong = (_whole(result.column(index)) for index in (0, 1))
        if fitted.type != self.arrow:
            fitted = fitted.cast(self.arrow)
        return fitted, pc.indices_nonzero(wrong).to_pylist() if pc.any(wrong).as_py() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The fast way of a column of texts: taken where its bytes are all among `letters`, as Arrow knows more spellings.

    `sure` tells the values that Arrow and DuckDB understand alike from the others.
    """

    letters: bytes
    sure: Callable[[Array], Array]
    cast: Callable[[Array, pa.DataType], Array] = pyarrow.compute.cast


def conversion(kind: pa.DataType, sql_type: str, form: str, settings: Settings) -> Conversion | None:
    """Return how values of an Arrow type become the SQL type; None where they are of that type already.

    Raises WrongDefinition for a way that there is not (true to 1, unless treatBooleanAsNumber says so).
    """
    arrow = _arrow(sql_type)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    form = form or settings.form(sql_type if is_text else _sql_of(kind))
    if kind == arrow and sql_type != "UUID":
        return None
    value = exp.column(_VALUE, quoted=True)
    is_number = pa.types.is_integer(arrow) or pa.types.is_floating(arrow) or pa.types.is_decimal(arrow)
    if is_text and form and (pa.types.is_temporal(arrow)):
        tree = _moment_of(value, sql_type, form)
        return Conversion(sql_type, arrow, tree, None)
    if sql_type == "VARCHAR" and form and pa.types.is_temporal(kind):
        return Conversion(sql_type, arrow, _text_of(value, form), None)
    if is_text and is_number and (settings.marks or settings.boolean_is_number):
        return Conversion(sql_type, arrow, _number_of(value, kind, sql_type, settings), None)
    if pa.types.is_boolean(kind) and is_number and not settings.boolean_is_number:
        raise WrongDefinition(
            f"True and false do not become {sql_type} by themselves.",
            where="translator.typeConversionSettings",
            advice="Set treatBooleanAsNumber, and true becomes 1.",
        )
    if pa.types.is_integer(arrow) and settings.truncates and (pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        whole = exp.TryCast(this=exp.func("trunc", value), to=exp.DataType.build(sql_type, dialect="duckdb"))
        return Conversion(sql_type, arrow, whole, None)
    is_json = sql_type == "VARCHAR" and pa.types.is_nested(kind)
    tree = _json_of(value) if is_json else safe_cast(value, kind, sql_type)
    if sql_type == "UUID":
        tree = exp.cast(tree, "VARCHAR", dialect="duckdb")
    is_string = pa.types.is_string(kind)
    quick = _QUICK.get(sql_type) if is_string else None
    return Conversion(sql_type, arrow, tree, quick, is_known_to_arrow=is_string and _is_parsed(arrow))


def _is_parsed(arrow: pa.DataType) -> bool:
    """Return whether Arrow's parser of delimited text reads values of this type as we do: decimals may be too large."""
    return arrow in set(_ARROW.values()) - {pa.string(), pa.time64("us")}


def _json_of(value: exp.Expression) -> exp.Expression:
    return exp.cast(exp.Anonymous(this="to_json", expressions=[value]), "VARCHAR", dialect="duckdb")


def _arrow(sql_type: str) -> pa.DataType:
    """Return the Arrow type of values of the SQL type."""
    if found := _DECIMAL.fullmatch(sql_type):
        return pa.decimal128(int(found[1]), int(found[2]))
    return _ARROW[sql_type]


def _sql_of(kind: pa.DataType) -> str:
    """Return the SQL type whose format is that of a temporal Arrow type."""
    if pa.types.is_timestamp(kind):
        return "TIMESTAMP WITH TIME ZONE" if kind.tz else "TIMESTAMP"
    return "DATE" if pa.types.is_date(kind) else "TIME" if pa.types.is_time(kind) else ""


def _moment_of(value: exp.Expression, sql_type: str, form: str) -> exp.Expression:
    read = exp.func("try_strptime", value.copy(), exp.Literal.string(strptime(form)), dialect="duckdb")
    return exp.TryCast(this=read, to=exp.DataType.build(sql_type, dialect="duckdb"))


def _text_of(value: exp.Expression, form: str) -> exp.Expression:
    moment = exp.cast(value.copy(), "TIMESTAMP", dialect="duckdb")
    return exp.Anonymous(this="strftime", expressions=[moment, exp.Literal.string(strptime(form))])


def _number_of(value: exp.Expression, kind: pa.DataType, sql_type: str, settings: Settings) -> exp.Expression:
    """Return a number as its culture writes it, and true and false as 1 and 0 where they count as numbers."""
    if settings.marks:
        thousands, point = settings.marks
        mark = _BLANKS if thousands == " " else re.escape(thousands)
        spelt = rf"[+-]?([0-9]+|[0-9]{{1,3}}({mark}[0-9]{{3}})+)({re.escape(point)}[0-9]*)?([eE][+-]?[0-9]+)?"
        bare = exp.RegexpReplace(
            this=value.copy(), expression=exp.Literal.string(mark), replacement=exp.Literal.string(""),
            modifiers=exp.Literal.string("g"),
        )  # fmt: skip
        plain: Any = exp.func("replace", bare, exp.Literal.string(point), exp.Literal.string("."), dialect="duckdb")
        trimmed = exp.Trim(this=value.copy())
        fits = exp.func("regexp_full_match", trimmed, exp.Literal.string(spelt), dialect="duckdb")
        number: exp.Expression = exp.Case(ifs=[exp.If(this=fits, true=safe_cast(plain, kind, sql_type))])
    else:
        number = safe_cast(value, kind, sql_type)
    if not settings.boolean_is_number:
        return number
    lower = exp.Lower(this=exp.Trim(this=value.copy()))
    one, zero = (exp.cast(exp.Literal.number(digit), sql_type, dialect="duckdb") for digit in (1, 0))
    words = [exp.If(this=exp.EQ(this=lower.copy(), expression=exp.Literal.string(word)), true=number_of)
             for word, number_of in (("true", one), ("false", zero))]  # fmt: skip
    return exp.Case(ifs=words, default=number)


def _odd_places(column: Array, letters: bytes) -> Misfits | None:
    """Return the places of the values with a byte that is not among the letters; None where they are many.

    Arrow may keep bytes of a value that is missing: those count for nothing.
    """
    offsets, data = column.buffers()[1:3]
    if data is None or offsets is None or not len(column):
        return []
    ends = memoryview(offsets).cast("i")[column.offset : column.offset + len(column) + 1]
    odd = bytes(memoryview(data)[ends[0] : ends[-1]]).translate(_odd_bytes(letters))
    places: Misfits = []
    at = odd.find(1)
    while at >= 0:
        if len(places) == _FEW:
            return None
        places.append(bisect_right(ends, ends[0] + at) - 1)
        at = odd.find(1, ends[places[-1] + 1] - ends[0])
    return [place for place in places if column[place].is_valid] if column.null_count else places


@functools.cache
def _odd_bytes(letters: bytes) -> bytes:
    """Return what `bytes.translate` makes 1 of each byte by that is not among the letters, and else 0."""
    return bytes(byte not in letters for byte in range(256))


def _like(pattern: str) -> Callable[[Array], Array]:
    return lambda column: pc.match_substring_regex(column, pattern)


def _digits(column: Array) -> Array:
    """Return which texts are nothing but digits, after a minus or none; cheaper than a pattern."""
    found: Array = pc.ascii_is_decimal(pc.ascii_ltrim(column, characters="-"))
    return found


def _finite(column: Array, kind: pa.DataType) -> Array:
    found: Array = pc.cast(column, kind)
    if not pc.all(pc.is_finite(found), min_count=0).as_py():
        raise pa.ArrowInvalid("a number is too large")
    return found


def _moments(column: Array, kind: pa.DataType) -> Array:
    lengths = pc.min_max(pc.binary_length(column)).as_py()
    if lengths["min"] is not None and (lengths["min"] < 19 or lengths["max"] > 26):
        raise pa.ArrowInvalid("some moments are spelt in another way")
    found = pc.cast(column, pa.timestamp("us"))
    zoned: Array = found if found.type == kind else pc.assume_timezone(found, "UTC")
    return zoned


_WHOLE = Quick(letters=b"0123456789-", sure=_digits)
_REAL = Quick(letters=b"0123456789-.eE", sure=_like(r"^-?[0-9]+([.][0-9]+)?$"), cast=_finite)
_MOMENT = Quick(
    letters=b"0123456789-:. T",
    sure=_like(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?$"),
    cast=_moments,
)
_DAY = Quick(letters=b"0123456789-", sure=_like(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))
_QUICK = {
    "UTINYINT": _WHOLE, "TINYINT": _WHOLE, "SMALLINT": _WHOLE, "INTEGER": _WHOLE, "BIGINT": _WHOLE,
    "USMALLINT": _WHOLE, "UINTEGER": _WHOLE, "UBIGINT": _WHOLE, "FLOAT": _REAL, "DOUBLE": _REAL,
    "TIMESTAMP": _MOMENT, "TIMESTAMP WITH TIME ZONE": _MOMENT, "DATE": _DAY,
}  # fmt: skip


@functools.cache
def _memory() -> duckdb.DuckDBPyConnection:
    """Return the one database in memory that conversions of this process ask, each time by a cursor of its own."""
    database = duckdb.connect(config={"threads": 2})
    database.execute("load icu")
    database.execute("set global TimeZone = 'UTC'")
    return database


def _whole(column: "pa.ChunkedArray[Any]") -> Array:
    joined = column.combine_chunks()
    return joined.chunk(0) if isinstance(joined, pa.ChunkedArray) else joined
