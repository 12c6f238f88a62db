"""Jobs in Kubernetes."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ByteSize, Field

from schemas.base import Strict
from schemas.config.sizes import GIB, Environment, JobVariables, SizeClass, mebibytes
from schemas.config.values import Bytes, Duration

KubernetesName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]


class Kueue(Strict):
    """The local queue of Kueue in which Jobs stand for their quota, and with which of its priorities."""

    queue: KubernetesName
    priority_class: KubernetesName | None = None


class KubernetesPool(Strict):
    """Each run is a Job of its own, of `image`: without one it cannot be deployed.

    The keys of `secrets` become variables of its environment, as `env` does; those of `mounts` become files below a
    path. `scratch` is its space on disk, where Spark spills. A Job that is older than `deadline` is ended. With `kueue`
    it begins when that admits it, and gets older from then on.
    """

    type: Literal["kubernetes"] = "kubernetes"
    image: str | None = Field(None, min_length=1)
    image_pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    namespace: KubernetesName = "default"
    service_account: KubernetesName | None = None
    secrets: tuple[KubernetesName, ...] = ()
    mounts: dict[Annotated[str, Field(pattern=r"^/[\w./-]+$")], KubernetesName] = {}
    env: Environment = {}
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, str | int], ...] = ()
    priority_class: KubernetesName | None = None
    kueue: Kueue | None = None
    scratch: Bytes = ByteSize(20 * GIB)
    deadline: Duration = Field(timedelta(hours=6), ge=timedelta(minutes=1))

    def job_variables(self, size: SizeClass) -> JobVariables:
        """Say what the pod asks for, and its limits; the pod itself learns them from Kubernetes."""
        return {
            "cpu_request": str(size.cpu),
            "cpu_limit": str(size.cpu_limit or size.cpu),
            "memory_request": f"{mebibytes(size.memory)}Mi",
            "memory_limit": f"{mebibytes(size.memory_limit or size.memory)}Mi",
        }
