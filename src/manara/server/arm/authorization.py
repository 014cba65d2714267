"""Role assignments and role definitions over the API: on a subscription, a resource group or any resource."""

import re
from collections.abc import Mapping
from typing import Any

from manara.server.answer import Answer, Problem, bad_request
from manara.server.identity import roles
from manara.server.identity.rbac import ROOT, Role, effective, is_within
from manara.server.site import Call
from manara.store.documents import Document

_FILTER = re.compile(r"\s*(\w+)\s+eq\s+'([^']*)'\s*|\s*(\w+)\('([^']*)'\)\s*|\s*(\w+)\(\)\s*")


def list_assignments(call: Call) -> Answer:
    """Answer with the assignments at a scope and above it; `$filter` may ask for those of one principal, or below."""
    scope = call.names["scope"] or ROOT
    facts = _filter(call)
    found = [each for each in call.documents.of_type(roles.ASSIGNMENTS) if _reaches(each, scope, facts)]
    wanted = facts.get("principalId") or facts.get("assignedTo")
    kept = [each for each in found if not wanted or each.body["properties"]["principalId"] == wanted]
    return Answer(body={"value": [roles.shown(each) for each in kept]})


def get_assignment(call: Call) -> Answer:
    """Answer with an assignment."""
    return Answer(body=roles.shown(_kept(call, roles.ASSIGNMENTS, "role assignment", "RoleAssignmentNotFound")))


def put_assignment(call: Call) -> Answer:
    """Give a principal a role at the scope."""
    document = roles.put_assignment(call.documents, call.path, _properties(call), call.caller.object_id)
    return Answer(status=201, body=roles.shown(document))


def delete_assignment(call: Call) -> Answer:
    """Take a role away; the answer shows what it was."""
    found = call.documents.get(call.path)
    if found is None:
        return Answer(status=204)
    call.documents.delete(call.path)
    return Answer(body=roles.shown(found))


def list_definitions(call: Call) -> Answer:
    """Answer with the roles that can be assigned at a scope; `$filter` may ask for one by its `roleName`."""
    scope = call.names["scope"] or ROOT
    facts = _filter(call)
    known = roles.read_rights(call.documents).roles.values()
    found = [
        role for role in known if any(is_within(scope, limit) for limit in role.scopes) and _is_wanted(role, facts)
    ]
    return Answer(body={"value": [roles.shown_role(role, scope) for role in found]})


def get_definition(call: Call) -> Answer:
    """Answer with a role, built in or custom."""
    role = roles.read_rights(call.documents).roles.get(call.names["roleDefinitionId"].lower())
    if role is None:
        raise _no_role(call)
    return Answer(body=roles.shown_role(role, call.names["scope"]))


def put_definition(call: Call) -> Answer:
    """Make or change a custom role."""
    document = roles.put_definition(call.documents, call.path, _properties(call), call.caller.object_id)
    return Answer(status=201, body=roles.shown(document))


def delete_definition(call: Call) -> Answer:
    """Remove a custom role that nobody has; the answer shows what it was."""
    found = call.documents.get(call.path)
    if found is None:
        return Answer(status=204)
    roles.remove_definition(call.documents, call.path)
    return Answer(body=roles.shown(found))


def list_permissions(call: Call) -> Answer:
    """Answer with what the caller may do on the scope."""
    rights = roles.read_rights(call.documents)
    own = effective([call.caller.object_id], call.names["scope"] or ROOT, rights.assignments, rights.roles)
    return Answer(body={"value": [roles.permission_json(each) for each in own]})


def _kept(call: Call, kind: str, words: str, code: str) -> Document:
    found = call.documents.get(call.path)
    if found is None or found.type != kind:
        raise Problem(404, code, f"The {words} '{call.path.rpartition('/')[2]}' is not found.", target=call.path)
    return found


def _no_role(call: Call) -> Problem:
    told = f"The specified role definition with ID '{call.names['roleDefinitionId']}' does not exist."
    return Problem(404, "RoleDefinitionDoesNotExist", told, target=call.path)


def _properties(call: Call) -> Mapping[str, Any]:
    properties = call.body.get("properties") if isinstance(call.body, Mapping) else None
    if not isinstance(properties, Mapping):
        raise bad_request('The request\'s body must be {"properties": {...}}.', target=call.path)
    return properties


def _filter(call: Call) -> dict[str, str]:
    """Return what a `$filter` asks for: `name eq 'value'`, `assignedTo('id')` or `atScope()`, with `and` between."""
    text = call.query.get("$filter", "")
    facts = {}
    for part in re.split(r"\s+and\s+", text) if text else ():
        found = _FILTER.fullmatch(part)
        if found is None:
            raise bad_request(f"The filter '{text[:200]}' is not understood.")
        facts[found[1] or found[3] or found[5]] = found[2] or found[4] or ""
    return facts


def _reaches(document: Document, scope: str, facts: Mapping[str, str]) -> bool:
    """Say whether an assignment is at the scope or above, or below it where the filter does not say `atScope()`."""
    own = roles.assignment_of(document).scope
    return is_within(scope, own) or ("atScope" not in facts and is_within(own, scope))


def _is_wanted(role: Role, facts: Mapping[str, str]) -> bool:
    name, kind = facts.get("roleName"), facts.get("type")
    is_kind = kind is None or (kind.lower() == "customrole") == role.is_custom
    return is_kind and (name is None or role.name.lower() == name.lower())
