"""Every probe of the reference engine gives its value with its type, or an error where it gives one."""

import json
from pathlib import Path
from typing import Any

import pytest

from manara.errors import WrongExpression
from manara.expr import evaluate

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
PROBES = REFERENCE / "expression-probes.json"
needs_probes = pytest.mark.skipif(not PROBES.exists(), reason=f"the reference probes are not at {PROBES}")


def fault(probe: dict[str, Any], scope: dict[str, Any]) -> str:
    """What differs from the reference; empty where nothing does. JSON text tells 1 from 1.0 and from true."""
    try:
        given = json.dumps(evaluate(probe["expression"], scope))
    except WrongExpression as error:
        return "" if probe.get("error") else f"{probe['expression']}: {error}"
    wanted = "an error" if probe.get("error") else json.dumps(probe["value"])
    return "" if given == wanted else f"{probe['expression']}: {given}, not {wanted}"


@needs_probes
def test_every_probe_gives_what_the_reference_gives() -> None:
    probes = json.loads(PROBES.read_text(encoding="utf-8"))
    scope = json.loads((REFERENCE / "expression-context.json").read_text(encoding="utf-8"))
    assert len(probes) > 250
    assert [found for probe in probes if (found := fault(probe, scope))] == []
