"""Azure around the factories: clouds, subscriptions, providers, resource groups and what lies in them."""

from collections.abc import Mapping
from typing import Any

from manara.resources.published import FACTORIES, GROUPS, SUBSCRIPTION
from manara.server.answer import Answer, Problem, bad_request
from manara.server.arm.operations import FACTORY_OPERATIONS
from manara.server.arm.resources import group, refuse_started, shown_factory, shown_or_same
from manara.server.site import Call
from manara.store.documents import Document

TENANT = "72f988bf-0000-4000-8000-6d616e617261"
"""The one tenant of a server; clients may name any other, too."""

LOCATION = "local"
_PROVIDERS = {
    "Microsoft.DataFactory": ["factories", "factories/integrationRuntimes", "operations"],
    "Microsoft.Resources": ["subscriptions", "resourceGroups", "deployments"],
    "Microsoft.Authorization": ["roleAssignments", "roleDefinitions", "permissions"],
}


def metadata(call: Call) -> Answer:
    """Answer with the endpoints of this cloud: one object from 2022 on, as `az cloud register` wants it."""
    base = call.base
    told = {
        "name": "Manara",
        "portal": base,
        "authentication": {
            "loginEndpoint": base,
            "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": base,
        "media": base,
        "graphAudience": base,
        "graph": base,
        "gallery": base,
        "batch": base,
        "sqlManagement": base,
        "microsoftGraphResourceId": base,
        "activeDirectoryDataLake": base,
        "vmImageAliasDoc": base,
        "suffixes": {
            "storage": "core.windows.net",
            "keyVaultDns": "vault.azure.net",
            "sqlServerHostname": "database.windows.net",
            "acrLoginServer": "azurecr.io",
        },
    }
    return Answer(body=told if call.query.get("api-version", "") >= "2022" else [told])


def list_tenants(_call: Call) -> Answer:
    """Answer with the one tenant."""
    return Answer(body={"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT, "displayName": "Manara"}]})


def list_subscriptions(call: Call) -> Answer:
    """Answer with every subscription that holds a resource group which the caller may read, and our own."""
    held = {each.id.split("/")[2] for each in call.documents.of_type(GROUPS)} | {SUBSCRIPTION}
    action = "Microsoft.Resources/subscriptions/read"
    seen = [each for each in sorted(held) if call.caller.may(action, f"/subscriptions/{each}")]
    return Answer(body={"value": [_subscription(each) for each in seen]})


def get_subscription(call: Call) -> Answer:
    """Answer with a subscription; any id is one."""
    return Answer(body=_subscription(call.names["subscriptionId"]))


def list_locations(call: Call) -> Answer:
    """Answer with the one place where everything is."""
    within = call.path_of(3)
    shown = {"id": f"{within}/locations/{LOCATION}", "name": LOCATION, "displayName": "This machine"}
    return Answer(body={"value": [{**shown, "regionalDisplayName": "This machine", "metadata": {}}]})


def list_providers(call: Call) -> Answer:
    """Answer with the providers that there are here, all of them registered."""
    return Answer(body={"value": [_provider(call, name) for name in _PROVIDERS]})


def get_provider(call: Call) -> Answer:
    """Answer with one provider, or to its registration: it is registered."""
    wanted = call.names["resourceProviderNamespace"].lower()
    found = next((name for name in _PROVIDERS if name.lower() == wanted), None)
    if found is None:
        told = f"The resource namespace '{call.names['resourceProviderNamespace']}' is invalid."
        raise Problem(404, "InvalidResourceNamespace", told)
    return Answer(body=_provider(call, found))


def list_groups(call: Call) -> Answer:
    """Answer with the resource groups of a subscription that the caller may read."""
    found = call.may_see(
        call.documents.inside(call.path_of(3), GROUPS), "Microsoft.Resources/subscriptions/resourceGroups/read"
    )
    return Answer(body={"value": [shown_group(each) for each in found]})


def get_group(call: Call) -> Answer:
    """Answer with a resource group."""
    return shown_or_same(call, group(call), shown_group)


def has_group(call: Call) -> Answer:
    """Answer whether a resource group is there: 204 or 404, both without a body."""
    return Answer(status=204 if call.documents.get(call.group) else 404)


def put_group(call: Call) -> Answer:
    """Make a resource group, or replace its tags; 201 where it is new."""
    if not isinstance(call.body, Mapping) or not isinstance(call.body.get("location"), str):
        raise Problem(400, "LocationRequired", "The location property is required for this definition.")
    old = call.documents.get(call.group)
    if old and str(old.body.get("location")).lower() != call.body["location"].lower():
        told = (
            f"Invalid resource group location '{call.body['location']}'. The Resource group already exists in location "
            f"'{old.body.get('location')}'."
        )
        raise Problem(409, "InvalidResourceGroupLocation", told)
    body = {key: call.body[key] for key in ("location", "tags", "managedBy") if key in call.body}
    document = call.documents.put(old.path if old else call.group, GROUPS, call.path_of(3), body)
    return Answer(status=200 if old else 201, body=shown_group(document))


def patch_group(call: Call) -> Answer:
    """Change the tags of a resource group."""
    old = group(call)
    if not isinstance(call.body, Mapping):
        raise bad_request("The request's body must be a JSON object.")
    body = {**old.body, **{key: call.body[key] for key in ("tags", "managedBy") if key in call.body}}
    return Answer(body=shown_group(call.documents.put(old.path, GROUPS, call.path_of(3), body)))


def delete_group(call: Call) -> Answer:
    """Remove a resource group with everything in it; the answer says where to ask whether that is done."""
    if call.documents.get(call.group) is None:
        group(call)
    with call.documents.transaction():
        refuse_started(call, call.group)
        call.documents.delete(call.group)
    version = call.query.get("api-version", "")
    place = f"{call.base}{call.path_of(3)}/operationresults/{call.names['resourceGroupName']}?api-version={version}"
    return Answer(status=202, headers={"Location": place, "Retry-After": "0"})


def operation_result(_call: Call) -> Answer:
    """Answer that an operation is done: everything is done before its first answer."""
    return Answer(status=200)


def list_resources(call: Call) -> Answer:
    """Answer with the factories of a resource group or a subscription, as resources."""
    wanted = call.query.get("$filter", "").lower()
    within = f"{call.group if 'resourceGroupName' in call.names else call.path_of(3)}/".lower()
    found = [each for each in call.documents.of_type(FACTORIES) if each.id.startswith(within)]
    seen = call.may_see(found, "Microsoft.DataFactory/factories/read")
    kept = [each for each in seen if _fits(each, wanted)]
    keys = ("id", "name", "type", "location", "tags")
    return Answer(body={"value": [{key: shown_factory(each)[key] for key in keys} for each in kept]})


def list_operations(_call: Call) -> Answer:
    """Answer with the operations of the provider."""
    actions = sorted({each.action for each in FACTORY_OPERATIONS if each.action})
    shown = [
        {"name": each, "origin": "user,system", "display": {"provider": "Microsoft.DataFactory"}} for each in actions
    ]
    return Answer(body={"value": shown})


def feature_value(call: Call) -> Answer:
    """Answer that a feature of Azure's own portal is off."""
    asked = call.body if isinstance(call.body, Mapping) else {}
    return Answer(body={"featureName": str(asked.get("featureName") or ""), "value": "False"})


def feature_values(call: Call) -> Answer:
    """Answer that all features of Azure's own portal are off."""
    asked = call.body.get("exposureControlRequests") if isinstance(call.body, Mapping) else None
    names = [each.get("featureName") for each in asked if isinstance(each, Mapping)] if isinstance(asked, list) else []
    return Answer(body={"exposureControlResponses": [{"featureName": name, "value": "False"} for name in names]})


def not_here(call: Call) -> Answer:
    """Answer that an operation is not part of Manara."""
    verb = call.path.rpartition("/")[2] if call.operation.method == "POST" else call.operation.name
    told = f"The operation '{call.operation.method} {verb}' is not implemented by Manara."
    raise Problem(501, "NotImplemented", told, target=call.path)


def shown_group(document: Document) -> dict[str, Any]:
    """Return a resource group as Azure shows it."""
    return {
        "id": document.path,
        "name": document.name,
        "type": "Microsoft.Resources/resourceGroups",
        "location": document.body.get("location", LOCATION),
        "tags": document.body.get("tags") or {},
        "properties": {"provisioningState": "Succeeded"},
    }


def _subscription(name: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{name}",
        "subscriptionId": name,
        "tenantId": TENANT,
        "displayName": "Manara",
        "state": "Enabled",
        "subscriptionPolicies": {"locationPlacementId": "Public", "quotaId": "Manara", "spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
    }


def _provider(call: Call, name: str) -> dict[str, Any]:
    versions = {"Microsoft.DataFactory": ["2018-06-01"], "Microsoft.Authorization": ["2022-04-01"]}
    types = [
        {"resourceType": each, "locations": [LOCATION], "apiVersions": versions.get(name, ["2021-04-01"])}
        for each in _PROVIDERS[name]
    ]
    place = f"{call.path_of(3)}/providers/{name}"
    return {"id": place, "namespace": name, "registrationState": "Registered", "resourceTypes": types}


def _fits(document: Document, wanted: str) -> bool:
    """Say whether a factory fits a `$filter` of resourceGroup, resourceType and name, with `eq`, and `and` between."""
    facts = {"resourcegroup": document.id.split("/")[4], "resourcetype": FACTORIES, "name": document.name.lower()}
    for part in filter(None, wanted.split(" and ")):
        key, _, value = part.partition(" eq ")
        if key.strip() not in facts or facts[key.strip()] != value.strip().strip("'"):
            return False
    return True
