"""Resource groups, factories and what lies in them: read, written and removed as Azure does it."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from manara import clock
from manara.errors import Fault
from manara.resources.factory import made_factory
from manara.resources.model import KINDS
from manara.resources.published import FACTORIES, SEGMENTS
from manara.resources.schema.check import check_body
from manara.resources.schema.secrets import masked_as_azure, merged_secrets
from manara.server.answer import Answer, Problem, bad_request, not_found
from manara.server.arm.references import missing_reference, used_by
from manara.server.site import Call
from manara.store.documents import ANY, Changed, Document, tags
from manara.store.firings import trigger_state

PAGE = 100
TYPES = {segment: f"{FACTORIES}/{segment}" for segment in SEGMENTS} | {
    "globalparameters": f"{FACTORIES}/globalparameters",
    "managedprivateendpoints": f"{FACTORIES}/managedvirtualnetworks/managedprivateendpoints",
}
_KINDS = {**SEGMENTS, "globalparameters": "globalParameter", "managedprivateendpoints": "managedPrivateEndpoint"}


def group(call: Call) -> Document:
    """Return the resource group that the path lies in. Raises Problem where there is none."""
    found = call.documents.get(call.group)
    if found is None:
        name = call.names["resourceGroupName"]
        raise Problem(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return found


def factory(call: Call) -> Document:
    """Return the factory that the path lies in, or is. Raises Problem where it, or its group, is not there."""
    found = call.documents.get(call.factory)
    if found is None:
        group(call)
        raise no_factory(call)
    return found


def no_factory(call: Call) -> Problem:
    """Return the answer where the factory is not there."""
    name, within = call.names["factoryName"], call.names["resourceGroupName"]
    told = (
        f"The Resource '{FACTORIES_SHOWN}/{name}' under resource group '{within}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    return Problem(404, "ResourceNotFound", told)


FACTORIES_SHOWN = "Microsoft.DataFactory/factories"


def get_factory(call: Call) -> Answer:
    """Answer with a factory; 304 where the client has it already."""
    return shown_or_same(call, factory(call), shown_factory)


def put_factory(call: Call) -> Answer:
    """Make a factory, or replace its own properties; what lies in it stays."""
    group(call)
    body = _object(call)
    refuse_faults(call, "factory", body)
    old = call.documents.get(call.path)
    told = {"location": "local", **body, "properties": dict(body.get("properties") or {})}
    return Answer(body=shown_factory(_put(call, FACTORIES, call.group, told, old)))


def patch_factory(call: Call) -> Answer:
    """Change a factory's tags, identity or properties."""
    old = factory(call)
    told = dict(old.body)
    for key in ("tags", "identity"):
        if key in _object(call):
            told[key] = call.body[key]
    if isinstance(call.body.get("properties"), Mapping):
        told["properties"] = {**told["properties"], **call.body["properties"]}
    return Answer(body=shown_factory(_put(call, FACTORIES, call.group, told, old)))


def delete_factory(call: Call) -> Answer:
    """Remove a factory with everything in it; its runs stay."""
    with call.documents.transaction():
        refuse_started(call, call.path)
        gone = call.documents.delete(call.path)
    return Answer(status=200 if gone else 204)


def list_factories(call: Call) -> Answer:
    """Answer with the factories of a resource group, or of a subscription, that the caller may see."""
    if "resourceGroupName" in call.names:
        group(call)
        found = call.documents.inside(call.group, FACTORIES)
    else:
        found = [
            each for each in call.documents.of_type(FACTORIES) if each.id.startswith(f"{call.path_of(3).lower()}/")
        ]
    seen = call.may_see(found, f"{FACTORIES_SHOWN}/read")
    return Answer(body={"value": [shown_factory(each) for each in seen]})


def get_part(call: Call) -> Answer:
    """Answer with a pipeline, a dataset or another part of a factory."""
    factory(call)
    found = call.documents.get(call.path)
    if found is None:
        raise not_found(call.path)
    return shown_or_same(call, found, lambda document: shown_part(call, document))


def put_part(call: Call) -> Answer:
    """Make or replace a part of a factory.

    Its shape is checked by its type, and what it names must be there; secrets that come back as stars stay as they
    were. A started trigger must be stopped first.
    """
    within = parent(call)
    kind = _KINDS[_segment(call)]
    body = _object(call)
    refuse_faults(call, kind, body)
    with call.documents.transaction():
        old = call.documents.get(call.path)
        if kind == "trigger":
            refuse_started(call, call.path)
        told = {key: value for key, value in body.items() if key in ("properties",)}
        merged = merged_secrets(old.body if old else {}, told)
        if missing := missing_reference(call, kind, merged):
            name = f"'{missing}'"
            told_missing = f"The document creation or update failed because of invalid reference {name}."
            raise bad_request(told_missing, target=call.path)
        document = _put(call, TYPES[_segment(call)], within, merged, old)
    call.site.wake()
    return Answer(body=shown_part(call, document))


def delete_part(call: Call) -> Answer:
    """Remove a part of a factory, unless another part names it."""
    factory(call)
    with call.documents.transaction():
        if call.documents.get(call.path) is None:
            return Answer(status=204)
        refuse_started(call, call.path)
        if user := used_by(call):
            told = f"The document cannot be deleted since it is referenced by {user}."
            raise bad_request(told, target=call.path)
        call.documents.delete(call.path)
    return Answer(status=200)


