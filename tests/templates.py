"""The default base job templates of workers that are no dependency: those in `tests/samples/pools`.

`python -m tests.templates` writes those anew whose packages are installed.
"""

import json
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flows.infrastructure import cloud_run, docker, ecs, vertex_ai
from schemas.config.pools import PoolType

SAMPLES = Path(__file__).parent / "samples" / "pools"
WORKERS: Mapping[PoolType, tuple[str, Callable[[], dict[str, Any]]]] = {
    "docker": ("prefect-docker", docker.default_template),
    "ecs": ("prefect-aws", ecs.default_template),
    "cloud-run-v2": ("prefect-gcp", cloud_run.default_template),
    "vertex-ai": ("prefect-gcp", vertex_ai.default_template),
}


def sample(pool: PoolType) -> dict[str, Any]:
    """The template of a worker, as it was saved."""
    template: dict[str, Any] = json.loads((SAMPLES / f"{pool}.json").read_text())["template"]
    return template


def saved_version(pool: PoolType) -> str:
    """Of the package that a saved template is from."""
    found: str = json.loads((SAMPLES / f"{pool}.json").read_text())["version"]
    return found


def installed_version(pool: PoolType) -> str | None:
    """Of the package that has the pool's worker; None where it is not installed."""
    try:
        return version(WORKERS[pool][0])
    except PackageNotFoundError:
        return None


def write() -> None:
    """Save what is installed."""
    for pool, (package, template) in WORKERS.items():
        if (found := installed_version(pool)) is not None:
            text = json.dumps({"package": package, "version": found, "template": template()}, indent=1, sort_keys=True)
            (SAMPLES / f"{pool}.json").write_text(text + "\n")


if __name__ == "__main__":
    write()
