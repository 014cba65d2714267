"""Deployments of templates: read, checked, foretold and done. Pure but for the functions that it is given.

Source of the forms: https://learn.microsoft.com/rest/api/resources/deployments
"""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from manara import clock
from manara.errors import Fault, Faults, ManaraError
from manara.resources.template.changes import to_delete, what_if
from manara.resources.template.place import Place
from manara.resources.template.read import check_template, read_json, read_values
from manara.resources.template.template import Plan, Wanted, read_template
from manara.server.answer import Problem, problem_of

DEPLOYMENTS = "microsoft.resources/deployments"
MODES = ("Incremental", "Complete")
FACTORY_TYPES = frozenset(
    f"microsoft.datafactory/factories{part}"
    for part in (
        "",
        "/pipelines",
        "/datasets",
        "/linkedservices",
        "/dataflows",
        "/triggers",
        "/integrationruntimes",
        "/credentials",
        "/globalparameters",
        "/managedvirtualnetworks",
        "/managedvirtualnetworks/managedprivateendpoints",
    )
)

Put = Callable[[str, str, Mapping[str, Any]], object]
"""Makes or replaces a resource: its type, its id, its body. Raises Problem or a ManaraError."""

Check = Callable[[str, str, Mapping[str, Any]], Problem | None]
"""Says what would be wrong with a resource, without making it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Where a deployment goes, and what it may ask.

    `get` gives the body of a resource by its id, or None; `held` the bodies of everything in the resource group, by id;
    `types` are those that can be made here, in lower case.
    """

    place: Place
    get: Callable[[str], Mapping[str, Any] | None] = lambda _id: None
    held: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    check: Check = lambda _type, _id, _body: None
    types: Collection[str] = FACTORY_TYPES
    correlation: str = ""

    @property
    def id(self) -> str:
        """The resource id of the deployment."""
        return f"{self.place.scope}/providers/Microsoft.Resources/deployments/{self.place.deployment}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A deployment as it was asked for, and what it wants."""

    plan: Plan
    mode: str
    template: Mapping[str, Any]
    properties: Mapping[str, Any]


def plan(body: bytes | Mapping[str, Any], context: Context) -> Deployment:
    """Return what a request to deploy wants.

    Raises Problem: `InvalidRequestContent` where the body cannot be read, `InvalidTemplate` with everything that is
    wrong with the template and its parameters, `InvalidTemplateDeployment` for resources that cannot be made here.
    """
    properties = _properties(body)
    mode = _mode(properties)
    try:
        template = check_template(_template(properties))
        given = read_values(properties.get("parameters"))
        found = read_template(template, given, context.place, existing=context.get)
    except Faults as error:
        raise _invalid_template(error) from error
    details = _unfit(found, context)
    if details:
        name = context.place.deployment
        told = (
            f"The template deployment '{name}' is not valid according to the validation procedure. The tracking id is "
            f"'{context.correlation or clock.new_id()}'. See inner errors for details."
        )
        raise Problem(400, "InvalidTemplateDeployment", told, details=details)
    return Deployment(plan=found, mode=mode, template=template, properties=properties)


