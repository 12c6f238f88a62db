"""Lanes in Docker, ECS, Cloud Run and Vertex AI: what their workers make of our template and of a run's size.

The templates are saved ones of the workers, which are no dependency. Where a worker is installed its template is
compared with the saved one, and its own configuration is made of ours.
"""

import importlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun
from prefect.utilities.templating import apply_values

from flows.infrastructure import cloud_run, containers, docker, ecs, of, vertex_ai
from flows.infrastructure.containers import lacking
from schemas.config.lanes import HighMemory
from schemas.config.pools import PoolType
from schemas.config.sizes import SizeClass
from tests.pools import POOLS, lane_of, size_of
from tests.templates import WORKERS, installed_version, sample, saved_version

FILLED: Mapping[PoolType, Callable[[Mapping[str, Any], HighMemory], dict[str, Any]]] = {
    "docker": docker.DOCKER.filled,
    "ecs": ecs.ECS.filled,
    "cloud-run-v2": cloud_run.CLOUD_RUN.filled,
    "vertex-ai": vertex_ai.VERTEX_AI.filled,
}
CONFIGURATIONS: Mapping[PoolType, tuple[str, str]] = {
    "docker": ("prefect_docker.worker", "DockerWorkerJobConfiguration"),
    "ecs": ("prefect_aws.workers.ecs_worker", "ECSJobConfiguration"),
    "cloud-run-v2": ("prefect_gcp.workers.cloud_run_v2", "CloudRunWorkerJobV2Configuration"),
    "vertex-ai": ("prefect_gcp.workers.vertex", "VertexAIWorkerJobConfiguration"),
}
GROUPS: Mapping[PoolType, str] = {"docker": "docker", "ecs": "aws", "cloud-run-v2": "gcp", "vertex-ai": "gcp"}
ALL = sorted(POOLS)


