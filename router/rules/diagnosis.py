"""What Kubernetes says of the pod of a run, by the categories of Prefect's observer.

| category                | what it means for the attempt                                            |
|-------------------------|--------------------------------------------------------------------------|
| OOMKilled               | out of memory                                                            |
| Evicted                 | infrastructure; out of memory, where the node was short of that          |
| ImagePullError          | nothing yet: it may still start; named as long as it lasts               |
| Unschedulable, .…       | the same                                                                 |
| CrashLoopBackOff, other | nothing: its end says more                                               |
"""

from dataclasses import dataclass

from schemas.report import Cause

OUT_OF_MEMORY, EVICTED = "OOMKilled", "Evicted"
QUOTA = "Quota"  # ours: Kueue has not admitted its Job, so there is no pod of which something could be said
SHORT_OF_MEMORY = "low on resource: memory"  # the kubelet's words
_ADVICE = {
    "ImagePullError": "its image cannot be had: check the pool's image and its pull secrets",
    "Unschedulable": "no node takes its pod: see the nodes, the pool's node_selector and tolerations",
    "Unschedulable.InsufficientResources": "no node has so much room: add one, or make the lane's classes smaller",
    "Unschedulable.NodeAffinity": "no node is as the pool's node_selector says",
    "Unschedulable.Taint": "the nodes are kept for others: see the pool's tolerations",
    OUT_OF_MEMORY: "its pod was killed for its memory",
    EVICTED: "its pod was evicted from its node",
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The newest thing said of a run's pod: Prefect's category, and what more was said of it."""

    category: str
    detail: str = ""

    @property
    def cause(self) -> Cause | None:
        """Why the pod ended, where this says so."""
        if self.category == OUT_OF_MEMORY or (self.category == EVICTED and SHORT_OF_MEMORY in self.detail):
            return "out-of-memory"
        return "infrastructure" if self.category == EVICTED else None

    @property
    def words(self) -> str:
        """What it means and what to do, for people."""
        said = f"Kubernetes says {self.category}"
        advice = _ADVICE.get(self.category)
        return f"{said}: {advice}" if advice else said
