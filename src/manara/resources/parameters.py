"""Parameters of a run: what was given, in the types that the pipeline declares."""

import json
from collections.abc import Mapping
from typing import Any

from manara.errors import WrongDefinition
from manara.resources.check import parameter_faults
from manara.resources.declared import fit
from manara.resources.model import Pipeline
from manara.store.seal import Seal


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
            values[name] = fit(parameter.type, given.get(name, parameter.default_value))
        except (ValueError, RecursionError):
            value = repr(given.get(name, parameter.default_value))[:80]
            wrong.append(f"The parameter '{name}' is {value}, which is no {parameter.type}.")
    if wrong:
        raise WrongDefinition(" ".join(wrong))
    return values


def open_values(pipeline: Pipeline, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that may be written down: all but those of SecureString parameters."""
    declared = pipeline.properties.parameters or {}
    secure = {name for name, parameter in declared.items() if parameter.type.lower() == "securestring"}
    return {name: value for name, value in values.items() if name not in secure}


def sealed_values(
    pipeline: Pipeline, values: Mapping[str, Any], given: Mapping[str, Any], seal: Seal
) -> dict[str, str]:
    """Return what the options of a command hold of the SecureString values that were given: `sealed`, or nothing.

    A worker elsewhere opens them; nothing else writes them down.
    """
    kept = open_values(pipeline, values)
    secrets = {name: value for name, value in values.items() if name not in kept and name in given}
    return {"sealed": seal.close(json.dumps(secrets))} if secrets else {}
