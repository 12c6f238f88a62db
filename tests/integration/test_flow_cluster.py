"""A lane with `spark: {conf: {spark.master: spark://…}}`: what is too big for one machine is done by a cluster."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.site import eventually
from tests.integration.flow_site import Lake, a_table
from tests.servers import spark_cluster
from tests.servers.spark_cluster import WORKERS, SparkCluster

pytestmark = pytest.mark.integration

ROWS = 200


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkCluster]:
    with spark_cluster.serving(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


def of_the_lane(lake: Lake, cluster: SparkCluster) -> Mapping[str, str]:
    """What `deploy` gives to runs of such a lane; executors need the jars as drivers do."""
    defaults = (Path(lake.settings["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text().splitlines()
    jars = next(line.partition(" ")[2] for line in defaults if line.startswith("spark.driver.extraClassPath"))
    conf = {"spark.master": cluster.url, "spark.executor.memory": "512m", "spark.executor.extraClassPath": jars}
    return {**lake.settings, "AUTOLOADER_SPARK": "embedded", "AUTOLOADER_SPARK_CONF": json.dumps(conf)}


def test_a_batch_is_loaded_by_the_executors_of_another_cluster_though_a_worker_is_killed(
    lake: Lake, cluster: SparkCluster
) -> None:
    table = a_table()
    files = [lake.land(f"{n}.csv", "a,b\n" + f"{n},x\n" * ROWS) for n in range(4)]
    batch = lake.batch(table, [*files, lake.land("bad.csv.gz", b"no gzip")], lane="high-memory")
    load = lake.process(batch, 1, "session", of_the_lane(lake, cluster))
    (app,) = cluster.state()["activeapps"]
    assert (app["name"], app["cores"]) == ("autoloader", WORKERS)

    cluster.workers[0].kill()

    assert load.go_on() == 0
    assert lake.count(table, batch) == 4 * ROWS
    eventually(lambda: [one["state"] for one in cluster.state()["completedapps"]] == ["FINISHED"], "the master knows")
