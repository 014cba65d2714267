"""JSON_VALUE, JSON_QUERY, ISJSON, OPENJSON and STRING_SPLIT of T-SQL, in the words of DuckDB and PostgreSQL."""

from typing import Any, cast

import sqlglot
from sqlglot import exp

from manara.table.tsql.forms import filled

_TEXTS = {exp.DataType.Type.VARCHAR, exp.DataType.Type.NVARCHAR, exp.DataType.Type.CHAR, exp.DataType.Type.NCHAR}

_SCALAR = {
    "duckdb": "case when json_type({j}, {p}) in ('OBJECT', 'ARRAY') then null else json_extract_string({j}, {p}) end",
    "postgres": (
        "case when jsonb_typeof(jsonb_path_query_first({j}, {p})) in ('object', 'array') then null "
        "else jsonb_path_query_first({j}, {p}) #>> '{{}}' end"
    ),
}
_NESTED = {
    "duckdb": "case when json_type({j}, {p}) in ('OBJECT', 'ARRAY') then cast(json_extract({j}, {p}) as varchar) end",
    "postgres": (
        "case when jsonb_typeof(jsonb_path_query_first({j}, {p})) in ('object', 'array') "
        "then cast(jsonb_path_query_first({j}, {p}) as text) end"
    ),
}
_WHOLE = {
    "duckdb": "select json_extract(cast({j} as json), {p}) as manara_d",
    "postgres": "select jsonb_path_query_first(cast({j} as jsonb), {p}) as manara_d",
}
_ROWS = {
    "duckdb": (
        "select unnest(case when json_type(manara_d) = 'ARRAY' then from_json(manara_d, '[\"JSON\"]') "
        "else [manara_d] end) as manara_j from ({whole}) as manara_w where manara_d is not null"
    ),
    "postgres": (
        "select jsonb_array_elements(case when jsonb_typeof(manara_d) = 'array' then manara_d "
        "else jsonb_build_array(manara_d) end) as manara_j from ({whole}) as manara_w where manara_d is not null"
    ),
}
_ELEMENTS = {
    "duckdb": (
        "select manara_e.key as key, "
        "case when manara_e.type in ('OBJECT', 'ARRAY') then cast(manara_e.value as varchar) else "
        "json_extract_string(manara_e.value, '$') end as value, "
        "case manara_e.type when 'NULL' then 0 when 'VARCHAR' then 1 when 'BOOLEAN' then 3 when 'ARRAY' then 4 "
        "when 'OBJECT' then 5 else 2 end as type from ({whole}) as manara_w, json_each(manara_d) as manara_e"
    ),
    "postgres": (
        "select manara_k as key, manara_v #>> '{{}}' as value, case jsonb_typeof(manara_v) when 'null' then 0 "
        "when 'string' then 1 when 'number' then 2 when 'boolean' then 3 when 'array' then 4 else 5 end as type "
        "from ({whole}) as manara_w, lateral (select manara_o.key as manara_k, manara_o.value as manara_v "
        "from jsonb_each(case when jsonb_typeof(manara_d) = 'object' then manara_d else '{{}}' end) as manara_o "
        "union all select cast(manara_n - 1 as text), manara_x from jsonb_array_elements("
        "case when jsonb_typeof(manara_d) = 'array' then manara_d else '[]' end) "
        "with ordinality as manara_a(manara_x, manara_n)) as manara_l"
    ),
}
_PIECES = "select cast(manara_s.value as text) as value, manara_s.ordinal"
_SPLIT = {
    "duckdb": "from unnest(string_split({t}, {s})) with ordinality as manara_s(value, ordinal)",
    "postgres": "from unnest(string_to_array({t}, {s})) with ordinality as manara_s(value, ordinal)",
}
DIALECTS = frozenset(_SCALAR)
"""The databases that these functions can be told to."""


