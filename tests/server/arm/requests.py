"""Example requests of our own for every operation of the management API, in an order in which they can be sent.

Each says what it is answered with. Paths are spelled as Azure's various clients spell them. What an earlier answer
gave is filled into later paths: `{run}` is the id of the run that was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.server.arm.definitions import (
    COPY,
    CREDENTIAL,
    DATASETS,
    DEPLOY,
    ENDPOINT,
    FLOW,
    GLOBALS,
    GROUP,
    PIPELINES,
    RUNTIMES,
    SERVICES,
    TRIGGERS,
    reference,
)

Json = dict[str, Any]

SUBSCRIPTION = GROUP.partition("/resourceGroups")[0]
PROVIDER = f"{SUBSCRIPTION}/providers/Microsoft.DataFactory"
F = f"{GROUP}/providers/Microsoft.DataFactory/factories/North-Census"
ROLES = "providers/Microsoft.Authorization"
DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/census"
RUNTIME = f"{F}/integrationRuntimes/Office-Server"
NETWORK = f"{F}/managedVirtualNetworks/default"

PERSON = "5d9b2f0a-4c1e-4b7e-9f7c-2b1a6c3d4e5f"
ASSIGNMENT = "b1f2c3d4-0000-4000-8000-00000000a001"
DEFINITION = "b1f2c3d4-0000-4000-8000-00000000d001"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
NOBODY = "00000000-0000-4000-8000-00000000f00d"

TIMES = {"lastUpdatedAfter": "2020-01-01T00:00:00Z", "lastUpdatedBefore": "2100-01-01T00:00:00Z"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request: `keeps` names what of the answer is filled into later paths, `status` what it is answered with."""

    method: str
    path: str
    body: Any = None
    status: int = 200
    code: str = ""
    query: str = ""
    keeps: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path.replace(F, '').replace(GROUP, '').replace(SUBSCRIPTION, '')}"


def _puts(kind: str, held: Mapping[str, Json]) -> tuple[Example, ...]:
    return tuple(
        Example(method="PUT", path=f"{F}/{kind}/{name}", body={"properties": properties})
        for name, properties in held.items()
    )


def _reads(kind: str, name: str, within: str = F) -> tuple[Example, ...]:
    return (
        Example(method="GET", path=f"{within}/{kind}/{name}"),
        Example(method="GET", path=f"{within}/{kind}/nobody", status=404, code="NotFound"),
        Example(method="GET", path=f"{within}/{kind}"),
    )


def _gone(kind: str, name: str, within: str = F) -> tuple[Example, ...]:
    return (
        Example(method="DELETE", path=f"{within}/{kind}/{name}"),
        Example(method="DELETE", path=f"{within}/{kind}/{name}", status=204),
    )


def _posts(path: str, *verbs: str, status: int = 200, code: str = "", body: Any = None) -> tuple[Example, ...]:
    return tuple(Example(method="POST", path=f"{path}/{verb}", body=body, status=status, code=code) for verb in verbs)


def _not_here(method: str, *paths: str) -> tuple[Example, ...]:
    return tuple(Example(method=method, path=path, status=501, code="NotImplemented") for path in paths)


