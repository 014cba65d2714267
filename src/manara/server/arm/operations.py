"""The operations of the management API as a table: the 104 of Azure Data Factory, and those of Azure around them."""

from manara.server.arm.routes import Operation, Routes

__all__ = ["AZURE_OPERATIONS", "FACTORY_OPERATIONS", "OPERATIONS", "Operation", "match"]

_SUBSCRIPTION = "/subscriptions/{subscriptionId}"
_GROUP = f"{_SUBSCRIPTION}/resourceGroups/{{resourceGroupName}}"
_LOCATION = f"{_SUBSCRIPTION}/providers/Microsoft.DataFactory/locations/{{locationId}}"
_F = f"{_GROUP}/providers/Microsoft.DataFactory/factories/{{factoryName}}"
_IR = f"{_F}/integrationRuntimes/{{integrationRuntimeName}}"
_NODE = f"{_IR}/nodes/{{nodeName}}"
_TRIGGER = f"{_F}/triggers/{{triggerName}}"
_RUN = f"{_F}/pipelineruns/{{runId}}"
_TRIGGER_RUN = f"{_TRIGGER}/triggerRuns/{{runId}}"
_CDC = f"{_F}/adfcdcs/{{changeDataCaptureName}}"
_NETWORK = f"{_F}/managedVirtualNetworks/{{managedVirtualNetworkName}}"
_ENDPOINT = f"{_NETWORK}/managedPrivateEndpoints/{{managedPrivateEndpointName}}"
_PRIVATE = f"{_F}/privateEndpointConnections/{{privateEndpointConnectionName}}"
_DEPLOYMENTS = f"{_GROUP}/providers/Microsoft.Resources/deployments"
_DEPLOYMENT = f"{_DEPLOYMENTS}/{{deploymentName}}"
_ROLES = "/{scope}/providers/Microsoft.Authorization"

_READING_POSTS = {
    "queryPipelineRuns",
    "queryActivityruns",
    "querytriggers",
    "queryTriggerRuns",
    "queryDataFlowDebugSessions",
    "getStatus",
    "monitoringData",
    "getFeatureValue",
    "queryFeaturesValue",
}
"""POSTs that only ask: who may read may send them."""

