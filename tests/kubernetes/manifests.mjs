// Holds manifests to Kubernetes' schemas and to one another: node manifests.mjs FILE.yaml… Prints each error, exits 1 if there is one.
import { readFileSync } from "node:fs";
import { parseAllDocuments } from "yaml";
import * as admission from "kubernetes-models/admissionregistration.k8s.io/v1";
import * as apps from "kubernetes-models/apps/v1";
import * as batch from "kubernetes-models/batch/v1";
import * as core from "kubernetes-models/v1";
import * as networking from "kubernetes-models/networking.k8s.io/v1";
import * as policy from "kubernetes-models/policy/v1";
import * as rbac from "kubernetes-models/rbac.authorization.k8s.io/v1";
import * as certificates from "@kubernetes-models/cert-manager/cert-manager.io/v1";
import * as monitoring from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";

const GROUPS = {
  "v1": core, "apps/v1": apps, "batch/v1": batch, "networking.k8s.io/v1": networking, "policy/v1": policy, "rbac.authorization.k8s.io/v1": rbac,
  "admissionregistration.k8s.io/v1": admission, "cert-manager.io/v1": certificates, "monitoring.coreos.com/v1": monitoring,
};
// Without published schemas: what is needed of them is checked here.
const KUEUE = { ResourceFlavor: ["nodeLabels"], ProvisioningRequestConfig: ["provisioningClassName"], AdmissionCheck: ["controllerName"],
                ClusterQueue: ["resourceGroups"], LocalQueue: ["clusterQueue"] };

let failures = 0;
function complain(file, object, text) {
  failures += 1;
  console.log(`${file}: ${object.kind} ${object.metadata?.name ?? object.metadata?.generateName}: ${text}`);
}

function checkSchema(file, object) {
  if (object.apiVersion === "kueue.x-k8s.io/v1beta1") {
    const fields = KUEUE[object.kind];
    if (!fields) return complain(file, object, "is no kind of Kueue");
    for (const field of fields) if (object.spec?.[field] === undefined) complain(file, object, `spec.${field} is missing`);
    return;
  }
  const kind = GROUPS[object.apiVersion]?.[object.kind];
  if (!kind) return complain(file, object, `is no kind of ${object.apiVersion}`);
  try {
    new kind(structuredClone(object)).validate();
  } catch (error) {
    complain(file, object, error.message);
  }
}

const matches = (selector, labels) => Object.entries(selector ?? {}).every(([name, value]) => labels?.[name] === value);

function checkTogether(file, objects) {
  const of = (kind) => objects.filter((object) => object.kind === kind);
  const names = objects.map((object) => [object.apiVersion, object.kind, object.metadata.namespace, object.metadata.name].join(" "));
  for (const name of names.filter((name, i) => names.indexOf(name) !== i)) complain(file, { kind: name }, "is there twice");

  const workloads = [...of("Deployment"), ...of("StatefulSet")];
  for (const workload of workloads) {
    const { labels } = workload.spec.template.metadata;
    const pod = workload.spec.template.spec;
    if (!matches(workload.spec.selector.matchLabels, labels)) complain(file, workload, "does not select its own pods");
    if (pod.serviceAccountName && !of("ServiceAccount").some((account) => account.metadata.name === pod.serviceAccountName)) {
      complain(file, workload, `there is no ServiceAccount ${pod.serviceAccountName}`);
    }
    for (const volume of pod.volumes ?? []) {
      if (volume.configMap && !of("ConfigMap").some((map) => map.metadata.name === volume.configMap.name)) {
        complain(file, workload, `there is no ConfigMap ${volume.configMap.name}`);
      }
    }
    for (const container of pod.containers) {
      const ports = (container.ports ?? []).map((port) => port.name);
      for (const probe of ["readinessProbe", "livenessProbe"]) {
        // What serves nobody needs none.
        if (ports.length > 0 && !container[probe]) complain(file, workload, `${container.name} has no ${probe}`);
        const port = container[probe]?.httpGet?.port;
        if (port && !ports.includes(port)) complain(file, workload, `${probe} asks port ${port}, which is none of ${ports}`);
      }
      const volumes = [...(pod.volumes ?? []), ...(workload.spec.volumeClaimTemplates ?? []).map((claim) => claim.metadata)].map((volume) => volume.name);
      for (const mount of container.volumeMounts ?? []) {
        if (!volumes.includes(mount.name)) complain(file, workload, `${container.name} mounts ${mount.name}, which is no volume`);
      }
      if (container.securityContext?.allowPrivilegeEscalation !== false || pod.securityContext?.runAsNonRoot !== true) {
        complain(file, workload, `${container.name} is not as Pod Security's level "restricted" wants it`);
      }
    }
  }
  const labelsOf = (workload) => workload.spec.template.metadata.labels;
  const portsOf = (workload) => workload.spec.template.spec.containers.flatMap((container) => container.ports ?? []);
  for (const service of of("Service")) {
    const chosen = workloads.filter((workload) => matches(service.spec.selector, labelsOf(workload)));
    if (chosen.length !== 1) complain(file, service, `selects ${chosen.length} workloads`);
    for (const port of service.spec.ports) {
      if (!chosen.every((workload) => portsOf(workload).some((one) => one.name === port.targetPort))) {
        complain(file, service, `there is no port ${port.targetPort}`);
      }
    }
  }
  for (const budget of [...of("PodDisruptionBudget"), ...of("NetworkPolicy")]) {
    const selector = budget.spec.selector ?? budget.spec.podSelector;
    if (!workloads.some((workload) => matches(selector.matchLabels, labelsOf(workload)))) complain(file, budget, "selects nothing");
  }
  for (const monitor of of("ServiceMonitor")) {
    const services = of("Service").filter((service) => matches(monitor.spec.selector.matchLabels, service.metadata.labels));
    for (const endpoint of monitor.spec.endpoints) {
      if (!services.some((service) => service.spec.ports.some((port) => port.name === endpoint.port))) {
        complain(file, monitor, `no service has a port ${endpoint.port}`);
      }
    }
  }
  for (const configuration of of("MutatingWebhookConfiguration")) {
    for (const webhook of configuration.webhooks) {
      const { name, port, namespace } = webhook.clientConfig.service;
      const service = of("Service").find((one) => one.metadata.name === name && one.metadata.namespace === namespace);
      if (!service?.spec.ports.some((one) => one.port === port)) complain(file, configuration, `there is no service ${namespace}/${name}:${port}`);
      if (!(webhook.timeoutSeconds >= 1 && webhook.timeoutSeconds <= 3)) complain(file, configuration, "keeps the API server for too long");
      if (!["Ignore", "Fail"].includes(webhook.failurePolicy)) complain(file, configuration, "does not say what happens when nobody answers");
    }
  }
}

for (const file of process.argv.slice(2)) {
  const documents = parseAllDocuments(readFileSync(file, "utf8"));
  for (const document of documents) for (const error of document.errors) complain(file, {}, error.message);
  const objects = documents.map((document) => document.toJS()).filter((object) => object !== null);
  for (const object of objects) checkSchema(file, object);
  checkTogether(file, objects);
}
process.exit(failures === 0 ? 0 : 1);
