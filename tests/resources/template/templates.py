"""Small templates for tests, and what they want."""

import json
from typing import Any

from manara.errors import Fault
from manara.resources.template.evaluate import TemplateFaults
from manara.resources.template.place import Place
from manara.resources.template.template import Plan, Wanted, read_template

Json = dict[str, Any]
PLACE = Place(subscription="s", group="g", location="west", deployment="d")
FACTORY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.DataFactory/factories/f"
PIPELINES = "Microsoft.DataFactory/factories/pipelines"
SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


def resource(name: str = "f/p", kind: str = PIPELINES, **more: Any) -> Json:
    return {"name": name, "type": kind, "apiVersion": "2018-06-01", **more}


def template(*resources: Json, **more: Any) -> Json:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **more}


def plan(document: Json, **given: Any) -> Plan:
    return read_template(json.loads(json.dumps(document)), given, PLACE)


def wanted(document: Json, **given: Any) -> list[Wanted]:
    return list(plan(document, **given).wanted)


def names(document: Json, **given: Any) -> list[str]:
    return [each.name for each in wanted(document, **given)]


def value(expression: Any, **sections: Any) -> Any:
    """Return what an expression says as the output of a template."""
    output = {"type": "object", "value": expression}
    return plan(template(outputs={"o": output}, **sections)).outputs["o"]["value"]


def faults(document: Json, **given: Any) -> list[Fault]:
    try:
        plan(document, **given)
    except TemplateFaults as error:
        return list(error.faults)
    return []
