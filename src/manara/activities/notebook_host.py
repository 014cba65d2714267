"""Runs a notebook in a process of its own, with what Databricks and Synapse put around one.

Started by `manara.activities.notebook` as `python -m manara.activities.notebook_host REQUEST RESULT`.
"""

import json
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from manara.secret import read_env, secret_names

_CELLS = re.compile(r"^# (?:COMMAND -+|%%.*)$", re.MULTILINE)
_TAG = re.compile(r"^# (?:%%.*\btags=\[.*[\"']parameters[\"']|PARAMETERS)", re.MULTILINE)
_MAGIC = re.compile(r"^%%?(\w+)[ \t]*(.*)$")
_PASSED_BY = frozenset({"md", "pip", "conda", "config", "configure", "matplotlib", "load_ext", "autoreload", "time"})
_PYTHON = frozenset({"python", "pyspark"})
_SPARK_SETTINGS = {
    "SPARK_HOME", "SPARK_CONF_DIR", "SPARK_REMOTE", "SPARK_LOCAL_IP", "PYSPARK_PYTHON", "PYSPARK_SUBMIT_ARGS", "MASTER",
}  # fmt: skip
_SPARK = re.compile(r"\b(spark|sc|sqlContext)\b")


class Exit(BaseException):
    """The notebook has said that it is done, and with which value. No `except Exception` in it stops this."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Unfit(Exception):  # named as a person reads it in the traceback
    """The notebook asks for something that there is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: its text, and whether the parameters are to be set after it."""

    text: str
    has_parameters: bool = False


@dataclass(slots=True, kw_only=True)
class Host:
    """What all notebooks of the process share. `folder` holds the scripts, `root` the `.env` file."""

    folder: Path
    root: Path
    texts: dict[str, str] = field(default_factory=dict)

    def run(self, name: str, text: str, values: Mapping[str, Any], widgets: Mapping[str, str]) -> str:
        """Run a notebook to its end and return the value that it ended with."""
        names = self._names(widgets)
        try:
            self._play(name, text, names, values)
        except Exit as done:
            return done.value
        return ""

    def find(self, path: str, near: str) -> tuple[str, str]:
        """Return name and text of a notebook that another one names; a path with a dot starts beside that one."""
        start = self.folder / Path(near).parent if path.startswith(".") else self.folder
        bare = re.sub(r"\.(py|ipynb)$", "", path.strip().strip("\"'").lstrip("/"))
        for ending in (".py", ".ipynb"):
            file = (start / (bare + ending)).resolve()
            if file.is_relative_to(self.folder.resolve()) and file.is_file():
                return file.relative_to(self.folder.resolve()).as_posix(), file.read_text(encoding="utf-8")
        raise Unfit(f"There is no notebook '{path}': write {self.folder / bare}.py")

    def secret(self, scope: str, name: str) -> str:
        """Return a secret, where the Key Vault's stand-in holds it."""
        names = secret_names(name, scope)
        for place in (os.environ, read_env(self.root / ".env")):
            for each in names:
                if each in place:
                    return place[each]
        raise Unfit(f"The secret '{name}' is neither in the environment nor in .env: put it there as {names[-1]}")

    def _play(self, name: str, text: str, names: dict[str, Any], values: Mapping[str, Any]) -> None:
        cells = list(cells_of(name, text))
        names["__file__"] = str(self.folder / name)
        if not any(cell.has_parameters for cell in cells):
            names.update(values)
        for number, cell in enumerate(cells, 1):
            self._play_cell(name, number, cell.text, names)
            if cell.has_parameters:
                names.update(values)

    def _play_cell(self, name: str, number: int, text: str, names: dict[str, Any]) -> None:
        lines = text.splitlines()
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        magic = _MAGIC.match(first)
        if magic and magic[1] == "sql":
            query = "\n".join([magic[2], *lines[lines.index(first) + 1 :]])
            self._spark(names).sql(query).show()
            return
        if magic and magic[1] == "run":
            self._play(*self.find(magic[2], name), names, {})
            lines.remove(first)
        kept = [self._plain(line) for line in lines] if magic is None or magic[1] not in {"md"} else []
        code = "\n".join(kept)
        if _SPARK.search(code) and "spark" not in names:
            self._spark(names)
        place = f"{name}, cell {number}"
        linecache.cache[place] = (len(code), None, code.splitlines(keepends=True), place)
        exec(compile(code, place, "exec"), names)  # noqa: S102 # this is what the process is for

    def _plain(self, line: str) -> str:
        magic = _MAGIC.match(line)
        if magic is None:
            if line.startswith("!"):
                raise Unfit(f"No shell is run from a notebook: {line}")
            return line
        if magic[1] in _PYTHON:
            return magic[2]
        if magic[1] in _PASSED_BY:
            sys.stderr.write(f"passed by: {line}\n")
            return ""
        raise Unfit(f"'%{magic[1]}' cannot be run here.")

    def _spark(self, names: dict[str, Any]) -> Any:
        if names.get("spark") is None:
            try:
                from pyspark.sql import SparkSession  # noqa: PLC0415 # half a gigabyte, for those who ask for it
            except ImportError:
                raise Unfit("pyspark is not installed: pip install 'manara[spark]'") from None
            if not _SPARK_SETTINGS & os.environ.keys():  # nobody has set one up: it is this machine's alone
                os.environ.update(SPARK_LOCAL_IP="127.0.0.1", PYSPARK_PYTHON=sys.executable)
            session = SparkSession.builder.appName("manara").getOrCreate()
            names.update(spark=session, sc=session.sparkContext, sqlContext=session)
        return names["spark"]

    def _names(self, widgets: Mapping[str, str]) -> dict[str, Any]:
        names: dict[str, Any] = {"__name__": "__main__", "display": print, "displayHTML": print}
        notebook = SimpleNamespace(exit=leave, run=self._call)
        names["dbutils"] = Tools(
            "dbutils",
            widgets=Widgets(dict(widgets)),
            notebook=notebook,
            secrets=Tools(
                "dbutils.secrets", get=self.secret, getBytes=lambda scope, key: self.secret(scope, key).encode()
            ),
            library=SimpleNamespace(restartPython=lambda: None),
        )
        credentials = Tools("credentials", getSecret=lambda vault, name, *_: self.secret(vault, name))
        names["mssparkutils"] = names["notebookutils"] = Tools(
            "mssparkutils", notebook=notebook, credentials=credentials
        )
        return names

    def _call(self, path: str, _timeout_s: float = 0, arguments: Mapping[str, Any] | None = None) -> str:
        name, text = self.find(path, "")
        given = arguments or {}
        return self.run(name, text, given, {key: str(value) for key, value in given.items()})


