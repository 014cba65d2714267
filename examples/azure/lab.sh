#!/bin/sh
# The lab with az: sign in, make a resource group and a factory, run a pipeline.
#
#     manara azure -- sh examples/azure/lab.sh
set -eu
az login --service-principal -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET" -t "$AZURE_TENANT_ID" --output none
az group create --name lab-az --location westeurope --output none
factory="/subscriptions/$(az account show --query id --output tsv)/resourceGroups/lab-az"
factory="$factory/providers/Microsoft.DataFactory/factories/lab-az-factory"
url="https://management.azure.com$factory"
version="api-version=2018-06-01"
az rest --method put --url "$url?$version" --body '{"location": "westeurope"}' --output none
az rest --method put --url "$url/pipelines/Pause?$version" --output none --body \
  '{"properties": {"activities": [{"name": "Pause", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}}'
run=$(az rest --method post --url "$url/pipelines/Pause/createRun?$version" --body '{}' --query runId --output tsv)
sleep 3
az rest --method get --url "$url/pipelineruns/$run?$version" --query status --output tsv
az group delete --name lab-az --yes
