from typing import Any

import pytest
from tests.plugin_given import Json, Place

from manara.activities.script import statements
from manara.errors import ManaraError


def _script(place: Place, *scripts: Json, step: str = "") -> Json:
    return place.run("Script", {"scripts": list(scripts)}, step=step)


def _part(text: str, kind: str = "NonQuery", **more: Any) -> Json:
    return {"type": kind, "text": text, **more}


def _parameter(name: str, kind: str, value: Any, **more: Any) -> Json:
    return {"name": name, "type": kind, "value": value, **more}


def test_statements_run_and_give_their_results(place: Place) -> None:
    load = _part("create table t (a int, b text); insert into t values (1, 'a;b'), (2, 'c')")
    look = _part("select * from t order by a; update t set b = 'x' where a = 1 returning b; select 1 as n", "Query")
    output = _script(place, load, look)
    assert [one["name"] for one in output.pop("lineage")["outputs"]] == ["t"]
    assert output == {
        "resultSetCount": 3,
        "recordsAffected": 2,
        "resultSets": [
            {"rowCount": 2, "rows": [{"a": 1, "b": "a;b"}, {"a": 2, "b": "c"}]},
            {"rowCount": 1, "rows": [{"b": "x"}]},
            {"rowCount": 1, "rows": [{"n": 1}]},
        ],
        "outputParameters": {},
    }


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        (_parameter("p", "String", "x'; drop table t; --"), "x'; drop table t; --"),
        (_parameter("@p", "Int32", "7"), 7),
        (_parameter("P", "Boolean", "False"), False),
        (_parameter("p", "DateTime", "2024-03-01T00:00:00Z"), "2024-03-01T00:00:00Z"),
        (_parameter("p", "Double", None), None),
    ],
)
def test_parameters_are_bound(place: Place, parameter: Json, value: Any) -> None:
    output = _script(place, _part("select @p as v", "Query", parameters=[parameter]))
    assert output["resultSets"][0]["rows"] == [{"v": value}]


def test_a_script_is_read_from_its_file(place: Place) -> None:
    place.texts["star.sql"] = "create table t as select 1 as a;\n-- the end; really\n"
    _script(place, {"type": "NonQuery", "scriptPath": "star.sql"})
    assert place.query("select * from t") == [{"a": 1}]


def test_all_scripts_are_one_transaction_that_is_done_once(place: Place) -> None:
    make = _part("create table t as select 1 as a")
    with pytest.raises(ManaraError, match="nowhere"):
        _script(place, make, _part("insert into nowhere values (1)"), step="Build")
    results = [_script(place, make, step="Build") for _ in range(2)]
    assert results[0] == results[1]
    assert place.query("select * from t") == [{"a": 1}]


@pytest.mark.parametrize(
    ("scripts", "says"),
    [
        ([], "needs typeProperties.scripts"),
        ([_part("select 1", "Procedure")], r"scripts\[0\]: A script is a Query or a NonQuery, not 'Procedure'"),
        ([_part(" -- nothing")], "holds no statement"),
        ([_part("select 'open")], "cannot be read"),
        ([_part("select 1", parameters=[_parameter("p", "Int32", "x")])], r"parameters\['p'\]: 'x' is no Int32"),
        ([_part("select 1", parameters=[_parameter("p", "Intt", 1)])], "type 'Intt' is unknown"),
        (
            [_part("select 1", parameters=[_parameter("p", "Int32", 1, direction="Back")])],
            "A direction is Input, Output",
        ),
    ],
)
def test_a_script_that_cannot_run_is_told(place: Place, scripts: list[Json], says: str) -> None:
    with pytest.raises(ManaraError, match=says):
        _script(place, *scripts)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';' /* ; */ -- ;\n;;", ["select ';'"]),
        ('select 1 as "a;b"', ['select 1 as "a;b"']),
        ("select $$a;b$$", ["select $$a;b$$"]),
        ("select @other, abs(@ n)", ["select @other, abs(@ n)"]),
    ],
)
def test_statements_end_at_semicolons(text: str, parts: list[str]) -> None:
    assert [one.text for one in statements(text, "duckdb", ["n"])] == parts
