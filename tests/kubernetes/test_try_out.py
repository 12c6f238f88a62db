"""The part of overlays/dev that runs in our own image, with the tests' database in the place of its own."""

import json
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.e2e.site import Site, csv
from tests.kubernetes.manifests import Manifest, built, of_kind
from tests.kubernetes.site import NAMESPACE, ClusterSite, with_our_image

pytestmark = [pytest.mark.integration, pytest.mark.node]

NAME = "spark-connect"
DATABASE = "postgresql://autoloader:try-out@postgres/iceberg"  # as k8s/overlays/dev names it
GUARD = "autoloader_commit_found_no_row"
WAY_OUT = {"app.kubernetes.io/component": "process-worker"}  # to PostgreSQL and the store, by the policies of the base


def spark_connect(database: str) -> list[Manifest]:
    """Its Deployment and its Service."""
    manifests = [of_kind(built("dev"), kind)[NAME] for kind in ("Deployment", "Service")]
    told = json.dumps([with_our_image(one) for one in manifests])
    assert DATABASE in told
    found: list[Manifest] = json.loads(told.replace(DATABASE, database))
    found[0]["spec"]["template"]["metadata"]["labels"] |= WAY_OUT
    return found


def test_spark_connect_runs_in_our_image_after_it_has_guarded_the_catalog(site: ClusterSite) -> None:
    uri = site.write("orders", "before.csv", csv(2, a=1, b="x"))
    site.announce(uri)
    site.completion(uri)
    database = urlsplit(site.settings["DATABASE_URL"])._replace(path="/iceberg").geturl()
    with psycopg.connect(database) as connection:
        connection.execute(f"DROP TRIGGER {GUARD} ON iceberg_tables")

    site.kubectl.apply(*spark_connect(database))
    site.kubectl("rollout", "status", "-n", NAMESPACE, "--timeout=180s", f"deployment/{NAME}")

    with psycopg.connect(database) as connection:
        assert connection.execute("SELECT FROM pg_trigger WHERE tgname = %s", (GUARD,)).fetchone() is not None
    address = site.kubectl.json("get", "service", NAME, "-n", NAMESPACE)["spec"]["clusterIP"]
    inside = Site({**site.settings, "SPARK_CONNECT_URL": f"sc://{address}:15002"})
    assert inside.rows("lake.try.orders", uri) == 2
