"""The manifests in `k8s/`: what each overlay says, line by line of what was asked for. Go builds kustomize.

Whether an API server takes them is tried by `tests/kubernetes`.
"""

import os
import re
from pathlib import Path

import pytest
import yaml
from prefect.settings import Settings
from prefect.settings.legacy import _get_valid_setting_names as settings_of
from prefect_kubernetes.settings import KubernetesSettings

from router.adapters.http.health import health_routes
from router.settings import DEFAULT_HTTP_PORT
from schemas.config import parse_config
from schemas.config.lanes import LANES, Lanes
from schemas.config.pools.kubernetes import KubernetesPool
from tests.kubernetes.manifests import (
    MANIFESTS,
    OVERLAYS,
    Manifest,
    built,
    built_from,
    container,
    of_kind,
    ours,
    pods,
)
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

EVERYWHERE = pytest.mark.parametrize("overlay", ["base", *OVERLAYS])
ROUTER, MIGRATE, DEPLOY = "autoloader-router", "autoloader-migrate", "autoloader-deploy"
PRODUCTION = Path("docs/running-in-production.md")
IMAGE = "registry.example.com/autoloader:1"
DEFAULT, PRIORITY, HIGH = (f"autoloader-worker-{lane}" for lane in ("default", "priority", "high-memory"))


def setting_names() -> set[str]:
    """Every variable that docs/settings.md or Prefect's own settings know."""
    documented = set(re.findall(r"`([A-Z][A-Z0-9_]+)`", Path("docs/settings.md").read_text()))
    return documented | settings_of(Settings) | settings_of(KubernetesSettings)


def configuration(manifests: list[Manifest]) -> str:
    """The configuration file that an overlay brings."""
    (config,) = [one for name, one in of_kind(manifests, "ConfigMap").items() if name.startswith("autoloader-config")]
    text: str = config["data"]["autoloader.yaml"]
    return text


def lanes(manifests: list[Manifest]) -> Lanes:
    """The lanes that it configures."""
    return parse_config(configuration(manifests), {"AUTOLOADER_IMAGE": IMAGE, "AUTOLOADER_NAMESPACE": "here"}).lanes


def sizes(one: Manifest) -> tuple[str, str, str, str]:
    """CPU and memory, requested and limited."""
    resources = container(one)["resources"]
    requests, limits = resources["requests"], resources["limits"]
    return requests["cpu"], requests["memory"], limits["cpu"], limits["memory"]


def limit(pod: Manifest) -> int:
    """How many runs a worker takes at once."""
    args = container(pod)["args"]
    return int(args[args.index("--limit") + 1])


def most_replicas(manifests: list[Manifest], name: str) -> int:
    """How many pods a Deployment has, or KEDA makes of it at most."""
    scaled = of_kind(manifests, "ScaledObject")
    return int(
        scaled[name]["spec"]["maxReplicaCount"]
        if name in scaled
        else of_kind(manifests, "Deployment")[name]["spec"]["replicas"]
    )


def pool_type(pod: Manifest) -> str:
    """The type of pool that a worker takes its runs from."""
    args = container(pod)["args"]
    return str(args[args.index("--type") + 1]) if "--type" in args else "process"


@EVERYWHERE
def test_every_variable_is_a_setting(overlay: str) -> None:
    manifests = built(overlay)
    generated = {
        key
        for one in of_kind(manifests, "Secret", "ConfigMap").values()
        if one["metadata"]["name"].startswith("autoloader-")
        for key in {**one.get("data", {}), **one.get("stringData", {})}
        if "." not in key  # a file
    }
    named = {entry["name"] for pod in ours(manifests).values() for entry in container(pod).get("env", [])}
    pool = lanes(manifests).high_memory.pool
    for_runs = set(pool.env) if isinstance(pool, KubernetesPool) else set()

    found = {name for name in named | generated | for_runs if not name.startswith("AWS_")}
    assert found
    assert found - setting_names() == set()


@EVERYWHERE
def test_probes_ask_at_routes_that_are_there(overlay: str) -> None:
    async def nothing(*, with_examples: bool) -> bytes:
        return b""

    of_router = {route.path for route in health_routes(dict, dict, nothing)}
    for name, pod in ours(built(overlay)).items():
        one = container(pod)
        port = DEFAULT_HTTP_PORT if name == ROUTER else Settings().worker.webserver.port
        probes = {kind: probe["httpGet"] for kind, probe in one.items() if kind.endswith("Probe")}

        assert {probe["path"] for probe in probes.values()} <= (of_router if name == ROUTER else {"/health"})
        assert all(probe["port"] == one["ports"][0]["name"] for probe in probes.values())
        assert [entry["containerPort"] for entry in one.get("ports", [])] == ([port] if probes else [])
        assert ("livenessProbe" in probes) == (name not in {MIGRATE, DEPLOY})


