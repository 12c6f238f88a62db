"""What people see of autoloader in a cluster: they land files; Prefect, ledger and completion events tell the rest."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import obstore
from obstore.store import S3Store

from tests.e2e.site import Site, autoloader, eventually
from tests.kubernetes.lab.cluster import Cluster, Kubectl
from tests.kubernetes.lab.places import IMAGE
from tests.kubernetes.manifests import built_from
from tests.kubernetes.parts import secrets

NAMESPACE = "autoloader"
READY_SECONDS = 240
SYNC_SECONDS = 7  # a worker of these overlays looks at its pool every 5 s
BIG_BYTES = 13 * 1024**2  # above the threshold of high-memory in overlays/test
FINAL = {"Completed", "Failed", "Crashed", "Cancelled"}
RUN = "prefect.io/flow-run-id"
OVERLAYS = Path(__file__).parent / "overlays"
MOUNTED = Path(__file__).parent / "mounted"
CONFIG = OVERLAYS / "test" / "autoloader.yaml"
TOLD = {"AUTOLOADER_IMAGE": IMAGE, "AUTOLOADER_NAMESPACE": NAMESPACE}  # as the manifests tell the router


@dataclass(frozen=True)
class Ended:
    """How a batch ended, by all three that tell it."""

    outcome: str  # of its completion event
    event: Mapping[str, Any]
    batch: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]]
    runs: list[str]  # Prefect's state of each attempt's run, in the order of attempts

    @property
    def causes(self) -> list[str | None]:
        """Of each attempt, None of one that loaded."""
        return [attempt["cause"] for attempt in self.attempts]


class ClusterSite(Site):
    """A cluster with the manifests applied, and the parts beside it."""

    def __init__(self, settings: Mapping[str, str], cluster: Cluster) -> None:
        super().__init__(settings)
        self._landing = S3Store(
            "landing",
            endpoint=settings["AWS_ENDPOINT_URL"],
            region=settings["AWS_REGION"],
            access_key_id=settings["AWS_ACCESS_KEY_ID"],
            secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            client_options={"allow_http": True},
        )
        self.cluster = cluster
        self.kubectl: Kubectl = cluster.kubectl
        self._prefect = httpx.Client(base_url=settings["PREFECT_API_URL"], timeout=30, trust_env=False)

    def close(self) -> None:
        """Close the connections to Prefect."""
        self._prefect.close()

    def write(self, source: str, name: str, text: str | bytes, *, modified: float | None = None) -> str:
        """A file in the source's landing place, put there through S3: by itself a folder has no entity tags."""
        obstore.put(self._landing, f"{source}/{name}", text.encode() if isinstance(text, str) else text)
        return f"s3://landing/{source}/{name}"

    def install(self, overlay: str = "test") -> None:
        """Apply one of `overlays` with our image, and the secrets it names; returns when all of it is ready."""
        manifests = [with_our_image(one) for one in built_from(OVERLAYS / overlay)]
        namespaces = [one for one in manifests if one["kind"] == "Namespace"]
        self.kubectl.apply(*namespaces)
        self.kubectl.apply(*(_secret(name, values) for name, values in secrets(self.settings).items()))
        jobs = [one["metadata"]["name"] for one in manifests if one["kind"] == "Job"]
        self.kubectl("delete", "job", "--ignore-not-found", "-n", NAMESPACE, *jobs)
        self.kubectl.apply(*manifests)
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until the Jobs have ended well, and every replica is ready."""
        of = ("-n", NAMESPACE, f"--timeout={READY_SECONDS}s")
        self.kubectl("wait", *of, "--for=condition=complete", "job", "-l", "app.kubernetes.io/part-of=autoloader")
        for name in self.names("deployment"):
            self.kubectl("rollout", "status", *of, name)

    def names(self, kind: str, *selector: str) -> list[str]:
        """What there is of a kind, as kind/name."""
        return self.kubectl("get", kind, "-n", NAMESPACE, "-o", "name", *selector).split()

    def pods_of(self, run_id: str) -> list[dict[str, Any]]:
        """The pods of a run, whatever state they are in."""
        found = self.kubectl.json("get", "pods", "-n", NAMESPACE, "-l", f"{RUN}={run_id}")
        pods: list[dict[str, Any]] = found["items"]
        return pods

    def jobs_of(self, run_id: str) -> list[str]:
        """The Jobs of a run."""
        return self.names("jobs", "-l", f"{RUN}={run_id}")

    def attempts(self, uri: str) -> list[dict[str, Any]]:
        """The attempts to load a file's batch, in their order."""
        return self.ledger("SELECT a.* FROM attempt a JOIN file f USING (batch_id) WHERE f.uri = %s ORDER BY a.n", uri)

    def run_of(self, uri: str, n: int = 1, *, claimed: bool = False, seconds: float = 120) -> str:
        """The run of a file's n-th attempt, as soon as there is one (that works on it, when `claimed`)."""

        def found() -> str | None:
            one = next((attempt for attempt in self.attempts(uri) if attempt["n"] == n), None)
            return str(one["run_id"]) if one and one["run_id"] and (one["claimed"] or not claimed) else None

        return eventually(found, f"attempt {n} of {uri}", seconds)

    def job_of(self, uri: str) -> str:
        """The run of a file's first attempt, as soon as its Job is made."""
        run = self.run_of(uri)
        eventually(lambda: bool(self.jobs_of(run)), f"a Job for {uri}")
        return run

    def state(self, run_id: str) -> str:
        """Prefect's state of a run."""
        name: str = self._run(run_id)["state"]["name"]
        return name

    def running_since(self, run_id: object) -> datetime:
        """When Prefect heard that a run works."""
        return datetime.fromisoformat(self._run(run_id)["start_time"])

    def _run(self, run_id: object) -> dict[str, Any]:
        run: dict[str, Any] = self._prefect.get(f"/flow_runs/{run_id}").raise_for_status().json()
        return run

    def ended(self, uri: str, seconds: float = 420) -> Ended:
        """How the batch of a file ended, waited for; Prefect hears of a run's end a moment after the ledger."""
        event = self.completion(uri, seconds=seconds)
        batch = self.ledger("SELECT * FROM batch WHERE id = %s", event["run"]["batch"])[0]
        attempts = self.attempts(uri)
        runs = [str(attempt["run_id"]) for attempt in attempts if attempt["run_id"]]
        eventually(lambda: all(self.state(run) in FINAL for run in runs), "each run has ended in Prefect")
        states = [self.state(run) for run in runs]
        return Ended(event["outcome"], event, batch, attempts, states)

    def let_flows_fail(self) -> None:
        """From now on runs of high-memory are those of `mounted/flow_that_fails.py`, in the same image."""
        files = {file.name: file.read_text() for file in MOUNTED.glob("*.py")}
        metadata = {"name": "mounted", "namespace": NAMESPACE}
        self.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files})
        with self.template() as job:
            pod = job["template"]["spec"]
            pod["containers"][0]["resources"]["requests"]["cpu"] = "100m"  # so that many find room at once
            pod["volumes"].append({"name": "mounted", "configMap": {"name": "mounted"}})
            pod["containers"][0]["volumeMounts"].append({"name": "mounted", "mountPath": "/tests"})
            pod["containers"][0]["env"].append({"name": "PYTHONPATH", "value": "/tests"})
        self._change_deployment(entrypoint="flow_that_fails.ingest")

    @contextmanager
    def template(self) -> Iterator[dict[str, Any]]:
        """The specification of a Job in the pool's template, to be changed."""
        path = "/work_pools/autoloader-high-memory"
        template = self._prefect.get(path).raise_for_status().json()["base_job_template"]
        yield template["job_configuration"]["job_manifest"]["spec"]
        self._prefect.patch(path, json={"base_job_template": template}).raise_for_status()
        time.sleep(SYNC_SECONDS)

    @contextmanager
    def runs_have(self, *, env: Mapping[str, str] | None = None, **variables: str) -> Iterator[None]:
        """Runs that are submitted meanwhile have other job variables, and more in their environment."""
        before = self._deployment()["job_variables"]
        changed = {**before, **variables, "env": {**before["env"], **(env or {})}}
        self._change_deployment(job_variables=changed)
        try:
            yield
        finally:
            self._change_deployment(job_variables=before)

    def _deployment(self) -> dict[str, Any]:
        found: dict[str, Any] = self._prefect.get("/deployments/name/ingest/high-memory").raise_for_status().json()
        return found

    def _change_deployment(self, **fields: object) -> None:
        self._prefect.patch(f"/deployments/{self._deployment()['id']}", json=fields).raise_for_status()

    def scale(self, name: str, replicas: int) -> None:
        """Have so many pods of a Deployment, and wait for that."""
        self.kubectl("scale", "-n", NAMESPACE, f"deployment/{name}", f"--replicas={replicas}")
        self.kubectl("rollout", "status", "-n", NAMESPACE, f"--timeout={READY_SECONDS}s", f"deployment/{name}")

    def evict(self, eviction: Mapping[str, Any]) -> None:
        """Ask for a pod's eviction, as a drain does."""
        path = f"/api/v1/namespaces/{NAMESPACE}/pods/{eviction['metadata']['name']}/eviction"
        self.kubectl("create", "--raw", path, "-f", "-", given=json.dumps(eviction))

    def explained(self, uri: str) -> str:
        """What `autoloader explain` tells of a file."""
        return autoloader(self, "explain", uri, AUTOLOADER_CONFIG=str(CONFIG), **TOLD).stdout

    def metrics(self) -> str:
        """What the routers tell Prometheus, through their Service."""
        address = self.kubectl.json("get", "service", "autoloader-router", "-n", NAMESPACE)["spec"]["clusterIP"]
        return httpx.get(f"http://{address}:8710/metrics", timeout=30, trust_env=False).raise_for_status().text


def _secret(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}


def with_our_image(manifest: dict[str, Any]) -> dict[str, Any]:
    """As `images:` of an overlay would; the one value of this name is the image."""
    changed: dict[str, Any] = json.loads(
        json.dumps(manifest)
        .replace('"image": "autoloader"', f'"image": "{IMAGE}"')
        .replace('"name": "AUTOLOADER_IMAGE", "value": "autoloader"', f'"name": "AUTOLOADER_IMAGE", "value": "{IMAGE}"')
    )
    return changed
