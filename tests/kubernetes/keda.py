"""What KEDA and the autoscaler behind it do with the ScaledObjects of phase-3, without their pauses."""

import math
import time
from dataclasses import dataclass
from threading import Event
from typing import Any

from tests.kubernetes.manifests import built, of_kind
from tests.kubernetes.site import NAMESPACE, ClusterSite
from tests.servers.prometheus import Prometheus


@dataclass(frozen=True)
class Scaling:
    """A ScaledObject: so many replicas are wanted as the query's value goes into thresholds, within bounds."""

    name: str
    query: str
    threshold: float
    least: int
    most: int

    def wanted(self, value: float) -> int:
        return min(self.most, max(self.least, math.ceil(value / self.threshold)))


def scaling(name: str) -> Scaling:
    """The ScaledObject of that name."""
    spec: dict[str, Any] = of_kind(built("phase-3"), "ScaledObject")[name]["spec"]
    (trigger,) = spec["triggers"]
    asked = trigger["metadata"]
    threshold = float(asked["threshold"])
    return Scaling(name, asked["query"], threshold, spec["minReplicaCount"], spec["maxReplicaCount"])


class Keda:
    """Scales one Deployment, and keeps how many pods it wanted when."""

    def __init__(self, site: ClusterSite, prometheus: Prometheus, name: str) -> None:
        self._site = site
        self._prometheus = prometheus
        self._scaling = scaling(name)
        self.wanted: list[tuple[float, int]] = []

    def value(self) -> float:
        """What the query is: one number, or KEDA would take it as an error."""
        (only,) = self._prometheus.ask(self._scaling.query)
        return only[1]

    def look(self) -> int:
        """Look once, and scale if that is called for."""
        replicas = self._scaling.wanted(self.value())
        if not self.wanted or self.wanted[-1][1] != replicas:
            self._site.kubectl("scale", "-n", NAMESPACE, f"deployment/{self._scaling.name}", f"--replicas={replicas}")
        self.wanted.append((time.monotonic(), replicas))
        return replicas

    def look_until(self, is_over: Event, every_seconds: float = 3.0) -> None:
        """Look again and again."""
        while not is_over.wait(every_seconds):
            self.look()

    def pod_seconds(self) -> float:
        """How long the pods were wanted, all together."""
        spans = zip(self.wanted, self.wanted[1:], strict=False)
        return sum(replicas * (end - begin) for (begin, replicas), (end, _) in spans)
