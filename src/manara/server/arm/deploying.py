"""Deployments over the API: what a template wants is made by the same functions that answer a PUT of each resource."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from manara.resources.published import FACTORIES
from manara.resources.template.place import Place
from manara.server.answer import Answer, Problem
from manara.server.arm import deployments, resources, runtimes
from manara.server.arm.azure import LOCATION
from manara.server.arm.deployments import DEPLOYMENTS, Context
from manara.server.arm.operations import match
from manara.server.site import Call
from manara.store.documents import Document

_PUTS = {FACTORIES: resources.put_factory, f"{FACTORIES}/integrationruntimes": runtimes.put_runtime}


def put_deployment(call: Call) -> Answer:
    """Do a deployment; all of it is done when the answer comes. 201 where it is new."""
    context = _context(call)
    is_new = call.documents.get(context.id) is None
    shown = deployments.deploy(
        call.body,
        context,
        lambda kind, path, body: _put(call, kind, path, body),
        remove=lambda path: _remove(call, path),
        save=lambda body: call.documents.put(context.id, DEPLOYMENTS, call.group, body),
    )
    return Answer(status=201 if is_new else 200, body=shown)


def validate_deployment(call: Call) -> Answer:
    """Answer whether a deployment could be done."""
    return Answer(body=deployments.validate(call.body, _context(call)))


def what_if_deployment(call: Call) -> Answer:
    """Answer with what a deployment would change."""
    return Answer(body=deployments.foretell(call.body, _context(call)))


def get_deployment(call: Call) -> Answer:
    """Answer with a deployment as it ended."""
    return Answer(body=deployments.show(_kept(call).body, _context(call)))


def has_deployment(call: Call) -> Answer:
    """Answer whether a deployment is kept: 204 or 404, both without a body."""
    resources.group(call)
    return Answer(status=204 if call.documents.get(_context(call).id) else 404)


def list_deployments(call: Call) -> Answer:
    """Answer with the deployments of a resource group."""
    resources.group(call)
    found = call.documents.inside(call.group, DEPLOYMENTS)
    return Answer(body={"value": [deployments.show(each.body, _context(call, each.name)) for each in found]})


def delete_deployment(call: Call) -> Answer:
    """Forget a deployment; what it has made stays."""
    resources.group(call)
    call.documents.delete(_context(call).id)
    return Answer(status=204)


def cancel_deployment(call: Call) -> Answer:
    """Answer that a deployment is over: it is done before its first answer."""
    _kept(call)
    told = "The deployment cannot be cancelled: it has ended."
    raise Problem(409, "DeploymentCannotBeCancelled", told, target=call.path)


def export_deployment(call: Call) -> Answer:
    """Answer with the template of a deployment."""
    return Answer(body=deployments.exported(_kept(call).body))


def list_operations(call: Call) -> Answer:
    """Answer with what became of each resource of a deployment."""
    return Answer(body={"value": deployments.shown_operations(_kept(call).body, _context(call))})


def get_operation(call: Call) -> Answer:
    """Answer with what became of one resource of a deployment."""
    wanted = call.names["operationId"].lower()
    for each in deployments.shown_operations(_kept(call).body, _context(call)):
        if str(each["operationId"]).lower() == wanted:
            return Answer(body=each)
    raise Problem(404, "DeploymentOperationNotFound", f"The deployment has no operation '{wanted[:80]}'.")


def _context(call: Call, name: str = "") -> Context:
    group = call.documents.get(call.group)
    place = Place(
        subscription=call.names["subscriptionId"],
        group=group.name if group else call.names["resourceGroupName"],
        deployment=name or call.names["deploymentName"],
        location=str(group.body.get("location") or LOCATION) if group else LOCATION,
        tags=group.body.get("tags") or {} if group else {},
    )
    if group is None:
        resources.group(call)
    return Context(
        place=place,
        get=lambda path: _readable(call, path),
        held=lambda: {each.path: each.body for each in call.documents.below(call.group) if each.type != DEPLOYMENTS},
        check=lambda kind, path, body: _check(call, kind, path, body),
        correlation=call.header("x-ms-correlation-request-id"),
    )


def _kept(call: Call) -> Document:
    resources.group(call)
    found = call.documents.get(_context(call).id)
    if found is None:
        told = f"Deployment '{call.names['deploymentName']}' could not be found."
        raise Problem(404, "DeploymentNotFound", told, target=call.path)
    return found


def _put(call: Call, kind: str, path: str, body: Mapping[str, Any]) -> None:
    """Make a resource as a PUT of it would, with the rights of who deploys."""
    inner = _inner(call, path, body)
    if not inner.caller.may(inner.operation.action, path):
        raise _not_allowed(call, inner.operation.action, path)
    _PUTS.get(kind.lower(), resources.put_part)(inner)


def _check(call: Call, kind: str, path: str, body: Mapping[str, Any]) -> Problem | None:
    """Return what is wrong with the shape of a resource."""
    inner = _inner(call, path, body)
    try:
        resources.refuse_faults(inner, resources.kind_of(kind), body)
    except Problem as problem:
        return problem
    return None


def _inner(call: Call, path: str, body: Mapping[str, Any]) -> Call:
    """Return the call that a PUT of the resource would have been."""
    found = match("PUT", path)
    if not isinstance(found, tuple):
        raise Problem(400, "InvalidResourceType", f"There is nothing to make at '{path[:300]}'.", target=path)
    operation, names = found
    headers = {name: value for name, value in call.headers.items() if not name.startswith("if-")}
    return replace(call, operation=operation, path=path, names=names, body=body, headers=headers)


def _remove(call: Call, path: str) -> None:
    action = "Microsoft.DataFactory/factories/delete"
    if not call.caller.may(action, path):
        raise _not_allowed(call, action, path)
    resources.refuse_started(call, path)
    call.documents.delete(path)


def _not_allowed(call: Call, action: str, path: str) -> Problem:
    told = f"The client '{call.caller.app_id}' may not perform action '{action}' over '{path}'."
    return Problem(403, "AuthorizationFailed", told, target=path)


def _readable(call: Call, path: str) -> Mapping[str, Any] | None:
    """Return what a template may refer to: nothing that who deploys may not read."""
    found = call.documents.get(path)
    if found is None or not call.caller.may(f"{'/'.join(_spelled(path))}/read", path):
        return None
    return found.body


def _spelled(path: str) -> list[str]:
    """Return the provider and the types in a resource id: what an action begins with."""
    parts = path.strip("/").split("/")
    at = len(parts) - parts[::-1].index("providers") if "providers" in parts else 0
    return [parts[at], *parts[at + 1 :: 2]] if at else ["Microsoft.Resources", "subscriptions", "resourceGroups"]
