"""Which function answers which operation of the management API."""

from collections.abc import Callable

from manara.server.answer import Answer
from manara.server.arm import authorization, azure, debug, deploying, resources, runs, runtimes, triggers
from manara.server.arm.operations import OPERATIONS
from manara.server.site import Call

Handler = Callable[[Call], Answer]

_PARTS = (
    "Pipelines",
    "Datasets",
    "LinkedServices",
    "DataFlows",
    "CredentialOperations",
    "GlobalParameters",
    "Triggers",
)
_NETWORKS = ("ManagedVirtualNetworks", "ManagedPrivateEndpoints")

_OWN: dict[str, Handler] = {
    "Metadata_Endpoints": azure.metadata,
    "Tenants_List": azure.list_tenants,
    "Subscriptions_List": azure.list_subscriptions,
    "Subscriptions_Get": azure.get_subscription,
    "Subscriptions_ListLocations": azure.list_locations,
    "Providers_List": azure.list_providers,
    "Providers_Get": azure.get_provider,
    "Providers_Register": azure.get_provider,
    "ResourceGroups_List": azure.list_groups,
    "ResourceGroups_Get": azure.get_group,
    "ResourceGroups_CheckExistence": azure.has_group,
    "ResourceGroups_CreateOrUpdate": azure.put_group,
    "ResourceGroups_Update": azure.patch_group,
    "ResourceGroups_Delete": azure.delete_group,
    "Resources_List": azure.list_resources,
    "Resources_ListByResourceGroup": azure.list_resources,
    "OperationResults_Get": azure.operation_result,
    "FactoryOperationResults_Get": azure.operation_result,
    "Operations_List": azure.list_operations,
    "ExposureControl_GetFeatureValue": azure.feature_value,
    "ExposureControl_GetFeatureValueByFactory": azure.feature_value,
    "ExposureControl_QueryFeatureValuesByFactory": azure.feature_values,
    "Factories_Get": resources.get_factory,
    "Factories_CreateOrUpdate": resources.put_factory,
    "Factories_Update": resources.patch_factory,
    "Factories_Delete": resources.delete_factory,
    "Factories_List": resources.list_factories,
    "Factories_ListByResourceGroup": resources.list_factories,
    "Pipelines_CreateRun": runs.create_run,
    "PipelineRuns_Get": runs.get_run,
    "PipelineRuns_Cancel": runs.cancel_run,
    "PipelineRuns_QueryByFactory": runs.query_pipeline_runs,
    "ActivityRuns_QueryByPipelineRun": runs.query_activity_runs,
    "Triggers_QueryByFactory": triggers.query_triggers,
    "Triggers_Start": triggers.start,
    "Triggers_Stop": triggers.stop,
    "Triggers_PostEvents": triggers.post_events,
    "Triggers_SubscribeToEvents": triggers.subscribe,
    "Triggers_UnsubscribeFromEvents": triggers.unsubscribe,
    "Triggers_GetEventSubscriptionStatus": triggers.subscription,
    "TriggerRuns_QueryByFactory": triggers.query_runs,
    "TriggerRuns_Rerun": triggers.rerun,
    "TriggerRuns_Cancel": triggers.cancel,
    "DataFlowDebugSession_Create": debug.create,
    "DataFlowDebugSession_QueryByFactory": debug.query,
    "DataFlowDebugSession_AddDataFlow": debug.add,
    "DataFlowDebugSession_Delete": debug.delete,
    "DataFlowDebugSession_ExecuteCommand": debug.execute,
    "IntegrationRuntimes_Get": resources.get_part,
    "IntegrationRuntimes_CreateOrUpdate": runtimes.put_runtime,
    "IntegrationRuntimes_Delete": resources.delete_part,
    "IntegrationRuntimes_ListByFactory": resources.list_parts,
    "IntegrationRuntimes_Update": runtimes.patch_runtime,
    "IntegrationRuntimes_GetStatus": runtimes.runtime_status,
    "IntegrationRuntimes_GetConnectionInfo": runtimes.connection_info,
    "IntegrationRuntimes_ListAuthKeys": runtimes.list_keys,
    "IntegrationRuntimes_RegenerateAuthKey": runtimes.new_key,
    "IntegrationRuntimes_GetMonitoringData": runtimes.monitoring_data,
    "IntegrationRuntimeNodes_Get": runtimes.get_node,
    "IntegrationRuntimeNodes_Update": runtimes.patch_node,
    "IntegrationRuntimeNodes_Delete": runtimes.delete_node,
    "IntegrationRuntimeNodes_GetIpAddress": runtimes.node_address,
    "Deployments_ListByResourceGroup": deploying.list_deployments,
    "Deployments_Get": deploying.get_deployment,
    "Deployments_CheckExistence": deploying.has_deployment,
    "Deployments_CreateOrUpdate": deploying.put_deployment,
    "Deployments_Delete": deploying.delete_deployment,
    "Deployments_Validate": deploying.validate_deployment,
    "Deployments_WhatIf": deploying.what_if_deployment,
    "Deployments_Cancel": deploying.cancel_deployment,
    "Deployments_ExportTemplate": deploying.export_deployment,
    "DeploymentOperations_List": deploying.list_operations,
    "DeploymentOperations_Get": deploying.get_operation,
    "RoleAssignments_List": authorization.list_assignments,
    "RoleAssignments_Get": authorization.get_assignment,
    "RoleAssignments_Create": authorization.put_assignment,
    "RoleAssignments_Delete": authorization.delete_assignment,
    "RoleDefinitions_List": authorization.list_definitions,
    "RoleDefinitions_Get": authorization.get_definition,
    "RoleDefinitions_CreateOrUpdate": authorization.put_definition,
    "RoleDefinitions_Delete": authorization.delete_definition,
    "Permissions_List": authorization.list_permissions,
}
_PART_VERBS: dict[str, Handler] = {
    "Get": resources.get_part,
    "CreateOrUpdate": resources.put_part,
    "Delete": resources.delete_part,
    "ListByFactory": resources.list_parts,
}
_KINDS: dict[str, Handler] = {
    f"{kind}_{verb}": handler for kind in (*_PARTS, *_NETWORKS) for verb, handler in _PART_VERBS.items()
}

HANDLERS: dict[str, Handler] = {
    operation.name: azure.not_here if operation.mark == "N" else {**_KINDS, **_OWN}[operation.name]
    for operation in OPERATIONS
}
"""Every operation; one that has no function here keeps the server from starting."""
