"""Notebooks and Spark jobs as scripts of this machine."""

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
from tests.factories import Json, act, factory_of, pipeline

from manara.store.record import ActivityRun

DATABRICKS = {"type": "DatabricksNotebook", "notebookPath": "/Shared/load"}
SYNAPSE = {"type": "SynapseNotebook", "notebook": {"referenceName": "load", "type": "NotebookReference"}}
HAS_SPARK = importlib.util.find_spec("pyspark") is not None


def run(root: Path, told: Json, **scripts: Any) -> ActivityRun:
    """Run the activity beside these scripts: a text is written as it is, cells are written as a .ipynb."""
    for name, text in scripts.items():
        ending = ".py" if isinstance(text, str) else ".ipynb"
        file = root / "local" / "notebook" / f"{name.replace('__', '/')}{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text if isinstance(text, str) else json.dumps({"cells": text}))
    properties = {key: value for key, value in told.items() if key != "type"}
    return factory_of(root, main=pipeline(act("Work", told["type"], **properties))).run("main").activities["Work"]


def cell(text: str, *tags: str, kind: str = "code") -> Json:
    return {"cell_type": kind, "source": text.splitlines(keepends=True), "metadata": {"tags": list(tags)}}


def value_of(ended: ActivityRun) -> Any:
    assert ended.status == "Succeeded", ended.error
    output = ended.output
    return output["runOutput"] if "runOutput" in output else output["status"]["Output"]["result"]["exitValue"]


def why(ended: ActivityRun) -> tuple[str, str]:
    assert ended.error is not None
    return ended.error["errorCode"], ended.error["message"]


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ("dbutils.notebook.exit(dbutils.widgets.get('day'))", "2024-01-31"),
        ("dbutils.widgets.text('n', '7')\ndbutils.notebook.exit(dbutils.widgets.get('n'))", "7"),
        ("dbutils.widgets.text('day', 'x')\ndbutils.notebook.exit(dbutils.widgets.get('day'))", "2024-01-31"),
        ("import json\ndbutils.notebook.exit(json.dumps({'rows': 3}))", {"rows": 3}),
        ("try:\n    dbutils.notebook.exit('done')\nexcept Exception:\n    pass", "done"),
        ("x = 1", ""),
        ("# Databricks notebook source\n# MAGIC %md\n# MAGIC # Title (1\n\n# COMMAND ----------\n\nx = 2\n\n"
         "# COMMAND ----------\n\ndbutils.notebook.exit(x * 3)", "6"),
        ("# MAGIC %pip install nothing\n# COMMAND ----------\ndbutils.notebook.exit('went on')", "went on"),
        ("# MAGIC %run ./part\n# COMMAND ----------\ndbutils.notebook.exit(TWICE)", "both"),
        ("from helper import three\ndbutils.notebook.exit(three())", "3"),
        ("dbutils.notebook.exit(dbutils.notebook.run('Shared/called', 60, {'n': 4}))", "16"),
        ("if __name__ == '__main__':\n    dbutils.notebook.exit('main')", "main"),
        ("dbutils.notebook.exit(dbutils.secrets.get('kv-scope', 'dhis2-password'))", "open sesame"),
    ],
    ids=["widget", "default of a widget", "given beats default", "JSON", "exit in a try", "no exit", "exported cells",
         "pip", "run", "module beside it", "called", "main", "secret"],
)  # fmt: skip
def test_a_databricks_notebook_runs_as_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, value: Any
) -> None:
    monkeypatch.setenv("MANARA_SECRET_DHIS2_PASSWORD", "open sesame")
    beside = {
        "Shared__part": "TWICE = 'both'",
        "helper": "def three():\n    return 3",
        "Shared__called": "n = int(dbutils.widgets.get('n'))\ndbutils.notebook.exit(n * n)",
    }
    told = {**DATABRICKS, "baseParameters": {"day": "2024-01-31"}}
    assert value_of(run(tmp_path, told, Shared__load=script, **beside)) == value


PARAMETERS = {
    "n": {"value": "4", "type": "int"},
    "day": {"value": "2024-01-31", "type": "string"},
    "share": {"value": "0.5", "type": "float"},
    "all": {"value": "true", "type": "bool"},
}
LEAVE = "mssparkutils.notebook.exit(f'{n} {day} {share} {all}')"


@pytest.mark.parametrize(
    ("script", "value"),
    [
        ([cell("n = 1", "parameters"), cell("# Title", kind="markdown"), cell(LEAVE)], "4 2024-01-31 0.5 True"),
        ([cell(LEAVE)], "4 2024-01-31 0.5 True"),
        (f"# %% tags=['parameters']\nn = 1\n# %%\n{LEAVE}", "4 2024-01-31 0.5 True"),
        ([cell("n = 1\n", "parameters"), cell("n = n + 1"), cell("notebookutils.notebook.exit(n)")], "5"),
        ([cell("%%pyspark\nmssparkutils.notebook.exit(n)")], "4"),
    ],
    ids=["after the tagged cell", "no tagged cell", "a .py", "used afterwards", "magic of the language"],
)  # fmt: skip
def test_a_synapse_notebook_has_its_parameters_as_variables(tmp_path: Path, script: Any, value: str) -> None:
    assert value_of(run(tmp_path, {**SYNAPSE, "parameters": PARAMETERS}, load=script)) == value


