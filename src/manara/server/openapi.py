"""The management API as an OpenAPI 3.1 document, made from the table of operations."""

import re
from collections.abc import Iterable
from typing import Any

from manara.resources.schema.table import read_table
from manara.server.arm.names import pattern_of
from manara.server.arm.operations import OPERATIONS, Operation

Json = dict[str, Any]

FACTORY_VERSION, AZURE_VERSION = "2018-06-01", "2022-09-01"
_SCOPE = "/{scope}"
_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_SCOPES = {
    "Subscription": "/subscriptions/{subscriptionId}",
    "ResourceGroup": _GROUP,
    "Factory": f"{_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}",
}
"""The scopes on which roles are given, each a path of its own here: a name in OpenAPI holds no slashes."""

_BODIES = {
    "Factories": "factory",
    "LinkedServices": "linkedService",
    "Datasets": "dataset",
    "Pipelines": "pipeline",
    "DataFlows": "dataflow",
    "Triggers": "trigger",
    "IntegrationRuntimes": "integrationRuntime",
    "ManagedVirtualNetworks": "managedVirtualNetwork",
    "ManagedPrivateEndpoints": "managedPrivateEndpoint",
    "CredentialOperations": "credential",
    "GlobalParameters": "globalParameter",
}
_QUERIES = ("PipelineRuns_QueryByFactory", "ActivityRuns_QueryByPipelineRun", "TriggerRuns_QueryByFactory")
_ERROR: Json = {
    "description": "What went wrong, with a stable code, and where it can be told, what to try.",
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
}


def document(operations: Iterable[Operation] = OPERATIONS) -> Json:
    """Return the document. Every operation of the table is in it, under its own name."""
    paths: dict[str, Json] = {}
    for operation in operations:
        for name, path in _paths(operation):
            paths.setdefault(path, {})[operation.method.lower()] = _told(operation, name, path)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Manara: the management API of Azure Data Factory",
            "version": FACTORY_VERSION,
            "description": "What Azure's clients send. Fixed parts of a path are taken in any case.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "security": [{"token": []}],
    }


def _paths(operation: Operation) -> list[tuple[str, str]]:
    if not operation.path.startswith(_SCOPE):
        return [(operation.name, operation.path)]
    rest = operation.path.removeprefix(_SCOPE)
    return [(f"{operation.name}On{name}", f"{scope}{rest}") for name, scope in _SCOPES.items()]


def _told(operation: Operation, name: str, path: str) -> Json:
    told: Json = {
        "operationId": name,
        "tags": [operation.name.partition("_")[0]],
        "parameters": [*map(_in_path, re.findall(r"\{(\w+)\}", path)), *_in_query(operation)],
        "responses": _responses(operation),
    }
    if operation.action:
        told["description"] = f"Asks for the right to `{operation.action}`."
    if operation.open:
        told["security"] = []
    body = _body(operation)
    if body:
        needed = operation.name in _QUERIES or "required" in body
        told["requestBody"] = {"content": {"application/json": {"schema": body}}, "required": needed}
    return told


def _in_path(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", **pattern_of(name)}}


def _in_query(operation: Operation) -> list[Json]:
    version = FACTORY_VERSION if "Microsoft.DataFactory" in operation.path else AZURE_VERSION
    found: list[Json] = [
        {"name": "api-version", "in": "query", "required": True, "schema": {"type": "string", "enum": [version]}}
    ]
    if operation.name == "Pipelines_CreateRun":
        texts = ("referencePipelineRunId", "startActivityName")
        found += [{"name": name, "in": "query", "schema": {"type": "string"}} for name in texts]
        flags = ("isRecovery", "startFromFailure")
        found += [{"name": name, "in": "query", "schema": {"type": "boolean"}} for name in flags]
    elif operation.name == "PipelineRuns_Cancel":
        found.append({"name": "isRecursive", "in": "query", "schema": {"type": "boolean"}})
    elif operation.name.startswith("Resources_List"):
        found.append({"name": "$filter", "in": "query", "schema": {"type": "string"}})
    return found


def _responses(operation: Operation) -> Json:
    if operation.mark == "N":
        return {"501": _ERROR, "default": _ERROR}
    done: Json = {"description": "Done."}
    if operation.method != "HEAD":
        done["content"] = {"application/json": {"schema": _answer(operation)}}
    responses: Json = {"204" if operation.method == "HEAD" else "200": done}
    if operation.method == "DELETE":
        responses = {"200": {"description": "Removed."}, "204": {"description": "It was not there."}}
    if operation.method == "PUT" and "Microsoft.DataFactory" not in operation.path:
        responses["201"] = done
    if operation.method == "GET" and operation.path.endswith("}"):
        responses["304"] = {"description": "Not changed since the etag in If-None-Match."}
    if operation.long_running:
        responses["202"] = {"description": "Begun; `Location` says where to ask for the end."}
    return responses | {"default": _ERROR}


def _answer(operation: Operation) -> Json:
    if not operation.pageable:
        return {"type": ["object", "null"]}
    values: Json = {"value": {"type": "array", "items": {"type": "object"}}, "nextLink": {"type": "string"}}
    return {"type": "object", "required": ["value"], "properties": values}


def _body(operation: Operation) -> Json:
    group, _, verb = operation.name.partition("_")
    if verb == "CreateOrUpdate" and group in _BODIES and operation.mark != "N":
        return _resource(_BODIES[group])
    if operation.name in _QUERIES:
        return {"$ref": "#/components/schemas/RunFilter"}
    return {"type": "object"} if operation.method in ("PUT", "PATCH", "POST") else {}


def _resource(kind: str) -> Json:
    """Return a definition's outside: its inside is told by its type, of which there are many."""
    shape = read_table().shapes.get(read_table().resources[kind].removeprefix("#"))
    inside: Json = {"type": "object"}
    if shape and shape.by:
        inside |= {"properties": {shape.by: {"type": "string", "examples": sorted(shape.of)}}, "required": [shape.by]}
    if kind == "factory":
        own: Json = {"location": {"type": "string"}, "tags": {"type": "object"}, "properties": inside}
        return {"type": "object", "properties": own}
    return {"type": "object", "properties": {"properties": inside}, "required": ["properties"]}


def _schemas() -> Json:
    time = {"type": "string", "format": "date-time"}
    text = {"type": "string"}
    filters = {
        "type": "object",
        "required": ["operand", "operator", "values"],
        "properties": {"operand": text, "operator": text, "values": {"type": "array", "items": text}},
    }
    order = {"type": "object", "properties": {"orderBy": text, "order": {"enum": ["ASC", "DESC"]}}}
    error: Json = {"code": text, "message": text, "target": text, "details": {"type": ["array", "null"]}}
    return {
        "Error": {
            "type": "object",
            "required": ["error"],
            "properties": {"error": {"type": "object", "required": ["code", "message"], "properties": error}},
        },
        "RunFilter": {
            "type": "object",
            "required": ["lastUpdatedAfter", "lastUpdatedBefore"],
            "properties": {
                "lastUpdatedAfter": time,
                "lastUpdatedBefore": time,
                "filters": {"type": "array", "items": filters},
                "orderBy": {"type": "array", "items": order},
                "continuationToken": text,
            },
        },
    }