AZURE = (
    Example(method="GET", path="/metadata/endpoints"),
    Example(method="GET", path="/tenants"),
    Example(method="GET", path="/subscriptions"),
    Example(method="GET", path=SUBSCRIPTION),
    Example(method="GET", path=f"{SUBSCRIPTION}/locations"),
    Example(method="GET", path=f"{SUBSCRIPTION}/providers"),
    Example(method="GET", path=PROVIDER),
    Example(method="POST", path=f"{PROVIDER}/register"),
    Example(method="HEAD", path=GROUP, status=404),
    Example(method="GET", path=GROUP, status=404, code="ResourceGroupNotFound"),
    Example(method="PUT", path=F, body={"location": "westus"}, status=404, code="ResourceGroupNotFound"),
    Example(method="PUT", path=GROUP.lower(), body={"location": "westus"}, status=201),
    Example(method="PUT", path=GROUP.lower(), body={"location": "westus", "tags": {"a": "b"}}),
    Example(method="HEAD", path=GROUP, status=204),
    Example(method="PATCH", path=GROUP, body={"tags": {"a": "c"}}),
    Example(method="GET", path=GROUP),
    Example(method="GET", path=f"{SUBSCRIPTION}/resourcegroups"),
    *_not_here("POST", f"{GROUP}/exportTemplate"),
    Example(method="GET", path=f"{SUBSCRIPTION}/operationresults/any"),
    Example(method="GET", path=f"{PROVIDER}/locations/westus/operationresults/any"),
    Example(method="GET", path="/providers/Microsoft.DataFactory/operations"),
)
FACTORY = (
    Example(method="GET", path=F, status=404, code="ResourceNotFound"),
    Example(method="GET", path=f"{F}/pipelines/census", status=404, code="ResourceNotFound"),
    Example(method="PUT", path=F, body={"location": "westus", "properties": {"publicNetworkAccess": "Enabled"}}),
    Example(method="PUT", path=F.replace("DataFactory/", "DataFactory//"), body={"location": "westus"}),
    Example(method="PATCH", path=F, body={"tags": {"a": "b"}}),
    Example(method="GET", path=F),
    Example(method="GET", path=f"{GROUP}/providers/Microsoft.DataFactory/factories"),
    Example(method="GET", path=f"{PROVIDER}/factories"),
    Example(method="GET", path=f"{SUBSCRIPTION}/resources", query="$filter=resourceGroup eq 'Relief'"),
    Example(method="GET", path=f"{GROUP}/resources"),
    *_posts(F, "getFeatureValue", body={"featureName": "a", "featureType": "b"}),
    *_posts(F, "queryFeaturesValue", body={"exposureControlRequests": [{"featureName": "a", "featureType": "b"}]}),
    *_posts(f"{PROVIDER}/locations/westus", "getFeatureValue", body={"featureName": "a"}),
    *_not_here("POST", f"{F}/getGitHubAccessToken", f"{F}/getDataPlaneAccess"),
    *_not_here("POST", f"{PROVIDER}/locations/westus/configureFactoryRepo"),
    *_not_here("GET", f"{F}/privateLinkResources", f"{F}/privateEndPointConnections"),
    *_not_here("GET", f"{F}/privateEndpointConnections/a", f"{F}/adfcdcs", f"{F}/adfcdcs/a", f"{F}/adfcdcs/a/status"),
    *_not_here("PUT", f"{F}/privateEndpointConnections/a", f"{F}/adfcdcs/a"),
    *_not_here("DELETE", f"{F}/privateEndpointConnections/a", f"{F}/adfcdcs/a"),
    *_not_here("POST", f"{F}/adfcdcs/a/start", f"{F}/adfcdcs/a/stop"),
)
SELF_HOSTED = (
    *_puts("integrationRuntimes", RUNTIMES),
    *_reads("integrationruntimes", "Office-Server"),
    Example(method="PATCH", path=RUNTIME, body={"autoUpdate": "Off", "updateDelayOffset": "PT3H"}),
    *_posts(RUNTIME, "getStatus", "getConnectionInfo", "listAuthKeys", "monitoringData"),
    *_posts(RUNTIME, "regenerateAuthKey", body={"keyName": "authKey1"}),
    *_posts(RUNTIME, "regenerateAuthKey", body={"keyName": "third"}, status=400, code="BadRequest"),
    *_posts(f"{RUNTIME}/nodes/nobody", "ipAddress", status=404, code="IntegrationRuntimeNodeNotFound"),
    Example(method="GET", path=f"{RUNTIME}/nodes/nobody", status=404, code="IntegrationRuntimeNodeNotFound"),
    Example(
        method="PATCH",
        path=f"{RUNTIME}/nodes/nobody",
        body={"concurrentJobsLimit": 2},
        status=404,
        code="IntegrationRuntimeNodeNotFound",
    ),
    Example(method="DELETE", path=f"{RUNTIME}/nodes/nobody", status=204),
    *_not_here("GET", f"{RUNTIME}/outboundNetworkDependenciesEndpoints"),
    *_posts(
        RUNTIME,
        "start",
        "stop",
        "syncCredentials",
        "upgrade",
        "removeLinks",
        "linkedIntegrationRuntime",
        "refreshObjectMetadata",
        "getObjectMetadata",
        "enableInteractiveQuery",
        "disableInteractiveQuery",
        status=501,
        code="NotImplemented",
    ),
)
PARTS = (
    *_puts("linkedServices", SERVICES),
    *_reads("linkedservices", "warehouse"),
    *_puts("datasets", DATASETS),
    *_reads("datasets", "inbox"),
    *_puts("pipelines", PIPELINES),
    *_reads("pipelines", "census"),
    Example(
        method="PUT",
        path=f"{F}/pipelines/lost",
        body={"properties": {"activities": [{**COPY, "inputs": [reference("nowhere", "Dataset")]}]}},
        status=400,
        code="BadRequest",
    ),
    Example(method="PUT", path=f"{F}/linkedservices/none", body={"properties": {}}, status=400, code="BadRequest"),
    *_puts("dataflows", {"households": FLOW}),
    *_reads("dataflows", "households"),
    *_puts("managedVirtualNetworks", {"default": {}}),
    *_reads("managedVirtualNetworks", "default"),
    *_puts("managedVirtualNetworks/default/managedPrivateEndpoints", {"store": ENDPOINT}),
    *_reads("managedPrivateEndpoints", "store", NETWORK),
    *_puts("credentials", {"loader": CREDENTIAL}),
    *_reads("credentials", "loader"),
    *_puts("globalParameters", {"default": GLOBALS}),
    *_reads("globalParameters", "default"),
)
RUNS = (
    *_posts(f"{F}/pipelines/nowhere", "createRun", status=404, code="NotFound"),
    Example(method="POST", path=f"{F}/pipelines/wait/createRun", body={"seconds": 1}, keeps={"run": "runId"}),
    Example(method="POST", path=f"{F}/pipelines/wait/createRun"),
    Example(
        method="POST", path=f"{F}/pipelines/wait/createRun", body={"seconds": "soon"}, status=400, code="BadRequest"
    ),
    Example(method="GET", path=f"{F}/pipelineruns/{{run}}"),
    Example(
        method="POST",
        path=f"{F}/queryPipelineRuns",
        body={
            **TIMES,
            "filters": [{"operand": "PipelineName", "operator": "Equals", "values": ["wait"]}],
            "orderBy": [{"orderBy": "RunStart", "order": "DESC"}],
        },
    ),
    *_posts(F, "queryPipelineRuns", body={"filters": "all"}, status=400, code="BadRequest"),
    *_posts(f"{F}/pipelineruns/{{run}}", "queryActivityruns", body=TIMES),
    Example(method="POST", path=f"{F}/pipelineruns/{{run}}/cancel", query="isRecursive=true"),
    *_posts(f"{F}/pipelineruns/{NOBODY}", "cancel", status=400, code="ReferencedPipelineRunNotFound"),
)
FIRED = (
    *_puts("triggers", TRIGGERS),
    *_reads("triggers", "daily"),
    *_posts(F, "querytriggers", body={}),
    *_posts(f"{F}/triggers/daily", "start", "stop"),
    *_posts(f"{F}/triggers/arrivals", "subscribeToEvents", "getEventSubscriptionStatus", "unsubscribeFromEvents"),
    *_posts(f"{F}/triggers/daily", "subscribeToEvents", status=400, code="BadRequest"),
    *_posts(f"{F}/triggers/daily", "events", body={"id": "1"}, status=400, code="BadRequest"),
    *_posts(F, "queryTriggerRuns", body=TIMES),
    *_posts(f"{F}/triggers/windows/triggerRuns/{NOBODY}", "rerun", "cancel", status=404, code="TriggerRunNotFound"),
)
SESSIONS = (
    Example(
        method="POST",
        path=f"{F}/createDataFlowDebugSession",
        body={"computeType": "General", "coreCount": 8, "timeToLive": 60},
        keeps={"session": "sessionId"},
    ),
    *_posts(F, "queryDataFlowDebugSessions"),
    *_posts(
        F, "addDataFlowToDebugSession", body={"sessionId": "{session}", "dataFlow": {"name": "a", "properties": FLOW}}
    ),
    *_posts(
        F,
        "executeDataFlowDebugCommand",
        body={"sessionId": "{session}", "command": "executePreviewQuery", "commandPayload": {"streamName": "a"}},
        status=501,
        code="NotImplemented",
    ),
    *_posts(F, "deleteDataFlowDebugSession", body={"sessionId": "{session}"}),
)
RIGHTS = (
    Example(
        method="PUT",
        path=f"{F}/{ROLES}/roleAssignments/{ASSIGNMENT}",
        body={
            "properties": {
                "roleDefinitionId": f"{SUBSCRIPTION}/{ROLES}/roleDefinitions/{READER}",
                "principalId": PERSON,
                "principalType": "ServicePrincipal",
            }
        },
        status=201,
    ),
    Example(method="GET", path=f"{F}/{ROLES}/roleAssignments/{ASSIGNMENT}"),
    Example(method="GET", path=f"{GROUP}/{ROLES}/roleAssignments"),
    Example(method="DELETE", path=f"{F}/{ROLES}/roleAssignments/{ASSIGNMENT}"),
    Example(
        method="PUT",
        path=f"{SUBSCRIPTION}/{ROLES}/roleDefinitions/{DEFINITION}",
        body={
            "properties": {
                "roleName": "Run starter",
                "description": "Starts pipelines",
                "type": "CustomRole",
                "permissions": [{"actions": ["Microsoft.DataFactory/factories/pipelines/createRun/action"]}],
                "assignableScopes": [SUBSCRIPTION],
            }
        },
        status=201,
    ),
    Example(method="GET", path=f"{SUBSCRIPTION}/{ROLES}/roleDefinitions/{DEFINITION}"),
    Example(method="GET", path=f"{SUBSCRIPTION}/{ROLES}/roleDefinitions"),
    Example(method="DELETE", path=f"{SUBSCRIPTION}/{ROLES}/roleDefinitions/{DEFINITION}"),
    Example(method="GET", path=f"{F}/{ROLES}/permissions"),
)
DEPLOYED = (
    *_posts(DEPLOYMENT, "validate", "whatIf", body=DEPLOY),
    Example(method="HEAD", path=DEPLOYMENT, status=404),
    Example(method="PUT", path=DEPLOYMENT, body=DEPLOY, status=201),
    Example(method="HEAD", path=DEPLOYMENT, status=204),
    Example(method="GET", path=DEPLOYMENT),
    Example(method="GET", path=DEPLOYMENT.rpartition("/")[0]),
    Example(method="GET", path=f"{DEPLOYMENT}/operations", keeps={"step": "value.0.operationId"}),
    Example(method="GET", path=f"{DEPLOYMENT}/operations/{{step}}"),
    *_posts(DEPLOYMENT, "exportTemplate"),
    *_posts(DEPLOYMENT, "cancel", status=409, code="DeploymentCannotBeCancelled"),
    Example(method="GET", path=f"{F}/pipelines/deployed"),
    Example(method="DELETE", path=DEPLOYMENT, status=204),
)
REMOVED = (
    Example(method="DELETE", path=f"{F}/linkedservices/store", status=400, code="BadRequest"),
    *(each for name in TRIGGERS for each in _gone("triggers", name)),
    *_gone("dataflows", "households"),
    *_gone("pipelines", "census"),
    *_gone("datasets", "inbox"),
    *_gone("linkedservices", "service"),
    *_gone("credentials", "loader"),
    *_gone("globalParameters", "default"),
    *_gone("managedPrivateEndpoints", "store", NETWORK),
    *_gone("integrationRuntimes", "Office-Server"),
    Example(method="DELETE", path=F),
    Example(method="DELETE", path=F, status=204),
    Example(method="DELETE", path=GROUP, status=202),
    Example(method="DELETE", path=GROUP, status=404, code="ResourceGroupNotFound"),
)
EXAMPLES: tuple[Example, ...] = (
    *AZURE,
    *FACTORY,
    *SELF_HOSTED,
    *PARTS,
    *RUNS,
    *FIRED,
    *SESSIONS,
    *RIGHTS,
    *DEPLOYED,
    *REMOVED,
)
"""All of them, in order: what comes later may need what came before."""
