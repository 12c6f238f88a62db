"""A lane of worker processes: a run is one process more on the machine of its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.workers.process import ProcessWorker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.config.lanes import LaneConfig

# With a command of its own a run is one process: without, the worker first starts another to copy the flow's code,
# which doubles the seconds before a run begins. The worker's own Python, where PYSPARK_PYTHON names it, or the path's.
COMMAND = """sh -c 'exec "${PYSPARK_PYTHON:-python}" -m prefect.engine'"""


def template(_lane: LaneConfig) -> dict[str, Any]:
    """Take Prefect's own template as it is."""
    return ProcessWorker.get_default_base_job_template()


def environment(_lane: LaneConfig) -> Mapping[str, str]:
    """Nothing more: a run has the environment of its worker."""
    return {}


def job_variables() -> dict[str, Any]:
    """Name the command of a run."""
    return {"command": COMMAND}


def trouble(_lane: LaneConfig) -> None:
    """Nothing can be missing."""
