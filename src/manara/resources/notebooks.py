"""Which script on this machine stands for a notebook or a Spark job: its place below `local/notebook/`."""

import re
from collections.abc import Mapping
from typing import Any

FOLDER = "local/notebook"

_ENDING = re.compile(r"\.(py|ipynb)$", re.IGNORECASE)
_SCHEME = re.compile(r"^(dbfs:|[a-z][a-z0-9+.-]*://[^/]*)", re.IGNORECASE)

NOTEBOOKS: Mapping[str, str] = {
    "DatabricksNotebook": "notebookPath",
    "DatabricksSparkPython": "pythonFile",
    "SynapseNotebook": "notebook",
    "SparkJob": "sparkJob",
}
"""The activities that local scripts stand for, and the property that names the script."""


def script_name(kind: str, properties: Mapping[str, Any]) -> str:
    """Return the name of the script below `local/notebook/`, without its ending; empty where none is named.

    >>> script_name("DatabricksNotebook", {"notebookPath": "/Shared/etl/load"})
    'Shared/etl/load'
    >>> script_name("DatabricksSparkPython", {"pythonFile": "dbfs:/docs/pi.py"})
    'docs/pi'
    >>> script_name("SynapseNotebook", {"notebook": {"referenceName": "Clean", "type": "NotebookReference"}})
    'Clean'
    """
    named = properties.get(NOTEBOOKS[kind])
    if isinstance(named, Mapping):
        named = named.get("referenceName")
    if isinstance(named, Mapping):  # a computed name that nobody has resolved
        named = named.get("value")
    if not isinstance(named, str):
        return ""
    return _ENDING.sub("", _SCHEME.sub("", named).strip("/ "))
