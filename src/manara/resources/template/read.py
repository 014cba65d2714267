"""Templates and files of parameters as they come: JSON, with the comments and loose keys that Azure's tools take."""

import importlib
import json
import re
from collections.abc import Mapping
from typing import Any

from manara.errors import Fault
from manara.registry import missing_library, near
from manara.resources.factory import is_shallow, shown
from manara.resources.template.evaluate import Findings, TemplateFaults

MOST_BYTES = 20 * 2**20
MOST_LOOSE_BYTES = 100_000
"""The longest text that the slow reader of JSON5 is asked about, where the quick one cannot read it."""

_TEMPLATE = re.compile(
    r"/(deploymentTemplate|(?P<other>subscription|tenant|managementGroup)DeploymentTemplate)\.json#?$", re.I
)
_PARAMETERS = re.compile(r"/(\w*)deploymentParameters\.json#?$", re.IGNORECASE)
_PIECE = re.compile(
    r"""
      "(?:[^"\\]++|\\.)*+"                          # a text
    | '(?P<single>(?:[^'\\]++|\\.)*+)'              # a text in single quotes
    | (?P<comment>//[^\n]*+|/\*(?:.*?\*/|.*+))      # one that is not closed goes on to the end
    | (?<![\w$])(?P<key>[A-Za-z_$][\w$]*+)(?=\s*+:) # a name without quotes
    | (?P<comma>,)(?=(?:\s++|//[^\n]*+|/\*(?:.*?\*/|.*+))*+[}\]])  # a comma behind the last one
    """,
    re.VERBOSE | re.DOTALL,
)


def read_json(raw: bytes, file: str = "") -> Any:
    """Return what a template or a request with one says: JSON, or JSON5. Raises TemplateFaults for anything else."""
    if len(raw) > MOST_BYTES:
        raise _fault(file, "", f"It has {len(raw):,} bytes; at most {MOST_BYTES:,} are read.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _fault(file, "", f"Byte {error.start} is no UTF-8.", "Save it as UTF-8.") from error
    try:
        value = _parsed(text, file)
    except RecursionError as error:
        raise _fault(file, "", "The JSON is nested too deeply.") from error
    if not is_shallow(value):
        raise _fault(file, "", "The JSON is nested too deeply.")
    return value


def _parsed(text: str, file: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        pass
    plain = _PIECE.sub(_plain, text)
    try:
        return json.loads(plain, parse_constant=_refuse, strict=False)  # lines may end inside of texts, as az lets them
    except json.JSONDecodeError as error:
        if len(text) > MOST_LOOSE_BYTES:
            place = f"line {error.lineno}, column {error.colno}"
            raise _fault(file, place, f"This is no JSON: {error.msg}.") from error
    except ValueError as error:
        raise _fault(file, "", f"This is no JSON that can be read: {error}.") from error
    return _loose(text, file)


def _plain(found: re.Match[str]) -> str:
    """Return a piece of JSON5 as JSON has it."""
    if found["comment"] is not None:
        return " "
    if found["comma"] is not None:
        return ""
    if found["key"] is not None:
        return f'"{found["key"]}"'
    if found["single"] is not None:
        return '"' + re.sub(r'\\(.)|"', lambda each: "'" if each[1] == "'" else each[0] if each[1] else '\\"',
                            found["single"], flags=re.DOTALL) + '"'  # fmt: skip
    return found[0]


def _loose(text: str, file: str) -> Any:
    try:
        json5 = importlib.import_module("json5")
    except ModuleNotFoundError as error:
        raise missing_library(error) from error
    try:
        return json5.loads(text, allow_duplicate_keys=True, parse_constant=_refuse)
    except ValueError as error:
        raise _fault(file, "", f"This is no JSON: {str(error).removeprefix('<string>:')}.") from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no number in JSON")


def check_template(document: Any, file: str = "") -> Mapping[str, Any]:
    """Return a template that is one for a resource group. Raises TemplateFaults where it is something else."""
    if not isinstance(document, Mapping):
        raise _fault(file, "", "A template is a JSON object.")
    schema = document.get("$schema")
    if isinstance(schema, str) and _PARAMETERS.search(schema):
        raise _fault(file, "$schema", "This is a file of parameters, not a template.", "Give it with --parameters.")
    found = _TEMPLATE.search(schema) if isinstance(schema, str) else None
    if found and found["other"]:
        told = f"This is a template for a {found['other']}; here they are for a resource group."
        raise _fault(file, "$schema", told, "Give the schema .../2019-04-01/deploymentTemplate.json#.")
    if schema is not None and not found:
        told = f"'{shown(str(schema))}' is no schema of a template."
        raise _fault(
            file,
            "$schema",
            told,
            "Give https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#.",
        )
    if "resources" not in document:
        advice = "Export it from Data Factory: Manage, ARM template." if "properties" in document else ""
        raise _fault(file, "resources", "A template has an array of resources, and this has none.", advice)
    return document


def read_values(document: Any, file: str = "", path: str = "parameters") -> dict[str, Any]:
    """Return the values of parameters by name: of a file of parameters, or of what stands under `parameters`.

    Raises TemplateFaults for values that lie in a Key Vault of Azure, and for what has no value.
    """
    held = document.get("parameters") if isinstance(document, Mapping) and "$schema" in document else document
    if held is None:
        return {}
    findings = Findings(file=file)
    values: dict[str, Any] = {}
    for name, part in held.items() if isinstance(held, Mapping) else ():
        place = f"{path}.{shown(str(name))}"
        if isinstance(part, Mapping) and "value" in part:
            values[name] = part["value"]
        elif isinstance(part, Mapping) and "reference" in part:
            findings.add(place, "The value lies in a Key Vault of Azure, which is not asked here.", "Give the value.")
        else:
            advice = near("value", map(str, part)) if isinstance(part, Mapping) and part else ""
            findings.add(place, 'A parameter is given as {"value": ...}.', advice if "value" in advice else "")
    if not isinstance(held, Mapping):
        findings.add(path, "An object belongs here.")
    findings.end()
    return values


def _fault(file: str, path: str, message: str, advice: str = "") -> TemplateFaults:
    return TemplateFaults([Fault(file=file, path=path, message=message, advice=advice)])