def with_json(tree: exp.Expression, to: str) -> exp.Expression:
    """Return the tree with T-SQL's functions of JSON told to DuckDB or PostgreSQL; those of others are left."""
    if to not in DIALECTS:
        return tree
    extracts: list[Any] = list(tree.find_all(exp.JSONExtract, exp.JSONExtractScalar))
    for node in reversed(extracts):  # the inner ones first
        node.replace(json_value(node, to))
    for call in list(tree.find_all(exp.Anonymous)):
        if to == "duckdb" and call.name.upper() == "ISJSON" and len(call.expressions) == 1:
            call.replace(is_json(call.expressions[0]))
    for call in list(tree.find_all(exp.Anonymous)):
        if call.name.upper() == "STRING_SPLIT" and isinstance(call.parent, exp.Table | exp.Lateral):
            text, sign = call.expressions[:2]
            rows = filled(f"{_PIECES} {_SPLIT[to]}", to, t=text, s=sign)
            _put_rows(call.parent, exp.Subquery(this=rows), "manara_split")
    for opened in list(tree.find_all(exp.OpenJSON)):
        if isinstance(opened.parent, exp.Table | exp.Lateral):
            _put_rows(opened.parent, open_json(opened, to), "manara_json")
    return tree


def _put_rows(place: exp.Table | exp.Lateral, rows: exp.Subquery, name: str) -> None:
    """Put rows where a function that gives them stood: in a FROM, or behind an APPLY."""
    alias = place.args.get("alias") or _alias(name)
    if isinstance(place, exp.Lateral):
        place.set("this", rows)
        place.set("alias", alias)
    else:
        rows.set("alias", alias)
        place.replace(rows)


def json_value(node: exp.JSONExtract | exp.JSONExtractScalar, to: str) -> exp.Expression:
    """Return JSON_VALUE, which gives no objects and arrays, or JSON_QUERY, which gives nothing else."""
    form = _SCALAR if isinstance(node, exp.JSONExtractScalar) else _NESTED
    return filled(form[to], to, j=_document(node.this, to), p=_path(node.expression, to))


def open_json(node: exp.OpenJSON, to: str) -> exp.Subquery:
    """Return the rows of an OPENJSON as a sub-query: its declared columns, or key, value and type."""
    path = node.args.get("path")
    whole = filled(_WHOLE[to], to, j=node.this, p=_path(path or exp.Literal.string("$"), to))
    if not node.expressions:
        return exp.Subquery(this=_with_whole(_ELEMENTS[to], whole, to))
    rows = _with_whole(_ROWS[to], whole, to)
    columns = [_column(one, to) for one in node.expressions]
    return exp.Subquery(this=exp.select(*columns).from_(exp.Subquery(this=rows, alias=_alias("manara_r"))))


def is_json(value: exp.Expression) -> exp.Expression:
    """Return ISJSON for DuckDB."""
    return filled("case when json_valid({j}) then 1 when {j} is not null then 0 end", "duckdb", j=value)


def _column(one: exp.OpenJSONColumnDef, to: str) -> exp.Expression:
    path = one.args.get("path") or exp.Literal.string(f'$."{one.name}"')
    form = _NESTED if one.args.get("as_json") else _SCALAR
    value = filled(form[to], to, j=exp.column("manara_j"), p=_path(path, to))
    kind = one.args["kind"]
    if to == "postgres" and kind.this in {exp.DataType.Type.BIT, exp.DataType.Type.BOOLEAN}:
        value = filled(
            "case {v} when 'true' then 1 when '1' then 1 when 'false' then 0 when '0' then 0 end", to, v=value
        )
    if not one.args.get("as_json") and kind.this not in _TEXTS:
        value = exp.Cast(this=value, to=kind.copy())
    return cast("exp.Expression", exp.alias_(value, one.name, quoted=True))


def _document(value: exp.Expression, to: str) -> exp.Expression:
    kind = exp.DataType.build("jsonb" if to == "postgres" else "json", dialect=to)
    return exp.Cast(this=value.copy(), to=kind)


def _path(path: exp.Expression, to: str) -> exp.Expression:
    told = path.sql("tsql").strip("'") if isinstance(path, exp.JSONPath) else path.name
    literal = exp.Literal.string(told.removeprefix("lax ").strip())
    return literal if to != "postgres" else exp.Cast(this=literal, to=exp.DataType.build("jsonpath", udt=True))


def _with_whole(form: str, whole: exp.Expression, to: str) -> exp.Query:
    tree = sqlglot.parse_one(form.format(whole="select 1 as manara_d"), dialect=to)
    inner = next(each for each in tree.find_all(exp.Subquery) if each.alias == "manara_w")
    inner.set("this", whole)
    return cast("exp.Query", tree)


def _alias(name: str) -> exp.TableAlias:
    return exp.TableAlias(this=exp.to_identifier(name))
