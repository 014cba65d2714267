"""FORMAT of T-SQL: numbers and moments as texts by a form of .NET, in the words of DuckDB and PostgreSQL.

Sources: FORMAT in SQL Server's reference, and the custom and standard format strings of .NET, for en-US.
"""

import re

from sqlglot import exp

from manara.table.tsql.forms import filled
from manara.table.tsql.parts import refuse
from manara.table.tsql.sorts import Types

ROUNDED = "cast(round(cast({x} as decimal(38, 10)), {n}) as decimal(38, {n}))"
"""A number with `n` digits behind its point."""
_GROUPED = {
    "duckdb": "format('{{{{:,.{n}f}}}}', cast(round(cast({x} as decimal(38, 10)), {n}) as double))",
    "postgres": "to_char(round(cast({x} as numeric), {n}), 'FM999,999,999,999,999,999,990{decimals}')",
}
_NUMBER = re.compile(
    r"(?P<letter>[NFD])(?P<count>\d*)|(?P<grouped>#,##)?(?P<digits>0+)(?:\.(?P<decimals>0+))?", re.IGNORECASE
)
_STANDARD = {
    "d": "M/d/yyyy", "D": "dddd, MMMM d, yyyy", "f": "dddd, MMMM d, yyyy h:mm tt",
    "F": "dddd, MMMM d, yyyy h:mm:ss tt", "g": "M/d/yyyy h:mm tt", "G": "M/d/yyyy h:mm:ss tt", "m": "MMMM d",
    "M": "MMMM d", "o": "yyyy-MM-ddTHH:mm:ss.fffffff", "O": "yyyy-MM-ddTHH:mm:ss.fffffff", "s": "yyyy-MM-ddTHH:mm:ss",
    "t": "h:mm tt", "T": "h:mm:ss tt", "u": "yyyy-MM-dd HH:mm:ssZ", "y": "MMMM yyyy", "Y": "MMMM yyyy",
}  # fmt: skip
_PART = re.compile(
    r"(?P<quoted>'[^']*'|\"[^\"]*\"|\\.)|(?P<word>y+|M+|d+|H+|h+|m+|s+|f+|t+)|(?P<other>[^yMdHhmsftFgzK%])|(?P<odd>.)",
    re.DOTALL,
)
_WORDS = {
    "duckdb": {
        "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dddd": "%A", "ddd": "%a",
        "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S",
        "s": "%-S", "tt": "%p",
    },
    "postgres": {
        "yyyy": "YYYY", "yy": "YY", "MMMM": "FMMonth", "MMM": "Mon", "MM": "MM", "M": "FMMM", "dddd": "FMDay",
        "ddd": "Dy", "dd": "DD", "d": "FMDD", "HH": "HH24", "H": "FMHH24", "hh": "HH12", "h": "FMHH12", "mm": "MI",
        "m": "FMMI", "ss": "SS", "s": "FMSS", "tt": "AM",
    },
}  # fmt: skip
_MICROSECONDS = {"duckdb": "%f", "postgres": "US"}
_MOST_DIGITS = 7
_ENGLISH = {"", "en-us"}
_ANYWHERE = {"yyyy", "yy", "MM", "M", "dd", "d", "HH", "H", "hh", "h", "mm", "m", "ss", "s"}
"""What every culture writes alike."""


def formatted(node: exp.Anonymous, to: str, text: str, types: Types) -> exp.Expression:
    """Return FORMAT in the words of the dialect `to`. Raises WrongDefinition for a form that is not known."""
    value, *told = node.expressions
    if not told or not all(isinstance(one, exp.Literal) for one in told) or to not in _WORDS:
        refuse(text, "FORMAT by what is not written out")
    form, culture = told[0].name, told[1].name.lower() if len(told) > 1 else ""
    sort = types.of(value)
    found = _NUMBER.fullmatch(form)
    if found and sort != "time" and not (len(form) == 1 and form != "0" and not sort):
        if culture not in _ENGLISH:
            refuse(text, f"FORMAT of a number for '{culture}'")
        return _number(value, found, to)
    if sort in {"int", "float", "text"} or (len(form) == 1 and not sort):
        refuse(text, f"FORMAT by '{form}', which is none of N2, F2, D3, 000, 0.00 and #,##0.00")
    return _moment(value, _STANDARD.get(form, form), culture, to, text)


def _number(value: exp.Expression, found: re.Match[str], to: str) -> exp.Expression:
    letter, count = (found["letter"] or "").upper(), int(found["count"] or 2)
    places = count if letter in {"N", "F"} else len(found["decimals"] or "")
    digits = (int(found["count"] or 1) if letter == "D" else 1) if letter else len(found["digits"])
    if letter == "N" or found["grouped"]:
        decimals = f".{'0' * places}" if places else ""
        return filled(_GROUPED[to].format(x="{x}", n=places, decimals=decimals), to, x=value)
    number = ROUNDED.format(x="{x}", n=places)
    if digits == 1:
        return filled(f"cast({number} as text)", to, x=value)
    width = digits + (places + 1 if places else 0)
    size = f"cast(abs({number}) as text)"
    padded = f"lpad({size}, cast(greatest({width}, length({size})) as integer), '0')"
    return filled(f"case when {{x}} < 0 then '-' || {padded} else {padded} end", to, x=value)


def _moment(value: exp.Expression, form: str, culture: str, to: str, text: str) -> exp.Expression:
    moment = exp.cast(value, "timestamp")
    pieces: list[exp.Expression] = []
    plain = ""  # what is told in one form
    for part in _PART.finditer(form):
        word, literal = part["word"], part["other"] or (part["quoted"] or "").strip("'\"\\")
        if part["odd"] or (culture not in _ENGLISH and (word not in _ANYWHERE if word else literal in "/:")):
            refuse(text, f"FORMAT by '{form}'" + f" for '{culture}'" * bool(culture))
        if word is None:
            plain += _literal(literal, to)
            continue
        known = _WORDS[to].get(word)
        if known:
            plain += known if to == "duckdb" else f'{known}""'  # so that no two of them are read as one
            continue
        pieces += [_told(moment, plain, to)] if plain else []
        plain = ""
        pieces.append(_odd_word(moment, word, to, text))
    pieces += [_told(moment, plain, to)] if plain or not pieces else []
    found, *others = pieces
    for one in others:
        found = exp.DPipe(this=found, expression=one)
    return exp.paren(found, copy=False)


def _odd_word(moment: exp.Expression, word: str, to: str, text: str) -> exp.Expression:
    """Return the first letter of AM and PM, or parts of a second."""
    if word == "t":
        return exp.Left(this=_told(moment, _WORDS[to]["tt"], to), expression=exp.Literal.number(1))
    if not word.startswith("f") or len(word) > _MOST_DIGITS:
        refuse(text, f"FORMAT by '{word}'")
    digits = _told(moment, _MICROSECONDS[to], to)
    if len(word) == _MOST_DIGITS:
        return exp.DPipe(this=digits, expression=exp.Literal.string("0"))
    return exp.Left(this=digits, expression=exp.Literal.number(len(word)))


def _literal(text: str, to: str) -> str:
    if to == "duckdb":
        return text.replace("%", "%%")
    return f'"{text}"' if text.isalpha() else text


def _told(moment: exp.Expression, form: str, to: str) -> exp.Expression:
    name = "strftime" if to == "duckdb" else "to_char"
    return exp.Anonymous(this=name, expressions=[moment.copy(), exp.Literal.string(form)])
