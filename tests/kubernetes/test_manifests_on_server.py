"""Every overlay is taken by a real API server with Pod Security enforced: a dry run that changes nothing."""

import os

import pytest

from tests.kubernetes.definitions import KEDA, define
from tests.kubernetes.lab.cluster import Kubectl
from tests.kubernetes.manifests import OVERLAYS, Manifest, built, of_kind

ELSEWHERE = "autoloader-dry-run"  # the overlays' own namespace may be in use, and Jobs there cannot be changed
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": ELSEWHERE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}


@pytest.fixture(scope="module", autouse=True)
def scaled_objects(kubectl: Kubectl) -> None:
    """Have the lab know KEDA's resources; a cluster of somebody else's has them, or is left alone."""
    if not os.environ.get("KUBECONFIG"):
        define(kubectl, KEDA)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_passes_the_server_s_checks(kubectl: Kubectl, overlay: str) -> None:
    kubectl.apply(NAMESPACE)
    if of_kind(built(overlay), "ScaledObject") and not kubectl("get", "crd", "scaledobjects.keda.sh", check=False):
        pytest.skip("KEDA is not there")

    told = kubectl.apply(*map(moved, built(overlay)), dry_run=True)

    assert "violate" not in told
    assert told.count("(server dry run)") == len(built(overlay))


def moved(manifest: Manifest) -> Manifest:
    """The same in the other namespace, if it is in one."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "namespace": ELSEWHERE}} if "namespace" in metadata else manifest
