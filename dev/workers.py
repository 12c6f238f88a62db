"""What runs on top of the infrastructure: the deployments, a worker for each lane, the router."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import httpx
import yaml

from dev.asking import CLIENT, says_ok
from dev.parts import Service, Step
from dev.ports import ADDRESS, answers
from dev.prefect import api_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dev.parts import RunOnce

LANES = ("default", "high-memory", "priority")

# As in the configuration's schema, which `dev` does not import: it must start even what is configured wrongly.
_WORKERS, _SLOTS_PER_WORKER = 1, 2

_PROGRAM = (sys.executable, "-m", "cli.main")
_DRAIN_SECONDS = 10
# Whether it is healthy is asked of Prefect's server; its own answer to that takes any port that is free.
_WORKER = {
    "PREFECT_WORKER_WEBSERVER_HOST": ADDRESS,
    "PREFECT_WORKER_WEBSERVER_PORT": "0",
}


def deploy(settings: Mapping[str, str]) -> Step:
    """Pools, queues and deployments, as the project's own command makes them."""

    def run(run_once: RunOnce) -> str:
        run_once([*_PROGRAM, "deploy"], settings)
        return "done"

    return Step("deploy", ("prefect",), run)


def worker(lane: str, ports: Mapping[str, int], config: Path, settings: Mapping[str, str]) -> Service:
    """A process worker; here also for the lane which is a Kubernetes pool elsewhere."""
    pool, name = f"autoloader-{lane}", f"{lane}-local"
    earlier: list[str | None] = [None]

    def prepare(_: RunOnce) -> None:
        # A worker that was killed is listed as online for a while.
        earlier[0] = _heartbeat(api_url(ports), pool, name)

    return Service(
        name=f"worker-{lane}",
        needs=("deploy", "prefect"),
        command=lambda: [
            *(*_PROGRAM, "worker", lane, "--name", name),
            *("--limit", str(slots(config, lane)), "--drain", str(_DRAIN_SECONDS)),
        ],
        environment={**settings, **_WORKER},
        prepare=prepare,
        ready=lambda: _heartbeat(api_url(ports), pool, name) not in {None, earlier[0]},
        stop_seconds=_DRAIN_SECONDS + 20,
    )


def router(ports: Mapping[str, int], settings: Mapping[str, str]) -> Service:
    port = ports["router"]
    return Service(
        name="router",
        # Spark too: what waits since the last run is submitted at once.
        needs=("deploy", "postgres", "kafka", "prefect", "spark-connect"),
        command=lambda: [*_PROGRAM, "router"],
        environment=settings,
        ready=lambda: answers(port) and says_ok(f"http://{ADDRESS}:{port}/readyz"),
        stop_seconds=20,
    )


def slots(config: Path, lane: str) -> int:
    """Flow runs of a lane at once: here one worker stands for all which the configuration counts."""
    try:
        settings = yaml.safe_load(config.read_text())["lanes"][lane]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        settings = None
    return _count(settings, "workers", _WORKERS) * _count(settings, "slots_per_worker", _SLOTS_PER_WORKER)


def _count(settings: object, name: str, otherwise: int) -> int:
    count = settings.get(name) if isinstance(settings, dict) else None
    return count if isinstance(count, int) and count > 0 else otherwise


def _heartbeat(api: str, pool: str, name: str) -> str | None:
    """When this worker last told the server that it is there; None if it never did, or nobody answers."""
    try:
        answer = CLIENT.post(f"{api}/work_pools/{pool}/workers/filter", json={})
        workers = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return None
    return next((str(one["last_heartbeat_time"]) for one in workers if one["name"] == name), None)