_VERBS = {"GET": "read", "HEAD": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"}


def _row(
    name: str, mark: str, method: str, path: str, *, pages: bool = False, waits: bool = False, action: str | None = None
) -> Operation:
    """Return a row; its action and its scope follow from the path, unless the action is told."""
    parts = path.strip("/").split("/")
    verb = parts[-1] if method == "POST" else ""
    scope = path.removesuffix(f"/{verb}") if verb else path
    if method in ("GET", "HEAD") and not parts[-1].startswith("{"):
        scope = scope.rpartition("/")[0].removesuffix("/providers/Microsoft.DataFactory")
        scope = scope.removesuffix("/providers/Microsoft.Resources").removesuffix("/providers/Microsoft.Authorization")
    told = _action(method, parts, verb) if action is None else action
    return Operation(
        name=name, mark=mark, method=method, path=path, action=told, scope=scope, pageable=pages, long_running=waits
    )


def _action(method: str, parts: list[str], verb: str) -> str:
    """Return `{provider}/{types}/{verb}`: what stands in the path after the last provider, without the names."""
    at = len(parts) - parts[::-1].index("providers") if "providers" in parts else 0
    types = [part for part in parts[at:] if not part.startswith("{")]
    owner = types if at else ["Microsoft.Resources", *types]
    if method != "POST":
        return "/".join([*owner, _VERBS[method]])
    return "/".join([*owner, "read" if verb in _READING_POSTS else "action"])


def _kind(
    group: str, mark: str, collection: str, item: str, *, delete: bool = True, listed: str = ""
) -> tuple[Operation, ...]:
    """Return the four rows that most kinds of resources have: get, create or update, delete, list."""
    kept = (_row(f"{group}_Delete", mark, "DELETE", f"{_F}/{collection}/{item}"),) if delete else ()
    return (
        _row(f"{group}_Get", mark, "GET", f"{_F}/{collection}/{item}"),
        _row(f"{group}_CreateOrUpdate", mark, "PUT", f"{_F}/{collection}/{item}"),
        *kept,
        _row(f"{listed or group}_ListByFactory", mark, "GET", f"{_F}/{collection}", pages=True),
    )


FACTORY_OPERATIONS: tuple[Operation, ...] = (
    _row("Operations_List", "F", "GET", "/providers/Microsoft.DataFactory/operations", pages=True),
    _row("Factories_Get", "E", "GET", _F),
    _row("Factories_CreateOrUpdate", "E", "PUT", _F),
    _row("Factories_Update", "E", "PATCH", _F),
    _row("Factories_Delete", "E", "DELETE", _F),
    _row(
        "Factories_ListByResourceGroup", "E", "GET", f"{_GROUP}/providers/Microsoft.DataFactory/factories", pages=True
    ),
    _row("Factories_List", "E", "GET", f"{_SUBSCRIPTION}/providers/Microsoft.DataFactory/factories", pages=True),
    _row("Factories_GetGitHubAccessToken", "N", "POST", f"{_F}/getGitHubAccessToken"),
    _row("Factories_GetDataPlaneAccess", "N", "POST", f"{_F}/getDataPlaneAccess"),
    _row("Factories_ConfigureFactoryRepo", "N", "POST", f"{_LOCATION}/configureFactoryRepo"),
    _row("ExposureControl_GetFeatureValueByFactory", "F", "POST", f"{_F}/getFeatureValue"),
    _row("ExposureControl_QueryFeatureValuesByFactory", "F", "POST", f"{_F}/queryFeaturesValue"),
    _row("ExposureControl_GetFeatureValue", "F", "POST", f"{_LOCATION}/getFeatureValue"),
    _row("PipelineRuns_QueryByFactory", "E", "POST", f"{_F}/queryPipelineRuns"),
    _row("PipelineRuns_Get", "E", "GET", _RUN),
    _row("PipelineRuns_Cancel", "E", "POST", f"{_RUN}/cancel"),
    _row("ActivityRuns_QueryByPipelineRun", "E", "POST", f"{_RUN}/queryActivityruns"),
    _row("Triggers_QueryByFactory", "E", "POST", f"{_F}/querytriggers"),
    *_kind("Triggers", "E", "triggers", "{triggerName}"),
    _row("Triggers_SubscribeToEvents", "E", "POST", f"{_TRIGGER}/subscribeToEvents", waits=True),
    _row("Triggers_GetEventSubscriptionStatus", "E", "POST", f"{_TRIGGER}/getEventSubscriptionStatus"),
    _row("Triggers_UnsubscribeFromEvents", "E", "POST", f"{_TRIGGER}/unsubscribeFromEvents", waits=True),
    _row("Triggers_Start", "E", "POST", f"{_TRIGGER}/start", waits=True),
    _row("Triggers_Stop", "E", "POST", f"{_TRIGGER}/stop", waits=True),
    _row("TriggerRuns_QueryByFactory", "E", "POST", f"{_F}/queryTriggerRuns"),
    _row("TriggerRuns_Rerun", "E", "POST", f"{_TRIGGER_RUN}/rerun"),
    _row("TriggerRuns_Cancel", "E", "POST", f"{_TRIGGER_RUN}/cancel"),
    _row("DataFlowDebugSession_Create", "S", "POST", f"{_F}/createDataFlowDebugSession", waits=True),
    _row("DataFlowDebugSession_QueryByFactory", "S", "POST", f"{_F}/queryDataFlowDebugSessions", pages=True),
    _row("DataFlowDebugSession_AddDataFlow", "S", "POST", f"{_F}/addDataFlowToDebugSession"),
    _row("DataFlowDebugSession_Delete", "S", "POST", f"{_F}/deleteDataFlowDebugSession"),
    _row("DataFlowDebugSession_ExecuteCommand", "S", "POST", f"{_F}/executeDataFlowDebugCommand", waits=True),
    _row("PrivateLinkResources_Get", "N", "GET", f"{_F}/privateLinkResources"),
    *_kind("IntegrationRuntimes", "E", "integrationRuntimes", "{integrationRuntimeName}"),
    _row("IntegrationRuntimes_Update", "S", "PATCH", _IR),
    _row("IntegrationRuntimes_GetStatus", "E", "POST", f"{_IR}/getStatus"),
    _row(
        "IntegrationRuntimes_ListOutboundNetworkDependenciesEndpoints",
        "N",
        "GET",
        f"{_IR}/outboundNetworkDependenciesEndpoints",
    ),
    _row("IntegrationRuntimes_GetConnectionInfo", "S", "POST", f"{_IR}/getConnectionInfo"),
    _row("IntegrationRuntimes_RegenerateAuthKey", "S", "POST", f"{_IR}/regenerateAuthKey"),
    _row("IntegrationRuntimes_ListAuthKeys", "S", "POST", f"{_IR}/listAuthKeys"),
    _row("IntegrationRuntimes_Start", "N", "POST", f"{_IR}/start", waits=True),
    _row("IntegrationRuntimes_Stop", "N", "POST", f"{_IR}/stop", waits=True),
    _row("IntegrationRuntimes_SyncCredentials", "N", "POST", f"{_IR}/syncCredentials"),
    _row("IntegrationRuntimes_GetMonitoringData", "S", "POST", f"{_IR}/monitoringData"),
    _row("IntegrationRuntimes_Upgrade", "N", "POST", f"{_IR}/upgrade"),
    _row("IntegrationRuntimes_RemoveLinks", "N", "POST", f"{_IR}/removeLinks"),
    _row("IntegrationRuntimes_CreateLinkedIntegrationRuntime", "N", "POST", f"{_IR}/linkedIntegrationRuntime"),
    _row("IntegrationRuntimeObjectMetadata_Refresh", "N", "POST", f"{_IR}/refreshObjectMetadata", waits=True),
    _row("IntegrationRuntimeObjectMetadata_Get", "N", "POST", f"{_IR}/getObjectMetadata"),
    _row("IntegrationRuntimeNodes_Get", "S", "GET", _NODE),
    _row("IntegrationRuntimeNodes_Delete", "S", "DELETE", _NODE),
    _row("IntegrationRuntimeNodes_Update", "S", "PATCH", _NODE),
    _row("IntegrationRuntimeNodes_GetIpAddress", "S", "POST", f"{_NODE}/ipAddress"),
    _row("IntegrationRuntime_EnableInteractiveQuery", "N", "POST", f"{_IR}/enableInteractiveQuery", waits=True),
    _row("IntegrationRuntime_DisableInteractiveQuery", "N", "POST", f"{_IR}/disableInteractiveQuery", waits=True),
    *_kind("LinkedServices", "E", "linkedservices", "{linkedServiceName}"),
    *_kind("Datasets", "E", "datasets", "{datasetName}"),
    *_kind("Pipelines", "E", "pipelines", "{pipelineName}"),
    _row("Pipelines_CreateRun", "E", "POST", f"{_F}/pipelines/{{pipelineName}}/createRun"),
    *_kind("DataFlows", "E", "dataflows", "{dataFlowName}"),
    *_kind("ManagedVirtualNetworks", "S", "managedVirtualNetworks", "{managedVirtualNetworkName}", delete=False),
    _row("ManagedPrivateEndpoints_Get", "S", "GET", _ENDPOINT),
    _row("ManagedPrivateEndpoints_CreateOrUpdate", "S", "PUT", _ENDPOINT),
    _row("ManagedPrivateEndpoints_Delete", "S", "DELETE", _ENDPOINT),
    _row("ManagedPrivateEndpoints_ListByFactory", "S", "GET", f"{_NETWORK}/managedPrivateEndpoints", pages=True),
    *_kind("CredentialOperations", "S", "credentials", "{credentialName}"),
    *_kind(
        "PrivateEndpointConnection",
        "N",
        "privateEndpointConnections",
        "{privateEndpointConnectionName}",
        listed="PrivateEndPointConnections",
    ),
    *_kind("GlobalParameters", "E", "globalParameters", "{globalParameterName}"),
    *_kind("ChangeDataCapture", "N", "adfcdcs", "{changeDataCaptureName}"),
    _row("ChangeDataCapture_Start", "N", "POST", f"{_CDC}/start"),
    _row("ChangeDataCapture_Stop", "N", "POST", f"{_CDC}/stop"),
    _row("ChangeDataCapture_Status", "N", "GET", f"{_CDC}/status"),
)
"""Azure Data Factory's own operations, as azure-mgmt-datafactory has them."""

AZURE_OPERATIONS: tuple[Operation, ...] = (
    _row("Triggers_PostEvents", "E", "POST", f"{_TRIGGER}/events"),
    Operation(
        name="Metadata_Endpoints", mark="F", method="GET", path="/metadata/endpoints", action="", scope="", open=True
    ),
    _row("Tenants_List", "E", "GET", "/tenants", pages=True, action=""),
    _row("Subscriptions_List", "E", "GET", "/subscriptions", pages=True, action=""),
    _row("Subscriptions_Get", "E", "GET", _SUBSCRIPTION),
    _row("Subscriptions_ListLocations", "F", "GET", f"{_SUBSCRIPTION}/locations", pages=True),
    _row(
        "Providers_List",
        "F",
        "GET",
        f"{_SUBSCRIPTION}/providers",
        pages=True,
        action="Microsoft.Resources/subscriptions/providers/read",
    ),
    _row(
        "Providers_Get",
        "F",
        "GET",
        f"{_SUBSCRIPTION}/providers/{{resourceProviderNamespace}}",
        action="Microsoft.Resources/subscriptions/providers/read",
    ),
    _row(
        "Providers_Register",
        "F",
        "POST",
        f"{_SUBSCRIPTION}/providers/{{resourceProviderNamespace}}/register",
        action="Microsoft.DataFactory/register/action",
    ),
    _row("ResourceGroups_List", "E", "GET", f"{_SUBSCRIPTION}/resourceGroups", pages=True),
    _row("ResourceGroups_Get", "E", "GET", _GROUP),
    _row("ResourceGroups_CheckExistence", "E", "HEAD", _GROUP),
    _row("ResourceGroups_CreateOrUpdate", "E", "PUT", _GROUP),
    _row("ResourceGroups_Update", "E", "PATCH", _GROUP),
    _row("ResourceGroups_Delete", "E", "DELETE", _GROUP, waits=True),
    _row("ResourceGroups_ExportTemplate", "N", "POST", f"{_GROUP}/exportTemplate", waits=True),
    _row("Resources_List", "E", "GET", f"{_SUBSCRIPTION}/resources", pages=True),
    _row("Resources_ListByResourceGroup", "E", "GET", f"{_GROUP}/resources", pages=True),
    _row("Deployments_ListByResourceGroup", "E", "GET", _DEPLOYMENTS, pages=True),
    _row("Deployments_Get", "E", "GET", _DEPLOYMENT),
    _row("Deployments_CheckExistence", "E", "HEAD", _DEPLOYMENT),
    _row("Deployments_CreateOrUpdate", "E", "PUT", _DEPLOYMENT, waits=True),
    _row("Deployments_Delete", "E", "DELETE", _DEPLOYMENT, waits=True),
    _row("Deployments_Validate", "E", "POST", f"{_DEPLOYMENT}/validate", waits=True),
    _row("Deployments_WhatIf", "E", "POST", f"{_DEPLOYMENT}/whatIf", waits=True),
    _row("Deployments_Cancel", "E", "POST", f"{_DEPLOYMENT}/cancel"),
    _row("Deployments_ExportTemplate", "E", "POST", f"{_DEPLOYMENT}/exportTemplate"),
    _row("DeploymentOperations_List", "E", "GET", f"{_DEPLOYMENT}/operations", pages=True),
    _row("DeploymentOperations_Get", "E", "GET", f"{_DEPLOYMENT}/operations/{{operationId}}"),
    _row("OperationResults_Get", "E", "GET", f"{_SUBSCRIPTION}/operationresults/{{operationId}}", action=""),
    _row("FactoryOperationResults_Get", "E", "GET", f"{_LOCATION}/operationresults/{{operationId}}", action=""),
    _row("RoleAssignments_List", "E", "GET", f"{_ROLES}/roleAssignments", pages=True),
    _row("RoleAssignments_Get", "E", "GET", f"{_ROLES}/roleAssignments/{{roleAssignmentName}}"),
    _row("RoleAssignments_Create", "E", "PUT", f"{_ROLES}/roleAssignments/{{roleAssignmentName}}"),
    _row("RoleAssignments_Delete", "E", "DELETE", f"{_ROLES}/roleAssignments/{{roleAssignmentName}}"),
    _row("RoleDefinitions_List", "E", "GET", f"{_ROLES}/roleDefinitions", pages=True),
    _row("RoleDefinitions_Get", "E", "GET", f"{_ROLES}/roleDefinitions/{{roleDefinitionId}}"),
    _row("RoleDefinitions_CreateOrUpdate", "E", "PUT", f"{_ROLES}/roleDefinitions/{{roleDefinitionId}}"),
    _row("RoleDefinitions_Delete", "E", "DELETE", f"{_ROLES}/roleDefinitions/{{roleDefinitionId}}"),
    _row("Permissions_List", "E", "GET", f"{_ROLES}/permissions", pages=True),
)
"""The operations of Azure's resource manager that clients of a factory use, and one of our own: to post events."""

OPERATIONS: tuple[Operation, ...] = FACTORY_OPERATIONS + AZURE_OPERATIONS

match = Routes(OPERATIONS).match
