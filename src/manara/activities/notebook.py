"""Notebooks and Spark jobs of Databricks and Synapse, as scripts of this machine in `local/notebook/`."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manara.activities.process import CommandFailed, print_to, run_program
from manara.errors import NotFound, WrongDefinition
from manara.plugin.activity import Given, Output, activity
from manara.plugin.lineage import declared
from manara.resources.notebooks import FOLDER, NOTEBOOKS, script_name

_KEEP_DAYS = 30
_RUNTIME = "AutoResolveIntegrationRuntime (local)"
_DATABRICKS, _SYNAPSE = "3204", "6002"
_KEPT = "MANARA_SECRET_"


@activity("DatabricksNotebook")
def databricks_notebook(given: Given) -> Output:
    """Run the script for `notebookPath` with `baseParameters`, and return what it ended with as `runOutput`.

    The script reads a parameter by `dbutils.widgets.get("name")` and ends by `dbutils.notebook.exit("value")`; a value
    that is a JSON object or array comes as one. Secrets come from the environment (`dbutils.secrets.get`).
    """
    texts = {name: _text(value) for name, value in _mapping(given, "baseParameters").items()}
    seconds, value = _run(given, "DatabricksNotebook", widgets=texts)
    return _of_databricks(seconds, {"runOutput": _json_or_text(value)}) | declared(given)


@activity("DatabricksSparkPython")
def databricks_python(given: Given) -> Output:
    """Run the script for `pythonFile` with `parameters` as its arguments (`sys.argv`)."""
    seconds, _ = _run(given, "DatabricksSparkPython", arguments=_list(given, "parameters"))
    return _of_databricks(seconds, {}) | declared(given)


@activity("SynapseNotebook")
def synapse_notebook(given: Given) -> Output:
    """Run the script for `notebook` with `parameters` as variables, set after its cell tagged `parameters`.

    What it ends with (`mssparkutils.notebook.exit("value")`) is `status.Output.result.exitValue`.
    """
    values = {name: _typed(given, name, told) for name, told in _mapping(given, "parameters").items()}
    seconds, value = _run(given, "SynapseNotebook", values=values)
    return _of_synapse(seconds, {"exitValue": value}) | declared(given)


@activity("SparkJob")
def spark_job(given: Given) -> Output:
    """Run the script for `sparkJob` with `args` as its arguments (`sys.argv`)."""
    seconds, _ = _run(given, "SparkJob", arguments=_list(given, "args"))
    return _of_synapse(seconds, {}) | declared(given)


def _run(
    given: Given,
    kind: str,
    *,
    widgets: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    arguments: Sequence[str] = (),
) -> tuple[int, str]:
    """Run the script in a process of its own; return the seconds it took, and the value that it ended with."""
    name, text = _script(given, kind)
    folder = given.root.resolve() / FOLDER
    request = {
        "name": name,
        "text": text,
        "folder": str(folder),
        "root": str(given.root.resolve()),
        "widgets": widgets or {},
        "values": values or {},
        "arguments": list(arguments),
    }
    printed = print_to(given, _KEEP_DAYS)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="manara-notebook-") as place:
        asked, answer = Path(place) / "request.json", Path(place) / "result.json"
        asked.touch(mode=0o600)
        asked.write_text(json.dumps(request), encoding="utf-8")
        code = run_program(
            [sys.executable, "-m", "manara.activities.notebook_host", str(asked), str(answer)],
            folder=Path(place),
            environment=_environment(),
            printed=printed,
            tick=lambda: given.report({}),
        )
        told = json.loads(answer.read_text(encoding="utf-8")) if answer.is_file() else {}
    if "value" not in told:
        why = told.get("error") or f"It ended with exit code {code}, and told nothing."
        raise CommandFailed(
            f"The script {FOLDER}/{name} failed: {why}",
            where=given.name,
            advice=printed.told(),
            code=_DATABRICKS if kind.startswith("Databricks") else _SYNAPSE,
        )
    return round(time.monotonic() - started), str(told["value"])


def _script(given: Given, kind: str) -> tuple[str, str]:
    """Return name and text of the script."""
    bare = script_name(kind, given.properties)
    if not bare or ".." in bare.split("/"):
        raise WrongDefinition(
            f"The activity names no script: typeProperties.{NOTEBOOKS[kind]} is missing, or no name.", where=given.name
        )
    for ending in (".py", ".ipynb"):
        try:
            return bare + ending, given.text(FOLDER, bare + ending)
        except NotFound:
            continue
    raise NotFound(
        f"No script stands for '{bare}' on this machine.",
        where=given.name,
        advice=f"Write {FOLDER}/{bare}.py (or .ipynb).",
    )


def _environment() -> dict[str, str]:
    """Return the environment without Manara's settings; the secrets stay, since scripts ask for them."""
    ours = [name for name in os.environ if name.startswith("MANARA_") and not name.startswith(_KEPT)]
    return {name: value for name, value in os.environ.items() if name not in ours} | {"PYTHONUNBUFFERED": "1"}


def _mapping(given: Given, name: str) -> Mapping[str, Any]:
    found = given.properties.get(name) or {}
    if not isinstance(found, Mapping):
        raise WrongDefinition(f"'{name}' is no object.", where=given.name, advice="Write name: value.")
    return found


def _list(given: Given, name: str) -> list[str]:
    found = given.properties.get(name) or []
    if not isinstance(found, list):
        raise WrongDefinition(f"'{name}' is no array.", where=given.name, advice="Write a list of texts.")
    return [_text(value) for value in found]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _typed(given: Given, name: str, told: Any) -> Any:
    """Return a parameter of a Synapse notebook in its type: string, int, float or bool."""
    if not isinstance(told, Mapping) or "value" not in told:
        return told
    value, kind = told["value"], str(told.get("type") or "string").lower()
    try:
        if kind == "bool":
            return value if isinstance(value, bool) else {"true": True, "false": False}[str(value).lower()]
        return {"int": int, "float": float}.get(kind, _text)(value)
    except (ValueError, TypeError, KeyError):
        raise WrongDefinition(f"'{value}' is no {kind}.", where=f"{given.name}: parameters.{name}") from None


def _json_or_text(value: str) -> Any:
    try:
        found = json.loads(value)
    except ValueError:
        return value
    return found if isinstance(found, dict | list) else value


def _of_databricks(seconds: int, more: Output) -> Output:
    return {"runPageUrl": "", **more, "effectiveIntegrationRuntime": _RUNTIME, "executionDuration": seconds}


def _of_synapse(seconds: int, more: Output) -> Output:
    result = {"runStatus": "Succeeded", **more}
    return {
        "status": {"Status": 1, "Output": {"status": "Succeeded", "result": result}},
        "effectiveIntegrationRuntime": _RUNTIME,
        "executionDuration": seconds,
    }
