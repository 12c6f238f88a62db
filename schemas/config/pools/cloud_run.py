"""Jobs in Google's Cloud Run."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Strict
from schemas.config.sizes import GIB, Environment, JobVariables, SizeClass, mebibytes, told
from schemas.config.values import Duration

# The least and most GiB for so many processors. https://cloud.google.com/run/docs/configuring/jobs/memory-limits
ROOM: Mapping[int, tuple[float, int]] = {1: (0.5, 4), 2: (0.5, 8), 4: (2, 16), 6: (4, 24), 8: (4, 32)}
Secret = Annotated[str, Field(pattern=r"^[\w-]+:(latest|\d+)$")]


class CloudRunPool(Strict):
    """Each run is a Job of its own in `region`. What it writes on its disk counts as its memory, what Spark spills too.

    `secrets` are variables of its environment, each by `secret:version` of the Secret Manager. A Job that takes longer
    than `deadline` is ended.
    """

    type: Literal["cloud-run-v2"]
    image: str = Field(min_length=1)
    region: str = Field(min_length=1)
    service_account: str | None = None
    vpc_connector: str | None = None
    secrets: dict[Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")], Secret] = {}
    env: Environment = {}
    deadline: Duration = Field(timedelta(hours=6), ge=timedelta(minutes=1), le=timedelta(days=7))

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Say what the Job has, which is the most it may take too: limits mean nothing here."""
        if size.cpu not in ROOM:
            raise ValueError(f"Cloud Run has no {size.cpu} CPU; write one of {', '.join(map(str, ROOM))}")
        least, most = ROOM[size.cpu]
        if not least * GIB <= size.memory <= most * GIB:
            raise ValueError(f"Cloud Run has {least:g} to {most}GiB for {size.cpu} CPU")
        variables: JobVariables = {"cpu": str(size.cpu), "memory": f"{mebibytes(size.memory)}Mi"}
        return {**variables, **told(size.cpu, size.memory)}
