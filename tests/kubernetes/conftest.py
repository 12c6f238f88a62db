"""The cluster that all tests here share: the lab's, or that of `KUBECONFIG` for those that need no node."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.kubernetes import parts
from tests.kubernetes.lab.build import ARCHIVE
from tests.kubernetes.lab.cluster import Cluster, Kubectl
from tests.kubernetes.site import ClusterSite


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node on this machine, with our image on it."""
    cluster = Cluster()
    try:
        cluster.up()
        cluster.import_image(ARCHIVE)
        yield cluster
    finally:
        cluster.down()


@pytest.fixture(scope="session")
def kubectl(request: pytest.FixtureRequest) -> Kubectl:
    """Whatever cluster there is."""
    if config := os.environ.get("KUBECONFIG"):
        return Kubectl(Path(config), ("kubectl",))
    found: Kubectl = request.getfixturevalue("cluster").kubectl
    return found


@pytest.fixture(scope="session")
def site(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSite]:
    """Autoloader in the cluster, by overlays/test, with its parts beside it."""
    with (
        parts.running(tmp_path_factory.mktemp("parts")) as settings,
        closing(ClusterSite(settings, cluster)) as site,
    ):
        site.install()
        yield site