@pytest.mark.parametrize(
    "told",
    [
        {"type": "DatabricksSparkPython", "pythonFile": "dbfs:/jobs/load.py", "parameters": ["a b", 2]},
        {"type": "SparkJob", "sparkJob": {"referenceName": "jobs/load", "type": "X"}, "args": ["a b", "2"]},
    ],
    ids=["Databricks", "Synapse"],
)
def test_a_spark_job_is_given_its_arguments(tmp_path: Path, told: Json) -> None:
    script = "import sys\nassert sys.argv[1:] == ['a b', '2'], sys.argv"
    ended = run(tmp_path, told, jobs__load=script)
    assert ended.status == "Succeeded", ended.error


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("x = 1\nraise ValueError('no rows')", "ValueError: no rows"),
        ("def broken(:", "SyntaxError"),
        ("dbutils.widgets.get('nothing')", "given no 'nothing'"),
        ("dbutils.secrets.get('kv', 'nothing')", "MANARA_SECRET_NOTHING"),
        ("dbutils.fs.ls('/')", "There is no dbutils.fs here"),
        ("# MAGIC %scala\n# MAGIC val x = 1", "'%scala' cannot be run here"),
        ("# MAGIC %run ./nowhere", "no notebook './nowhere'"),
        ("# MAGIC %run ../../../secret", "no notebook"),
        ("import os\nos._exit(9)", "exit code 9"),
    ],
    ids=["raises", "no Python", "no widget", "no secret", "no file system", "Scala", "run", "run outside", "killed"],
)
def test_a_script_that_fails_says_why(tmp_path: Path, script: str, told: str) -> None:
    code, message = why(run(tmp_path, DATABRICKS, Shared__load=script))
    assert (code, told in message) == ("3204", True), message


def test_the_line_that_failed_is_in_what_the_script_said(tmp_path: Path) -> None:
    _, message = why(run(tmp_path, DATABRICKS, Shared__load="x = 1\n# COMMAND ----------\nrows = 1 / 0"))
    assert "Shared/load.py, cell 2" in message
    assert "rows = 1 / 0" in message


def test_a_script_that_is_not_there_is_asked_for_by_its_file(tmp_path: Path) -> None:
    code, message = why(run(tmp_path, DATABRICKS))
    assert (code, "Write local/notebook/Shared/load.py" in message) == ("NotFound", True)


@pytest.mark.skipif(HAS_SPARK, reason="pyspark is installed")
def test_without_pyspark_a_script_that_needs_it_says_what_to_install(tmp_path: Path) -> None:
    assert "manara[spark]" in why(run(tmp_path, DATABRICKS, Shared__load="spark.range(3).count()"))[1]


JUDGING = """
from pathlib import Path
from manara.quality.contract import read_contract
from manara.quality.spark import judge

contract = read_contract((Path(__file__).parents[3] / "contract" / "n.yaml").read_text(), "contract/n.yaml")
with judge(spark.range(3), contract) as judged:
    dbutils.notebook.exit(f"{judged.good.count()} of {judged.output['rowsRead']}")
"""
CONTRACT = """
{apiVersion: v3.1.0, kind: DataContract, id: n, name: n, version: "1", status: active, schema: [{name: n, properties: [
  {name: id, logicalType: integer, primaryKey: true, logicalTypeOptions: {minimum: 1}}]}]}
"""


@pytest.mark.skipif(not HAS_SPARK, reason="pyspark is not here: run `make test-spark`")
@pytest.mark.parametrize(
    ("script", "value"), [("dbutils.notebook.exit(spark.range(3).count())", "3"), (JUDGING, "2 of 3")]
)
def test_with_pyspark_a_script_has_a_session(tmp_path: Path, script: str, value: str) -> None:
    (tmp_path / "contract").mkdir()
    (tmp_path / "contract" / "n.yaml").write_text(CONTRACT)
    assert value_of(run(tmp_path, DATABRICKS, Shared__load=script)) == value


def test_a_run_goes_on_with_the_script_that_it_started_with(tmp_path: Path) -> None:
    factory = factory_of(tmp_path, main=pipeline(act("Work", "DatabricksNotebook", notebookPath="/load")))
    assert factory.run("main").status == "Failed"
    (tmp_path / "local" / "notebook").mkdir(parents=True)
    (tmp_path / "local" / "notebook" / "load.py").write_text("dbutils.notebook.exit('now')")
    assert factory.run("main").status == "Failed"
    again = factory_of(tmp_path, main=pipeline(act("Work", "DatabricksNotebook", notebookPath="/load")))
    assert value_of(again.run("main").activities["Work"]) == "now"
