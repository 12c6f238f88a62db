"""Every overlay is taken by a real API server with Pod Security enforced: a dry run that changes nothing."""

import pytest

from tests.kubernetes.lab.cluster import Kubectl
from tests.kubernetes.manifests import OVERLAYS, built

NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": "autoloader", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_passes_the_server_s_checks(kubectl: Kubectl, overlay: str) -> None:
    if not kubectl("get", "namespace", "autoloader", check=False):
        kubectl.apply(NAMESPACE)

    told = kubectl.apply(*built(overlay), dry_run=True)

    assert "violate" not in told
    assert told.count("(server dry run)") == len(built(overlay))
