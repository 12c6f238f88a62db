"""How much room a Spark of a run's own has: what Kubernetes tells of its pod, else what its container may take.

`AUTOLOADER_MEMORY` is what the pod asks for, in bytes: what it may take beyond that others may need as well.
`AUTOLOADER_CPUS` is the most it may take. The pool's template puts both there (`flows.infrastructure.kubernetes`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HEAP_SHARE = 0.7  # the rest is for what Java keeps beside its heap, and for Python
CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")  # version 2 and version 1
_NO_LIMIT = 2**60  # version 1 writes a number for "none": as many pages as there can be


def settings(environ: Mapping[str, str], cgroup: Path | None = None) -> Mapping[str, str]:
    """Spark's settings for this room; none outside of Kubernetes: there the configuration says it.

    A lane's own `spark: {conf}` has the last word.
    """
    return dict(_settings(environ, cgroup or CGROUP)) if "KUBERNETES_SERVICE_HOST" in environ else {}


def _settings(environ: Mapping[str, str], cgroup: Path) -> Iterator[tuple[str, str]]:
    memory = _number(environ.get("AUTOLOADER_MEMORY")) or _limit(cgroup)
    if memory is not None:
        yield "spark.driver.memory", f"{int(memory * HEAP_SHARE) // 2**20}m"
    if cpus := _number(environ.get("AUTOLOADER_CPUS")):
        yield "spark.master", f"local[{cpus}]"
    if address := environ.get("AUTOLOADER_POD_IP"):  # of a pod nobody knows the name: executors elsewhere call this
        yield "spark.driver.host", address
        yield "spark.driver.bindAddress", address


def _limit(cgroup: Path) -> int | None:
    texts = ((cgroup / name).read_text().strip() for name in _LIMITS if (cgroup / name).exists())
    return next((limit for text in texts if (limit := _number(text)) is not None and limit < _NO_LIMIT), None)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() else None
