"""Definitions of our own, of every kind that a factory holds: the bodies of the example requests."""

from typing import Any

Json = dict[str, Any]

GROUP = "/subscriptions/2f4a9f0e-8a55-4f1b-9c3a-0c5d7e1b2a10/resourceGroups/Relief"
SECRET = "fr0m-n0b0dys-vault"  # noqa: S105 # of nobody


def reference(name: str, kind: str, **more: Any) -> Json:
    """Return a reference to another resource."""
    return {"referenceName": name, "type": f"{kind}Reference", **more}


def activity(name: str, kind: str, /, **more: Any) -> Json:
    """Return an activity; what is not one of its own properties goes into the typeProperties."""
    own = (
        "dependsOn",
        "policy",
        "inputs",
        "outputs",
        "linkedServiceName",
        "state",
        "onInactiveMarkAs",
        "userProperties",
    )
    beside = {key: more.pop(key) for key in own if key in more}
    return {"name": name, "type": kind, **beside, "typeProperties": more}


def computed(text: str) -> Json:
    """Return an expression."""
    return {"value": text, "type": "Expression"}


SERVICES: dict[str, Json] = {
    "store": {
        "type": "AzureStorage",
        "typeProperties": {"connectionString": {"type": "SecureString", "value": f"AccountName=a;AccountKey={SECRET}"}},
    },
    "lake": {
        "type": "AzureBlobStorage",
        "annotations": ["raw"],
        "typeProperties": {"connectionString": f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET}"},
    },
    "vault": {"type": "AzureKeyVault", "typeProperties": {"baseUrl": "https://vault.example.org"}},
    "warehouse": {
        "type": "AzureSqlDatabase",
        "description": "Where the census ends",
        "parameters": {"database": {"type": "String", "defaultValue": "census"}},
        "typeProperties": {
            "connectionString": "Server=db.example.org;Database=@{linkedService().database};User ID=loader",
            "password": {
                "type": "AzureKeyVaultSecret",
                "store": reference("vault", "LinkedService"),
                "secretName": "warehouse",
            },
        },
    },
    "folder": {
        "type": "FileServer",
        "typeProperties": {"host": "inbox", "userId": "me", "password": {"type": "SecureString", "value": SECRET}},
    },
    "service": {
        "type": "RestService",
        "connectVia": reference("Office-Server", "IntegrationRuntime"),
        "typeProperties": {"url": "https://x.example.org", "authenticationType": "Anonymous"},
    },
}
DATASETS: dict[str, Json] = {
    "inbox": {
        "type": "DelimitedText",
        "linkedServiceName": reference("store", "LinkedService"),
        "parameters": {"file": {"type": "String"}},
        "folder": {"name": "raw"},
        "schema": [{"name": "household", "type": "String"}],
        "typeProperties": {
            "location": {
                "type": "AzureBlobStorageLocation",
                "container": "raw",
                "fileName": computed("@dataset().file"),
            },
            "columnDelimiter": ",",
            "firstRowAsHeader": True,
        },
    },
    "old": {
        "type": "AzureBlob",
        "linkedServiceName": reference("store", "LinkedService"),
        "typeProperties": {"folderPath": "raw/census", "fileName": "a.csv", "format": {"type": "TextFormat"}},
    },
    "table": {
        "type": "AzureSqlTable",
        "linkedServiceName": reference("warehouse", "LinkedService", parameters={"database": "census"}),
        "typeProperties": {"schema": "dbo", "table": "household"},
    },
}
COPY = activity(
    "copy",
    "Copy",
    policy={"timeout": "0.12:00:00", "retry": 2, "retryIntervalInSeconds": 30, "secureInput": False},
    inputs=[reference("inbox", "Dataset", parameters={"file": computed("@item()")})],
    outputs=[reference("table", "Dataset")],
    source={
        "type": "DelimitedTextSource",
        "storeSettings": {"type": "AzureBlobStorageReadSettings", "recursive": True, "wildcardFileName": "*.csv"},
        "formatSettings": {"type": "DelimitedTextReadSettings", "skipLineCount": 1},
    },
    sink={"type": "AzureSqlSink", "writeBehavior": "insert", "tableOption": "autoCreate"},
    translator={"type": "TabularTranslator", "typeConversion": True},
    enableStaging=False,
)
PIPELINES: dict[str, Json] = {
    "wait": {
        "parameters": {"seconds": {"type": "Int", "defaultValue": 1}},
        "activities": [activity("wait", "Wait", waitTimeInSeconds=computed("@pipeline().parameters.seconds"))],
    },
    "census": {
        "description": "All files of the census",
        "parameters": {"files": {"type": "Array", "defaultValue": ["a.csv"]}, "key": {"type": "SecureString"}},
        "variables": {"last": {"type": "String"}, "seen": {"type": "Array", "defaultValue": []}},
        "concurrency": 2,
        "annotations": ["census"],
        "folder": {"name": "census"},
        "activities": [
            activity(
                "each",
                "ForEach",
                items=computed("@pipeline().parameters.files"),
                isSequential=False,
                batchCount=4,
                activities=[COPY],
            ),
            activity(
                "tell",
                "WebActivity",
                dependsOn=[{"activity": "each", "dependencyConditions": ["Completed"]}],
                url="https://x.example.org/done",
                method="POST",
                headers={"Authorization": f"Bearer {SECRET}"},
                body=computed("@concat('{}')"),
            ),
            activity(
                "if",
                "IfCondition",
                dependsOn=[{"activity": "tell", "dependencyConditions": ["Succeeded", "Skipped"]}],
                expression=computed("@equals(1, 1)"),
                ifTrueActivities=[activity("set", "SetVariable", variableName="last", value="a")],
                ifFalseActivities=[activity("fail", "Fail", message="No file", errorCode="1")],
            ),
            activity(
                "call",
                "ExecutePipeline",
                pipeline=reference("wait", "Pipeline"),
                waitOnCompletion=True,
                parameters={"seconds": 1},
            ),
        ],
    },
}
FLOW: Json = {
    "type": "MappingDataFlow",
    "typeProperties": {
        "sources": [{"name": "households", "dataset": reference("inbox", "Dataset")}],
        "sinks": [{"name": "stored", "dataset": reference("table", "Dataset")}],
        "transformations": [],
        "scriptLines": ["source(allowSchemaDrift: true) ~> households", "households sink() ~> stored"],
    },
}
STARTS = [{"pipelineReference": reference("wait", "Pipeline"), "parameters": {"seconds": 1}}]
TRIGGERS: dict[str, Json] = {
    "daily": {
        "type": "ScheduleTrigger",
        "pipelines": STARTS,
        "typeProperties": {
            "recurrence": {
                "frequency": "Day",
                "interval": 1,
                "startTime": "2090-01-01T06:00:00Z",
                "timeZone": "UTC",
                "schedule": {"hours": [6], "minutes": [0]},
            }
        },
    },
    "windows": {
        "type": "TumblingWindowTrigger",
        "pipeline": STARTS[0],
        "typeProperties": {
            "frequency": "Hour",
            "interval": 24,
            "startTime": "2090-01-01T00:00:00Z",
            "maxConcurrency": 1,
            "retryPolicy": {"count": 1, "intervalInSeconds": 30},
        },
    },
    "arrivals": {
        "type": "BlobEventsTrigger",
        "pipelines": STARTS,
        "typeProperties": {
            "blobPathBeginsWith": "/raw/blobs/",
            "ignoreEmptyBlobs": True,
            "events": ["Microsoft.Storage.BlobCreated"],
            "scope": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a",
        },
    },
}
RUNTIMES: dict[str, Json] = {
    "Office-Server": {"type": "SelfHosted", "description": "Under the stairs"},
    "Azure-Region": {
        "type": "Managed",
        "typeProperties": {"computeProperties": {"location": "AutoResolve", "dataFlowProperties": {"coreCount": 8}}},
    },
}
CREDENTIAL: Json = {"type": "ServicePrincipal", "typeProperties": {"servicePrincipalId": "a", "tenant": "b"}}
ENDPOINT: Json = {"groupId": "blob", "privateLinkResourceId": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/a"}
GLOBALS: Json = {"country": {"type": "String", "value": "KE"}, "year": {"type": "Int", "value": 2024}}
TEMPLATE: Json = {
    "$schema": "http://schema.management.azure.com/schemas/2015-01-01/deploymentTemplate.json#",
    "contentVersion": "1.0.0.0",
    "parameters": {"factoryName": {"type": "string", "defaultValue": "North-Census"}},
    "resources": [
        {
            "name": "[concat(parameters('factoryName'), '/deployed')]",
            "type": "Microsoft.DataFactory/factories/pipelines",
            "apiVersion": "2018-06-01",
            "properties": PIPELINES["wait"],
            "dependsOn": [],
        }
    ],
}
DEPLOY: Json = {"properties": {"mode": "Incremental", "template": TEMPLATE, "parameters": {}}}
