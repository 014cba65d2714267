"""Parameters of a run: what was given, in the types that the pipeline declares."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from manara.errors import WrongDefinition
from manara.resources.check import parameter_faults
from manara.resources.model import Parameter, Pipeline


def bind_parameters(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of every declared parameter: as given, or its default, in its declared type.

    Text is accepted for every type, as on a command line; an array or object that a String parameter receives becomes
    JSON text (rule 86). Raises WrongDefinition that names every parameter that is unknown, missing or of a wrong type.
    """
    declared = pipeline.properties.parameters or {}
    wrong = [
        f"{message} {advice}" for message, advice in parameter_faults(declared, given, f"pipeline '{pipeline.name}'")
    ]
    values = {}
    for name, parameter in declared.items():
        if name not in given and not parameter.has_default:
            continue
        try:
            values[name] = _typed(parameter, given.get(name, parameter.default_value))
        except (ValueError, TypeError):
            wrong.append(f"The parameter '{name}' is {given.get(name)!r}, which is no {parameter.type}.")
    if wrong:
        raise WrongDefinition(" ".join(wrong))
    return values


def open_values(pipeline: Pipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that may be written down: all but those of SecureString parameters."""
    declared = pipeline.properties.parameters or {}
    secure = {name for name, parameter in declared.items() if parameter.type.lower() == "securestring"}
    return {name: value for name, value in values.items() if name not in secure}


def _typed(parameter: Parameter, value: Any) -> Any:
    kind = parameter.type.lower()
    if kind in ("string", "securestring") and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    read = _FROM_TEXT.get(kind)
    return read(value) if read and isinstance(value, str) else value


def _boolean(text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise ValueError(text)
    return text.strip().lower() == "true"


def _json(text: str, kind: type) -> Any:
    value = json.loads(text)
    if not isinstance(value, kind):
        raise TypeError(text)
    return value


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "int": int,
    "integer": int,
    "float": float,
    "bool": _boolean,
    "boolean": _boolean,
    "array": partial(_json, kind=list),
    "object": partial(_json, kind=dict),
}