def list_parts(call: Call) -> Answer:
    """Answer with a page of the parts of one kind, with `nextLink` where there are more."""
    within = parent(call)
    after = call.query.get("$skiptoken", "")
    found = call.documents.inside(within, TYPES[_segment(call)], after=after.lower(), most=PAGE + 1)
    body: dict[str, Any] = {"value": [shown_part(call, each) for each in found[:PAGE]]}
    if len(found) > PAGE:
        version = call.query.get("api-version", "")
        body["nextLink"] = (
            f"{call.base}{call.path}?api-version={version}&$skiptoken={quote(found[PAGE - 1].id, safe='')}"
        )
    return Answer(body=body)


def parent(call: Call) -> str:
    """Return the id of what the path lies in: the factory, or a part of it. Raises Problem where it is not there."""
    found = factory(call)
    segment = _segment(call)
    if segment != "managedprivateendpoints":
        return found.path
    within = call.path_of(11)
    if call.documents.get(within) is None:
        raise not_found(within)
    return within


def shown_factory(document: Document) -> dict[str, Any]:
    """Return a factory as Azure shows it."""
    own = dict(document.body)
    properties = {
        **own.pop("properties", {}),
        "provisioningState": "Succeeded",
        "createTime": clock.stamp(document.created),
        "version": "2018-06-01",
    }
    return {
        "name": document.name,
        "id": document.path,
        "type": "Microsoft.DataFactory/factories",
        "properties": masked_as_azure("factory", {"properties": properties})["properties"],
        "eTag": f'"{document.etag}"',
        "location": own.pop("location", "local"),
        "tags": own.pop("tags", None) or {},
        **{key: value for key, value in own.items() if key == "identity"},
    }


def shown_part(call: Call, document: Document) -> dict[str, Any]:
    """Return a part of a factory as Azure shows it: without its secrets, with its etag and what the service adds."""
    segment = document.type.rpartition("/")[2]
    properties = dict(masked_as_azure(_KINDS[segment], document.body).get("properties") or {})
    if segment == "pipelines":
        properties.setdefault("lastPublishTime", clock.stamp(document.changed))
    if segment == "triggers":
        state = trigger_state(call.site.journal, document.id)
        properties["runtimeState"] = state.state if state else "Stopped"
    kinds = document.path.split("/")[8:]
    return {
        "id": document.path,
        "name": document.name,
        "type": f"Microsoft.DataFactory/factories/{'/'.join(kinds[1::2])}",
        "properties": properties,
        "etag": document.etag,
    }


def shown_or_same(call: Call, document: Document, show: Callable[[Document], dict[str, Any]]) -> Answer:
    """Return the document as an answer, or 304 where the header If-None-Match names it."""
    headers = {"ETag": f'"{document.etag}"'}
    if tags(call.header("if-none-match")) & {ANY, document.etag}:
        return Answer(status=304, headers=headers)
    return Answer(body=show(document), headers=headers)


def kind_of(kind: str) -> str:
    """Return what a type of Azure's (`microsoft.datafactory/factories/pipelines`) is a kind of here (`pipeline`)."""
    return "factory" if kind.lower() == FACTORIES else _KINDS[kind.lower().rpartition("/")[2]]


def refuse_faults(call: Call, kind: str, body: Mapping[str, Any]) -> None:
    """Raise Problem with everything that is wrong with the shape of a body."""
    faults = check_body(kind, body, known=call.site.known(), client=call.header("user-agent"))
    faults = faults or [*shape_of(kind, call.path.rpartition("/")[2], body)]
    if faults:
        details = [{"code": "BadRequest", "message": str(fault), "target": fault.path} for fault in faults]
        told = " ".join(str(fault) for fault in faults[:5])
        raise Problem(400, "BadRequest", told, target=call.path, details=details)


def shape_of(kind: str, name: str, body: Mapping[str, Any]) -> Sequence[Fault]:
    """Return what keeps a body from being read as a definition by those who run it."""
    if kind not in KINDS or kind == "factory":
        return ()
    file = f"{kind}/{name}.json"
    return made_factory(Path(), {file: json.dumps({**body, "name": name})}, local={}, more={}).faults


def refuse_started(call: Call, path: str) -> None:
    """Raise Problem where the trigger under the path, or one inside it, is started."""
    for document in call.documents.below(path):
        if document.type == TYPES["triggers"]:
            state = trigger_state(call.site.journal, document.id)
            if state and state.state == "Started":
                told = f"Cannot update enabled Trigger; the trigger needs to be disabled first: '{document.name}'."
                raise Problem(400, "TriggerEnabledCannotUpdate", told, target=document.path)


def _put(call: Call, kind: str, within: str, body: Mapping[str, Any], old: Document | None) -> Document:
    try:
        return call.documents.put(
            old.path if old else call.path,
            kind,
            within,
            body,
            if_match=call.header("if-match"),
            if_none_match=call.header("if-none-match"),
        )
    except Changed as error:
        raise Problem(412, "PreconditionFailed", str(error), target=call.path) from error


def _object(call: Call) -> Mapping[str, Any]:
    if not isinstance(call.body, Mapping):
        raise bad_request("The request's body must be a JSON object.", target=call.path)
    if len(json.dumps(call.body)) > MOST_BYTES:
        raise Problem(413, "RequestEntityTooLarge", f"A definition has at most {MOST_BYTES:,} bytes.", target=call.path)
    return call.body


MOST_BYTES = 16 * 2**20


def _segment(call: Call) -> str:
    parts = call.path.lower().split("/")[9:]
    return parts[(len(parts) - 1) // 2 * 2]
