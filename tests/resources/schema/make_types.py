"""Makes src/manara/resources/schema/types.json, by hand: python tests/resources/schema/make_types.py ARM-SCHEMA.json.

Taken from Azure's schema of its entities are the facts that a body is checked by: which properties there are, what they
hold, which must be there, and which branch the `type` chooses. No descriptions are taken, but for the sort of value
that they tell where the schema itself tells none.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "src" / "manara" / "resources" / "schema" / "types.json"

RESOURCES = {
    "factory": "factories",
    "linkedService": "factories_linkedservices",
    "dataset": "factories_datasets",
    "pipeline": "factories_pipelines",
    "dataflow": "factories_dataflows",
    "trigger": "factories_triggers",
    "integrationRuntime": "factories_integrationRuntimes",
    "managedVirtualNetwork": "factories_managedVirtualNetworks",
    "managedPrivateEndpoint": "factories_managedVirtualNetworks_managedPrivateEndpoints",
    "credential": "factories_credentials",
    "globalParameter": "factories_globalParameters",
}
SORTS = [
    (r"array of|array \(", "list"),
    (r"(SqlW|SqlDWW|DWW)riteBehaviorEnum", "text"),
    (r"string(?!.*Secure)", "text"),
    (r"integer|int\b", "int"),
    (r"bool(ean)?\b", "bool"),
    (r"number|double", "number"),
    (r"key value pairs|object (with|\(or Expression with resultType object)", "object"),
]
"""What the descriptions call the sorts of values."""


def make(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts: for each kind what its properties hold, and the shapes that it leads to."""
    shapes: dict[str, Any] = {}
    definitions = schema["definitions"]
    resources = {
        kind: read_spec(schema["resourceDefinitions"][name]["properties"]["properties"], shapes, definitions)
        for kind, name in RESOURCES.items()
    }
    return {"resources": resources, "shapes": dict(sorted(shapes.items()))}


def read_spec(node: Mapping[str, Any], shapes: dict[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return what a value must be, in a word or two; `~` before a sort that only a description tells."""
    if "oneOf" in node:
        return read_spec(node["oneOf"][0], shapes, definitions)
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        if name not in shapes:
            shapes[name] = {}
            shapes[name] |= read_shape(definitions[name], shapes, definitions)
        return f"#{name}"
    if "enum" in node:
        return "one of " + " ".join(node["enum"])
    if node.get("type") == "array":
        return "list of " + read_spec(node["items"], shapes, definitions)
    if node.get("type") == "object":
        each = read_spec(node.get("additionalProperties", {}), shapes, definitions)
        return "object" if each == "any" else f"map of {each}"
    sort = {"string": "text", "integer": "int", "number": "number", "boolean": "bool"}.get(node.get("type", ""))
    return sort or told(node.get("description", ""))


def told(description: str) -> str:
    """Return the sort of value that a description tells."""
    words = re.search(r"\btype: ?(.*)", description, re.IGNORECASE)
    for pattern, sort in SORTS if words else ():
        if words and re.match(pattern, words[1], re.IGNORECASE):
            return f"~{sort}"
    return "any"


def read_shape(node: Mapping[str, Any], shapes: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of an object, those that it needs, and its branches by what chooses among them."""
    shape: dict[str, Any] = {
        "has": {
            name: spec
            for name, each in node.get("properties", {}).items()
            if (spec := read_spec(each, shapes, definitions)) != "any" or name in node.get("required", ())
        }
    }
    if node.get("required"):
        shape["needs"] = node["required"]
    if "oneOf" in node:
        branches = [read_shape(each, shapes, definitions) for each in node["oneOf"]]
        by = next(name for name, spec in branches[0]["has"].items() if spec.startswith("one of "))
        shape |= {"by": by, "of": {}}
        for branch in branches:
            kind = branch["has"].pop(by).removeprefix("one of ")
            shape["of"][kind] = {"has": branch["has"], "needs": [name for name in branch["needs"] if name != by]}
    return {name: part for name, part in shape.items() if part}


def written(facts: Mapping[str, Any]) -> str:
    """Return the file: one line a shape, so that a new schema shows as a readable difference."""
    lines = [f'"resources": {json.dumps(facts["resources"])},', '"shapes": {']
    for name, shape in facts["shapes"].items():
        if "of" not in shape:
            lines.append(f"{json.dumps(name)}: {json.dumps(shape)},")
            continue
        head = json.dumps({key: part for key, part in shape.items() if key != "of"})
        lines.append(f'{json.dumps(name)}: {head[:-1]}, "of": {{')
        lines += [f"  {json.dumps(kind)}: {json.dumps(branch)}," for kind, branch in shape["of"].items()]
        lines[-1] = lines[-1].removesuffix(",") + "}},"
    lines[-1] = lines[-1].removesuffix(",")
    return "{" + "\n".join(lines) + "\n}}\n"


if __name__ == "__main__":
    FILE.write_text(written(make(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))), encoding="utf-8")
