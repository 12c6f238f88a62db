"""A standalone Spark cluster: a master, and two workers of one core each."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from dev.spark import spark_home
from tests.e2e.site import eventually, free_port

LOOPBACK = "127.0.0.1"
DEPLOY = "org.apache.spark.deploy"
WORKERS = 2


@dataclass(frozen=True)
class SparkCluster:
    """One that runs."""

    port: int
    web: int
    workers: list["subprocess.Popen[bytes]"]

    @property
    def url(self) -> str:
        """What goes into `spark.master`."""
        return f"spark://{LOOPBACK}:{self.port}"

    def state(self) -> dict[str, Any]:
        """What the master tells: `aliveworkers`, `activeapps`, `completedapps` and more; nothing while it starts."""
        with suppress(httpx.HTTPError, ValueError):  # it listens before it has the page: then it answers 404, in HTML
            answer = httpx.get(f"http://{LOOPBACK}:{self.web}/json/", trust_env=False)
            found: dict[str, Any] = answer.raise_for_status().json()
            return found
        return {}


@contextmanager
def serving(folder: Path) -> Iterator[SparkCluster]:
    """Start one on free loopback ports; returns when all workers are there, and ends them with their executors."""
    port, web = free_port(), free_port()
    master = _start(folder, "master.Master", "--port", str(port), "--webui-port", str(web))
    cluster = SparkCluster(port, web, [])
    try:
        for _ in range(WORKERS):
            words = ("--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(folder), cluster.url)
            cluster.workers.append(_start(folder, "worker.Worker", *words))
        eventually(lambda: cluster.state().get("aliveworkers") == WORKERS, "the workers have come to the master")
        yield cluster
    finally:
        for process in (*cluster.workers, master):
            process.terminate()
        for process in (*cluster.workers, master):
            process.wait(30)


def _start(folder: Path, name: str, *words: str) -> "subprocess.Popen[bytes]":
    environ = {"SPARK_LOCAL_IP": LOOPBACK, "SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_MEMORY": "256m"}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("SPARK_")}
    command = [str(spark_home() / "bin" / "spark-class"), f"{DEPLOY}.{name}", "--host", LOOPBACK, *words]
    with (folder / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, env={**inherited, **environ}, stdout=log, stderr=log, cwd=folder)