def validate(body: bytes | Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the answer to a request to validate: the deployment as it would be. Raises Problem as `plan` does."""
    found = plan(body, context)
    properties = _recorded(found, context, "Succeeded", timedelta())
    kept = ("parameters", "mode", "provisioningState", "timestamp", "duration", "correlationId", "providers",
            "dependencies", "templateHash")  # fmt: skip
    told = {key: properties[key] for key in kept}
    told["validatedResources"] = [{"id": each.id} for each in found.plan.wanted]
    return _shown(context, told)


def foretell(body: bytes | Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the answer to a what-if request: each change, with its properties before and after."""
    found = plan(body, context)
    changes = what_if(context.held(), found.plan.wanted, found.mode)
    settings = found.properties.get("whatIfSettings")
    if isinstance(settings, Mapping) and settings.get("resultFormat") == "ResourceIdOnly":
        changes = [{key: each[key] for key in ("resourceId", "changeType")} for each in changes]
    correlation = context.correlation or clock.new_id()
    return {"status": "Succeeded", "properties": {"correlationId": correlation, "changes": changes}}


def deploy(
    body: bytes | Mapping[str, Any],
    context: Context,
    put: Put,
    *,
    remove: Callable[[str], object] = lambda _id: None,
    save: Callable[[Mapping[str, Any]], object] = lambda _body: None,
) -> dict[str, Any]:
    """Do a deployment, and return its record as Azure shows it.

    `save` is given the document of the deployment, at the start and at the end; `show` makes the record of it. What
    waits for something that failed is not tried; the rest is. In complete mode `remove` takes away the factories that
    the template does not have. Raises Problem as `plan` does, and `DeploymentFailed` once the record is saved.
    """
    found = plan(body, context)
    started = clock.now()
    save(_document(found, context, "Running", timedelta(), []))
    operations = _carry_out(found, context, put)
    failed = [each for each in operations if each["properties"]["provisioningState"] == "Failed"]
    if not failed:
        for path in to_delete(context.held(), found.plan.wanted, found.mode):
            remove(path)
    state = "Failed" if failed else "Succeeded"
    document = _document(found, context, state, clock.now() - started, operations)
    save(document)
    if failed:
        error = document["properties"]["error"]
        raise Problem(400, error["code"], error["message"], details=error["details"])
    return show(document, context)


def show(document: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return a saved deployment as Azure shows it."""
    return _shown(context, document["properties"])


def shown_operations(document: Mapping[str, Any], context: Context) -> list[dict[str, Any]]:
    """Return the operations of a saved deployment, one for each resource."""
    held = document.get("operations") or []
    return [{"id": f"{context.id}/operations/{each['operationId']}", **each} for each in held]


def exported(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template of a saved deployment, as the answer to exportTemplate has it."""
    return {"template": document.get("template")}


def _properties(body: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        document = read_json(body) if isinstance(body, bytes) else body
    except Faults as error:
        raise _unreadable(" ".join(str(fault) for fault in error.faults)) from error
    properties = document.get("properties") if isinstance(document, Mapping) else None
    if not isinstance(properties, Mapping):
        raise _unreadable('A deployment is asked for with {"properties": {"mode": ..., "template": {...}}}.')
    return properties


def _template(properties: Mapping[str, Any]) -> Any:
    for key, told in (("templateLink", "template"), ("parametersLink", "parameters")):
        if properties.get(key):
            raise Problem(
                400,
                "InvalidContentLink",
                f"'{key}' is not fetched here: put the {told} into the request, as properties.{told}.",
                target=f"properties.{key}",
            )
    if "template" not in properties:
        raise _unreadable("The deployment has no template: put it in as properties.template.")
    return properties["template"]


def _mode(properties: Mapping[str, Any]) -> str:
    told = properties.get("mode", MODES[0])
    found = next((mode for mode in MODES if isinstance(told, str) and mode.lower() == told.lower()), None)
    if found is None:
        raise Problem(400, "InvalidDeploymentMode", f"The mode is {' or '.join(MODES)}.", target="properties.mode")
    return found


def _unreadable(why: str) -> Problem:
    return Problem(
        400, "InvalidRequestContent", f"The request content was invalid and could not be deserialized: {why}"
    )


def _invalid_template(error: Faults) -> Problem:
    first = str(error.faults[0])
    more = f" (and {len(error.faults) - 1} more)" if len(error.faults) > 1 else ""
    details = [_detail("InvalidTemplate", fault) for fault in error.faults]
    return Problem(400, "InvalidTemplate", f"Deployment template validation failed: '{first}'{more}.", details=details)


def _detail(code: str, fault: Fault) -> dict[str, Any]:
    told = f"{fault.message} {fault.advice}".strip()
    return {"code": code, "message": told, "target": fault.path}


def _unfit(found: Plan, context: Context) -> list[dict[str, Any]]:
    details = []
    for each in found.wanted:
        if each.type.lower() not in context.types:
            told = (
                f"The resource type '{each.type}' cannot be made here: Manara has data factories and what lies in them."
            )
            details.append({"code": "InvalidResourceType", "message": told, "target": each.path})
            continue
        problem = context.check(each.type, each.id, each.body)
        if problem:
            details.append(_error(problem, each.id))
    return details


def _error(problem: Problem, target: str) -> dict[str, Any]:
    error: dict[str, Any] = {"code": problem.code, "message": problem.message, "target": problem.target or target}
    return error | ({"details": list(problem.details)} if problem.details else {})


def _carry_out(found: Deployment, context: Context, put: Put) -> list[dict[str, Any]]:
    """Make every resource in order, and return what became of each."""
    operations = []
    failed: set[str] = set()
    for each in found.plan.wanted:
        if failed & set(each.depends):
            failed.add(each.id)
            continue
        started = clock.now()
        problem = _put(each, put)
        if problem:
            failed.add(each.id)
        operations.append(_operation(each, clock.now() - started, problem, context))
    return operations


def _put(wanted: Wanted, put: Put) -> Problem | None:
    try:
        put(wanted.type, wanted.id, wanted.body)
    except Problem as problem:
        return problem
    except ManaraError as error:
        if error.retry:
            raise
        return problem_of(error)
    return None


def _operation(wanted: Wanted, took: timedelta, problem: Problem | None, context: Context) -> dict[str, Any]:
    told: dict[str, Any] = {
        "provisioningOperation": "Create",
        "provisioningState": "Failed" if problem else "Succeeded",
        "timestamp": clock.stamp(clock.now()),
        "duration": _duration(took),
        "trackingId": context.correlation or None,
        "statusCode": "BadRequest" if problem else "OK",
        "targetResource": _target(wanted),
    }
    if problem:
        told["statusMessage"] = {"error": _error(problem, wanted.id)}
    return {"operationId": hashlib.sha256(wanted.id.lower().encode()).hexdigest()[:16].upper(), "properties": told}


def _document(
    found: Deployment, context: Context, state: str, took: timedelta, operations: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what is kept of a deployment: no value of a secret parameter is in it."""
    properties = _recorded(found, context, state, took)
    errors = [
        each["properties"]["statusMessage"]["error"] for each in operations if "statusMessage" in each["properties"]
    ]
    if errors:
        properties["error"] = {
            "code": "DeploymentFailed",
            "message": "At least one resource deployment operation failed. Please list deployment operations for "
            "details. Please see https://aka.ms/arm-deployment-operations for usage details.",
            "details": errors,
        }
    if state == "Succeeded":
        properties["outputs"] = dict(found.plan.outputs)
        properties["outputResources"] = [{"id": each.id} for each in found.plan.wanted]
    return {"properties": properties, "template": dict(found.template), "operations": operations}


def _recorded(found: Deployment, context: Context, state: str, took: timedelta) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(found.template, sort_keys=True).encode()).digest()
    return {
        "templateHash": str(int.from_bytes(digest[:8], "big")),
        "parameters": dict(found.plan.parameters),
        "mode": found.mode,
        "provisioningState": state,
        "timestamp": clock.stamp(clock.now()),
        "duration": _duration(took),
        "correlationId": context.correlation or clock.new_id(),
        "providers": _providers(found.plan.wanted, context.place.location),
        "dependencies": _dependencies(found.plan.wanted),
    }


def _providers(wanted: Collection[Wanted], location: str) -> list[dict[str, Any]]:
    kinds: dict[str, set[str]] = {}
    for each in wanted:
        namespace, _, kind = each.type.partition("/")
        kinds.setdefault(namespace, set()).add(kind)
    return [
        {
            "namespace": space,
            "resourceTypes": [{"resourceType": kind, "locations": [location]} for kind in sorted(held)],
        }
        for space, held in sorted(kinds.items())
    ]


def _dependencies(wanted: Collection[Wanted]) -> list[dict[str, Any]]:
    by_id = {each.id: each for each in wanted}
    return [
        {"dependsOn": [_target(by_id[path]) for path in each.depends if path in by_id], **_target(each)}
        for each in wanted
        if each.depends
    ]


def _target(wanted: Wanted) -> dict[str, Any]:
    return {"id": wanted.id, "resourceType": wanted.type, "resourceName": wanted.name}


def _duration(took: timedelta) -> str:
    """Return a length of time in the form of ISO 8601."""
    return f"PT{took.total_seconds():.7f}".rstrip("0").rstrip(".") + "S"


def _shown(context: Context, properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": context.id,
        "name": context.place.deployment,
        "type": "Microsoft.Resources/deployments",
        "properties": dict(properties),
    }
