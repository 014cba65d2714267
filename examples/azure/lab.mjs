// The lab in JavaScript: a factory, a pipeline that waits, its run.
//
//     manara azure -- node examples/azure/lab.mjs
//
// Needs: npm install @azure/identity @azure/arm-resources @azure/arm-datafactory
import { ClientSecretCredential } from "@azure/identity";
import { ResourceManagementClient } from "@azure/arm-resources";
import { DataFactoryManagementClient } from "@azure/arm-datafactory";

const { AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET } = process.env;
const subscription = process.env.AZURE_SUBSCRIPTION_ID ?? "00000000-0000-0000-0000-000000000000";
const [group, factory] = ["lab-js", "lab-js-factory"];

const credential = new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET);
const resources = new ResourceManagementClient(credential, subscription);
const client = new DataFactoryManagementClient(credential, subscription);

await resources.resourceGroups.createOrUpdate(group, { location: "westeurope" });
await client.factories.createOrUpdate(group, factory, { location: "westeurope" });
await client.pipelines.createOrUpdate(group, factory, "Pause", {
  activities: [{ name: "Pause", type: "Wait", waitTimeInSeconds: 1 }],
});
const { runId } = await client.pipelines.createRun(group, factory, "Pause");
let run = await client.pipelineRuns.get(group, factory, runId);
while (["Queued", "InProgress"].includes(run.status)) {
  await new Promise((done) => setTimeout(done, 500));
  run = await client.pipelineRuns.get(group, factory, runId);
}
console.log("The run", run.status);
try {
  await client.pipelines.get(group, factory, "Nothing");
} catch (error) {
  console.log("A pipeline that is not there:", error.statusCode, error.code);
}
await resources.resourceGroups.beginDeleteAndWait(group);
