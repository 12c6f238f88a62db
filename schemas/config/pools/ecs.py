"""Tasks in Amazon's Elastic Container Service."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import ByteSize, Field, model_validator

from schemas.base import Strict
from schemas.config.sizes import GIB, Environment, JobVariables, SizeClass, mebibytes, told
from schemas.config.values import Bytes

CPU_UNITS = 1024  # of one processor, Amazon's unit
LEAST_SCRATCH, MOST_SCRATCH = ByteSize(21 * GIB), ByteSize(200 * GIB)
# What Fargate has, in GiB for so many processors: the least, the most, and the step.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html
FARGATE: Mapping[int, tuple[int, int, int]] = {
    1: (2, 8, 1),
    2: (4, 16, 1),
    4: (8, 30, 1),
    8: (16, 60, 4),
    16: (32, 120, 8),
}


class EcsPool(Strict):
    """Each run is a task of its own, in `cluster`, and in `subnets` of the VPC `vpc`, where they are written.

    `secrets` are variables of its environment by the ARN of a secret or parameter, which `execution_role` may read.
    `task_role` is as whom it reads and writes. `scratch` is its disk, on Fargate.
    """

    type: Literal["ecs"]
    image: str = Field(min_length=1)
    cluster: str | None = None
    launch_type: Literal["FARGATE", "FARGATE_SPOT", "EC2"] = "FARGATE"
    execution_role: str | None = None
    task_role: str | None = None
    vpc: str | None = None
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    public_ip: bool = False
    secrets: Environment = {}
    env: Environment = {}
    scratch: Bytes | None = Field(None, ge=LEAST_SCRATCH, le=MOST_SCRATCH)

    @model_validator(mode="after")
    def _places_are_whole(self) -> Self:
        if self.subnets and self.vpc is None:
            raise ValueError("subnets are those of a VPC; write vpc too")
        if self.scratch is not None and not self.is_fargate:
            raise ValueError("scratch is the disk of a task on Fargate; on EC2 it is the machine's")
        return self

    @property
    def is_fargate(self) -> bool:
        """Whether Amazon has the machines."""
        return self.launch_type != "EC2"

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Say what the task has, which is the most it may take too: limits mean nothing here."""
        if self.is_fargate:
            _check(size)
        variables: JobVariables = {"cpu": size.cpu * CPU_UNITS, "memory": mebibytes(size.memory)}
        return {**variables, **told(size.cpu, size.memory)}


def _check(size: SizeClass) -> None:
    if size.cpu not in FARGATE:
        raise ValueError(f"Fargate has no {size.cpu} CPU; write one of {', '.join(map(str, FARGATE))}")
    least, most, step = FARGATE[size.cpu]
    if size.memory % GIB or not least <= size.memory // GIB <= most or (size.memory // GIB - least) % step:
        raise ValueError(f"Fargate has {least} to {most}GiB for {size.cpu} CPU, in steps of {step}GiB")
