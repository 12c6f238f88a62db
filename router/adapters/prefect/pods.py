"""What Prefect's observer in a Kubernetes worker tells of pods: events with a category, and lines in the run's log.

The label `kubernetes.diagnosis` is a contract of `prefect_kubernetes.diagnostics`; `kubernetes.reason` is how the
container ended, in Kubernetes' own word. What a node was short of, when it evicted a pod, stands in the log alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from router.rules.diagnosis import OUT_OF_MEMORY, Diagnosis

RUNS_WITH_EVENTS = 10  # a pod has four events or so
_RUN = "prefect.flow-run."


def pod_events(run_ids: Sequence[str]) -> Mapping[str, Any]:
    """The body of a request for the events of their pods."""
    runs = {"id": [f"{_RUN}{run_id}" for run_id in run_ids]}
    return {"filter": {"event": {"prefix": ["prefect.kubernetes.pod."]}, "any_resource": runs}, "limit": 50}


def pod_logs(run_id: str) -> Mapping[str, Any]:
    """The body of a request for what a run's log says at last."""
    return {"logs": {"flow_run_id": {"any_": [run_id]}}, "sort": "TIMESTAMP_DESC", "limit": 50}


def diagnoses(answer: Any) -> Iterator[tuple[str, Diagnosis | None]]:
    """Each event's run with what it says, the newest first; None when a pod is well.

    Of a pod that waits all events have occurred when it was made: the last one that was received is the newest.
    """
    events = [one for one in answer.get("events", ()) if isinstance(one, dict)] if isinstance(answer, dict) else []
    for event in sorted(events, key=_received, reverse=True):
        match event:
            case {"resource": dict() as pod, "related": list() as related}:
                category = pod.get("kubernetes.diagnosis")
                if category is None and pod.get("kubernetes.reason") == OUT_OF_MEMORY:
                    category = OUT_OF_MEMORY
                for run_id in _runs(related):
                    yield run_id, Diagnosis(category) if isinstance(category, str) else None


def _received(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(event["received"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):  # not told, or not as a time
        return datetime.min.replace(tzinfo=UTC)


def logged(answer: Any) -> str:
    """The lines of the observer, the newest first."""
    lines = answer if isinstance(answer, list) else ()
    return "; ".join(str(line.get("message", "")) for line in lines if "observer" in str(line.get("name", "")))


def _runs(related: Sequence[Any]) -> Iterator[str]:
    for resource in related:
        name = str(resource.get("prefect.resource.id", "")) if isinstance(resource, dict) else ""
        if name.startswith(_RUN):
            yield name.removeprefix(_RUN)
