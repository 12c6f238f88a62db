"""The manifests in `k8s/` as kustomize builds them, and where to find what in them."""

import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers.tools import installed

MANIFESTS = Path(__file__).resolve().parents[2] / "k8s"
OVERLAYS = ("phase-1", "phase-2", "phase-3", "dev", "prod", "test")
OURS = {"app.kubernetes.io/part-of": "autoloader"}  # what overlays/dev brings beside us is labelled otherwise

MAKERS = ("Deployment", "StatefulSet", "Job")

Manifest = dict[str, Any]


def built(overlay: str) -> list[Manifest]:
    """Build an overlay, or `base`, by kustomize, which Go builds where it is not there yet."""
    return built_from(MANIFESTS / ("base" if overlay == "base" else f"overlays/{overlay}"))


def built_from(folder: Path) -> list[Manifest]:
    """Build what a kustomization describes."""
    return list(yaml.safe_load_all(_built(folder)))


@cache
def _built(folder: Path) -> str:
    return subprocess.run([kustomize(), "build", folder], capture_output=True, text=True, check=True).stdout


def kustomize() -> Path:
    """Where the program is, built by Go if it is not there yet."""
    return installed("sigs.k8s.io/kustomize/kustomize/v5@v5.8.1", "kustomize")


def of_kind(manifests: list[Manifest], *kinds: str) -> dict[str, Manifest]:
    """Those of some kinds, by name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod template of everything that makes pods, by name."""
    return {name: one["spec"]["template"] for name, one in of_kind(manifests, *MAKERS).items()}


def ours(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod templates that are ours."""
    return {name: pod for name, pod in pods(manifests).items() if pod["metadata"]["labels"].items() >= OURS.items()}


def container(pod: Manifest) -> Manifest:
    """The one container of a pod of ours."""
    (only,) = pod["spec"]["containers"]
    found: Manifest = only
    return found


def secrets(pod: Manifest) -> set[str]:
    """The secrets of which a pod of ours gets anything."""
    one = container(pod)
    by_reference = [source.get("secretRef") for source in one.get("envFrom", [])]
    by_key = [entry.get("valueFrom", {}).get("secretKeyRef") for entry in one.get("env", [])]
    as_files = [volume.get("secret") for volume in pod["spec"].get("volumes", [])]
    return {ref.get("name") or ref["secretName"] for ref in (*by_reference, *by_key, *as_files) if ref}


def selects(policy: Manifest, labels: Mapping[str, str]) -> bool:
    """Whether a NetworkPolicy is about pods of these labels."""
    selector = policy["spec"]["podSelector"]
    wanted = selector.get("matchLabels", {})
    expressions = selector.get("matchExpressions", [])
    return labels.items() >= wanted.items() and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in expressions
    )