def job_of(lane: HighMemory, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What the worker makes of our template for a run of which it is told that."""
    template = FILLED[lane.pool.type](sample(lane.pool.type), lane)
    variables = template["variables"]["properties"]
    defaults = {name: one["default"] for name, one in variables.items() if "default" in one}
    configuration = template["job_configuration"]
    environment = {**configuration["env"], **of(lane.pool.type).environment(lane)}
    values = {**defaults, **(told or {}), "env": environment}
    return apply_values({**configuration, "env": environment}, values)


@pytest.mark.parametrize("pool", ALL)
def test_a_run_is_told_its_size_in_variables_that_its_worker_has(pool: PoolType) -> None:
    lane = lane_of(pool)
    variables = FILLED[pool](sample(pool), lane)["variables"]["properties"]

    for name, value in size_of(lane, 1).items():
        assert name in variables
        assert _is_of(variables[name], value), (name, variables[name], value)


def _is_of(schema: Mapping[str, Any], value: str | int) -> bool:
    kinds = {one["type"] for one in schema.get("anyOf", [schema])}
    return ("string" if isinstance(value, str) else "integer") in kinds


@pytest.mark.parametrize("pool", ALL)
def test_every_placeholder_of_a_template_is_a_variable_of_it(pool: PoolType) -> None:
    """Prefect refuses a pool whose template names another one."""
    template = FILLED[pool](sample(pool), lane_of(pool))

    named = set(_placeholders(template["job_configuration"]))

    assert named <= template["variables"]["properties"].keys()
    assert {"autoloader_cpus", "autoloader_memory", *size_of(lane_of(pool), 0)} <= named


def _placeholders(value: Any) -> list[str]:
    match value:
        case str():
            return [value.removeprefix("{{ ").removesuffix(" }}")] if value.startswith("{{ ") else []
        case dict():
            return [name for one in value.values() for name in _placeholders(one)]
        case list():
            return [name for one in value for name in _placeholders(one)]
        case _:
            return []


@pytest.mark.parametrize("pool", ALL)
def test_a_run_finds_its_size_in_its_environment(pool: PoolType) -> None:
    lane = lane_of(pool)

    first, second = job_of(lane)["env"], job_of(lane, size_of(lane, 1))["env"]

    assert (first["AUTOLOADER_CPUS"], first["AUTOLOADER_MEMORY"]) == ("4", str(16 * 1024**3))
    assert (second["AUTOLOADER_CPUS"], second["AUTOLOADER_MEMORY"]) == ("8", str(32 * 1024**3))
    assert second["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "crash"
    assert second["TZ"] == "UTC"


def test_a_container_of_docker_has_its_limits_and_no_swap() -> None:
    lane = lane_of("docker")

    job = job_of(lane, size_of(lane, 1))

    assert (job["image"], job["networks"], job["volumes"]) == ("a:1", ["loads"], ["/etc/spark:/etc/spark:ro"])
    assert (job["mem_limit"], job["memswap_limit"]) == ("32768m", "32768m")
    assert job["container_create_kwargs"] == {"nano_cpus": 8_000_000_000}
    assert job["command"] == "python -m prefect.engine"


def test_a_container_of_docker_may_take_more_than_spark_is_given() -> None:
    size = SizeClass.model_validate({"cpu": 2, "memory": "4GiB", "cpu_limit": 4, "memory_limit": "8GiB"})

    told = lane_of("docker").pool.job_variables(size)

    assert (told["mem_limit"], told["nano_cpus"], told["autoloader_memory"]) == ("8192m", 4 * 10**9, str(4 * 1024**3))


def test_a_task_of_ecs_has_its_size_roles_network_and_secrets() -> None:
    lane = lane_of("ecs")

    job = job_of(lane, size_of(lane, 1))

    task, request = job["task_definition"], job["task_run_request"]
    assert (task["cpu"], task["memory"], task["ephemeralStorage"]) == (8192, 32768, {"sizeInGiB": 50})
    assert (request["overrides"]["cpu"], request["overrides"]["memory"]) == (8192, 32768)
    assert (request["launchType"], request["cluster"]) == ("FARGATE", "loads")
    assert request["overrides"]["taskRoleArn"] == "arn:aws:iam::1:role/load"
    assert task["containerDefinitions"][0]["secrets"] == [
        {"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:eu-central-1:1:secret:ledger"}
    ]
    assert job["network_configuration"] == {
        "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED",
    }  # fmt: skip


def test_a_job_of_cloud_run_has_its_size_deadline_and_secrets_and_no_retries() -> None:
    lane = lane_of("cloud-run-v2")

    job = job_of(lane, size_of(lane, 1))

    body = job["job_body"]["template"]["template"]
    assert body["containers"][0]["resources"]["limits"] == {"cpu": "8", "memory": "32768Mi"}
    assert (body["maxRetries"], body["timeout"], job["region"]) == (0, 7200, "europe-west3")
    assert job["env_from_secrets"] == {"DATABASE_URL": {"secret": "ledger", "version": "3"}}


def test_a_job_of_vertex_ai_is_on_the_smallest_machine_that_fits() -> None:
    lane = lane_of("vertex-ai")

    job = job_of(lane, size_of(lane, 1))

    pool = job["job_spec"]["worker_pool_specs"][0]
    assert pool["machine_spec"]["machine_type"] == "n2-standard-8"
    assert pool["disk_spec"]["boot_disk_size_gb"] == 150
    assert job["job_spec"]["maximum_run_time_hours"] == 2


@pytest.mark.parametrize(
    ("cpu", "memory", "machine", "cpus"),
    [
        (1, "1GiB", "n2-highmem-2", "2"),
        (3, "1GiB", "n2-standard-4", "4"),
        (8, "33GiB", "n2-highmem-8", "8"),
        (9, "33GiB", "n2-standard-16", "16"),
        (2, "600GiB", "n2-highmem-80", "80"),
    ],
)
def test_vertex_ai_has_a_machine_for_a_class(cpu: int, memory: str, machine: str, cpus: str) -> None:
    told = lane_of("vertex-ai").pool.job_variables(SizeClass.model_validate({"cpu": cpu, "memory": memory}))

    assert (told["machine_type"], told["autoloader_cpus"]) == (machine, cpus)


@pytest.mark.parametrize("pool", ALL)
def test_a_worker_that_is_not_installed_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, pool: PoolType
) -> None:
    monkeypatch.setattr(containers, "find_spec", lambda _package: None)

    said = of(pool).trouble(lane_of(pool))

    assert said == f"needs {WORKERS[pool][0]}; install autoloader[{GROUPS[pool]}] here and where its worker runs"


def test_the_groups_that_are_named_bring_the_packages() -> None:
    groups = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]

    for pool, group in GROUPS.items():
        assert [one.partition(">")[0] for one in groups[group]] == [WORKERS[pool][0]]


@pytest.mark.parametrize("pool", ["process", "kubernetes"])
def test_the_workers_of_every_installation_need_nothing_more(pool: PoolType) -> None:
    assert lacking(pool) is None


@pytest.mark.parametrize("pool", ALL)
def test_the_saved_template_is_that_of_the_installed_worker(pool: PoolType) -> None:
    if installed_version(pool) is None:
        pytest.skip(f"{WORKERS[pool][0]} is not installed")

    assert installed_version(pool) == saved_version(pool)
    assert WORKERS[pool][1]() == sample(pool)


@pytest.mark.parametrize("pool", ALL)
def test_the_installed_worker_makes_its_configuration_of_our_template(pool: PoolType) -> None:
    module, name = CONFIGURATIONS[pool]
    pytest.importorskip(module)
    lane, run = lane_of(pool), FlowRun(flow_id=uuid4(), name="a-run")
    login = _google_login() if module.startswith("prefect_gcp") else {}
    configuration = getattr(importlib.import_module(module), name)(**job_of(lane, size_of(lane, 1)), **login)

    configuration.prepare_for_flow_run(run)

    assert of(pool).trouble(lane) is None
    assert configuration.env["AUTOLOADER_MEMORY"] == str(32 * 1024**3)
    assert configuration.env["PREFECT__FLOW_RUN_ID"] == str(run.id)
    assert "prefect.engine" in str(configuration.model_dump())


def _google_login() -> dict[str, Any]:
    """One that nobody asks Google for."""
    from prefect_gcp import GcpCredentials  # noqa: PLC0415 - an optional package

    return {"credentials": GcpCredentials.model_construct(project="here")}