class Tools:
    """A set of tools; one that is not here is answered plainly."""

    def __init__(self, name: str, **tools: Any) -> None:
        self._name = name
        self.__dict__.update(tools)

    def __getattr__(self, name: str) -> NoReturn:
        raise Unfit(f"There is no {self._name}.{name} here.")


class Widgets:
    """The parameters of a Databricks notebook, all of them texts; what the notebook declares gives the defaults."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._defaults: dict[str, str] = {}

    def get(self, name: str) -> str:
        """Return the parameter. Raises Unfit where it is neither given nor declared."""
        if name not in self._given and name not in self._defaults:
            raise Unfit(f"The notebook was given no '{name}' (InputWidgetNotDefined).")
        return self._given.get(name, self._defaults.get(name, ""))

    getArgument = get  # noqa: N815 # as Databricks spells it

    def getAll(self) -> dict[str, str]:  # noqa: N802 # as Databricks spells it
        """Return all parameters."""
        return {**self._defaults, **self._given}

    def text(self, name: str, defaultValue: str = "", *_: Any, **__: Any) -> None:  # noqa: N803 # as Databricks does
        """Declare a parameter with its default."""
        self._defaults[name] = defaultValue

    dropdown = combobox = multiselect = text

    def remove(self, name: str) -> None:
        """Take a parameter away."""
        self._defaults.pop(name, None)

    def removeAll(self) -> None:  # noqa: N802 # as Databricks spells it
        """Take all declared parameters away."""
        self._defaults.clear()


def leave(value: Any = "") -> NoReturn:
    """End the notebook with a value."""
    raise Exit("" if value is None else str(value))


def cells_of(name: str, text: str) -> Iterator[Cell]:
    r"""Yield the cells of a notebook: a `.ipynb`, or a `.py` as Databricks exports it or with `# %%` between them.

    >>> [cell.text for cell in cells_of("a.py", "x = 1\n# COMMAND ----------\n# MAGIC %run ./b\n")]
    ['x = 1\n', '\n%run ./b\n']
    """
    if name.lower().endswith(".ipynb"):
        for cell in json.loads(text).get("cells") or []:
            source = cell.get("source") or ""
            if cell.get("cell_type") == "code":
                tags = (cell.get("metadata") or {}).get("tags") or []
                yield Cell(
                    text=source if isinstance(source, str) else "".join(source), has_parameters="parameters" in tags
                )
        return
    marks = ["", *_CELLS.findall(text)]
    for mark, body in zip(marks, _CELLS.split(text), strict=True):
        plain = re.sub(r"^# MAGIC ?", "", body, flags=re.MULTILINE)
        yield Cell(text=plain, has_parameters=bool(_TAG.search(f"{mark}{body}")))


def main() -> None:
    """Do what the request says, and write down how it ended."""
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    result = Path(sys.argv[2])
    host = Host(folder=Path(request["folder"]), root=Path(request["root"]))
    sys.argv = [request["name"], *request["arguments"]]
    sys.path.insert(0, request["folder"])
    try:
        value = host.run(request["name"], request["text"], request["values"], request["widgets"])
    except Exception as error:  # noqa: BLE001 # whatever the notebook raises is told to the activity
        traceback.print_exc()
        told = f"{type(error).__name__}: {error}" if not isinstance(error, Unfit) else str(error)
        result.write_text(json.dumps({"error": told}), encoding="utf-8")
        sys.exit(1)
    result.write_text(json.dumps({"value": value}), encoding="utf-8")


if __name__ == "__main__":
    main()