@pytest.mark.parametrize("overlay", ["base", "phase-1", "phase-2", "prod"])
@pytest.mark.parametrize(
    ("name", "replicas", "runs_at_once", "resources"),
    [
        (DEFAULT, 3, 5, ("2", "4Gi", "4", "8Gi")),
        (PRIORITY, 2, 3, ("2", "4Gi", "4", "8Gi")),
    ],
)
def test_process_workers_are_as_many_and_as_big_as_was_asked(
    overlay: str, name: str, replicas: int, runs_at_once: int, resources: tuple[str, ...]
) -> None:
    manifests = built(overlay)
    pod = pods(manifests)[name]

    assert of_kind(manifests, "Deployment")[name]["spec"]["replicas"] == replicas
    assert (limit(pod), sizes(pod)) == (runs_at_once, resources)
    assert container(pod)["args"][:2] == ["worker", name.removeprefix("autoloader-worker-")]


@pytest.mark.parametrize(
    ("overlay", "type_", "resources"),
    [
        ("base", "kubernetes", ("500m", "1Gi", "1", "2Gi")),
        ("phase-2", "kubernetes", ("500m", "1Gi", "1", "2Gi")),
        ("prod", "kubernetes", ("500m", "1Gi", "1", "2Gi")),
        ("phase-1", "process", ("8", "32Gi", "16", "32Gi")),
    ],
)
def test_workers_of_high_memory_are_as_was_asked(overlay: str, type_: str, resources: tuple[str, ...]) -> None:
    manifests = built(overlay)
    pod = pods(manifests)[HIGH]

    assert of_kind(manifests, "Deployment")[HIGH]["spec"]["replicas"] == 2
    assert container(pod)["args"][:2] == ["worker", "high-memory"]
    assert pool_type(pod) == type_
    assert sizes(pod) == resources
    assert of_kind(manifests, "Deployment")[ROUTER]["spec"]["replicas"] == 2


@EVERYWHERE
def test_the_configuration_is_read_where_the_manifests_say_image_and_namespace(overlay: str) -> None:
    manifests = built(overlay)
    pool = lanes(manifests).high_memory.pool

    assert pool.type == ("process" if overlay == "phase-1" else "kubernetes")
    if isinstance(pool, KubernetesPool):
        assert (pool.image, pool.namespace) == (IMAGE, "here")
        assert pool.service_account in of_kind(manifests, "ServiceAccount")
        assert pool.priority_class in of_kind(manifests, "PriorityClass")


@EVERYWHERE
def test_the_configuration_counts_the_workers_and_slots_that_are_there(overlay: str) -> None:
    manifests = built(overlay)

    for lane in LANES:
        settings, name = lanes(manifests).of(lane), f"autoloader-worker-{lane}"
        assert settings.workers == most_replicas(manifests, name)
        assert settings.slots_per_worker == limit(pods(manifests)[name])
        assert settings.pool.type == pool_type(pods(manifests)[name])


def test_the_test_overlay_is_the_base_but_for_replicas_requests_and_size_classes() -> None:
    def without_those(manifests: list[Manifest]) -> dict[str, Manifest]:
        kept = {f"{one['kind']}/{one['metadata']['name']}": one for one in manifests if one["kind"] != "ConfigMap"}
        for one in kept.values():
            one.get("spec", {}).pop("replicas", None)
        for pod in pods(list(kept.values())).values():
            del container(pod)["resources"]["requests"]
        return kept

    def unhashed(manifests: list[Manifest]) -> str:
        return re.sub(r"(autoloader-(?:config|env))-\w{10}\b", r"\1", yaml.safe_dump(without_those(manifests)))

    assert unhashed(built("test")) == unhashed(built("base"))


def test_the_overlay_of_the_documentation_sets_what_is_yours(tmp_path: Path) -> None:
    overlay, narrowed = re.findall(r"```yaml\n(.*?)```", PRODUCTION.read_text(), flags=re.DOTALL)
    written = yaml.safe_load(overlay)
    written["resources"] = [os.path.relpath(MANIFESTS / "overlays" / "phase-2", tmp_path.resolve())]
    written["patches"] += yaml.safe_load(narrowed)["patches"]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(written))
    (tmp_path / "autoloader.yaml").write_text("version: 1\n")

    manifests = built_from(tmp_path)

    for pod in ours(manifests).values():
        named = {entry["name"]: entry.get("value") for entry in container(pod).get("env", [])}
        (extra,) = [one["configMapRef"] for one in container(pod)["envFrom"] if "configMapRef" in one]
        image = container(pod)["image"]
        assert image == named.get("AUTOLOADER_IMAGE", image) == "registry.example.com/autoloader:0.1.0"
        assert extra["name"] in of_kind(manifests, "ConfigMap")
    assert configuration(manifests) == "version: 1\n"
    assert of_kind(manifests, "Deployment")[DEFAULT]["spec"]["replicas"] == 6
    assert {name for name, pod in pods(manifests).items() if "nodeSelector" in pod["spec"]} == {DEFAULT, PRIORITY, HIGH}
    assert of_kind(manifests, "NetworkPolicy")["to-postgres"]["spec"]["egress"][0]["ports"] == [{"port": 6432}]
    assert of_kind(manifests, "Namespace").keys() == {"ingestion"}
    spaces = {
        one["metadata"].get("namespace") for one in manifests if one["kind"] not in {"Namespace", "PriorityClass"}
    }
    assert (
        spaces
        == {one["subjects"][0]["namespace"] for one in of_kind(manifests, "RoleBinding").values()}
        == {"ingestion"}
    )
