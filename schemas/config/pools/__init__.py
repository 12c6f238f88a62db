"""Where the runs of a lane run, one module a type of Prefect's work pools.

A pool says the size of a run in the words of its own worker (`job_variables`), and raises ValueError for a size that it
does not have: so a configuration with such a class is refused.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.config.pools.cloud_run import CloudRunPool
from schemas.config.pools.docker import DockerPool
from schemas.config.pools.ecs import EcsPool
from schemas.config.pools.kubernetes import KubernetesPool
from schemas.config.pools.process import ProcessPool
from schemas.config.pools.vertex_ai import VertexPool

PoolType = Literal["process", "kubernetes", "docker", "ecs", "cloud-run-v2", "vertex-ai"]
Pool = Annotated[
    ProcessPool | KubernetesPool | DockerPool | EcsPool | CloudRunPool | VertexPool, Field(discriminator="type")
]
