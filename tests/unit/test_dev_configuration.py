"""What the local stack writes for its parts, and what it passes on to them."""

import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Semaphore
from time import sleep
from xml.etree import ElementTree

import pytest

from dev import jars, kafka, spark, workers
from dev.environment import for_parts
from dev.errors import StackError
from dev.home import Home, check_path
from tests.unit.test_dev_java import fake_java

PROJECT = Path(__file__).resolve().parents[2]
PORTS = {"postgres": 1, "kafka": 2, "kafka-controller": 3, "prefect": 4, "spark-connect": 5, "router": 6}


def home(folder: Path) -> Home:
    return Home(folder, jars=folder / "jars")


def spark_settings(house: Home) -> Mapping[str, str]:
    """What Spark is configured with in this home, where there is a Java."""
    house.create()
    java = house.root / "java"
    environ = {"JAVA_HOME": str(java)} if java.exists() else fake_java(java, 'openjdk version "17.0.15" 2025-04-15')
    spark.write_configuration(house, PORTS, environ, {})
    lines = (house.spark_conf / "spark-defaults.conf").read_text().splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_the_spark_settings_name_the_catalog_and_listen_on_the_loopback_only(tmp_path: Path) -> None:
    settings = spark.defaults(home(tmp_path), PORTS, {}, {})

    assert (
        settings["spark.sql.catalog.lake.uri"]
        == "jdbc:postgresql://127.0.0.1:1/iceberg?options=-c%20idle_session_timeout=15s"
    )
    assert settings["spark.sql.catalog.lake.warehouse"] == f"file://{tmp_path}/warehouse"
    assert settings["spark.sql.catalog.lake.cache-enabled"] == "false"
    assert settings["spark.connect.grpc.binding.port"] == "5"
    assert {value for name, value in settings.items() if "ddress" in name or name.endswith("host")} == {"127.0.0.1"}


def test_a_catalog_beside_the_lake_is_as_the_lake_where_it_does_not_say_otherwise(tmp_path: Path) -> None:
    settings = spark.defaults(home(tmp_path), PORTS, {}, {"far": {"warehouse": "s3://warehouse/far"}})

    assert settings["spark.sql.catalog.far"] == settings["spark.sql.catalog.lake"]
    assert settings["spark.sql.catalog.far.uri"] == settings["spark.sql.catalog.lake.uri"]
    assert settings["spark.sql.catalog.far.warehouse"] == "s3://warehouse/far"


def test_the_memory_of_spark_is_a_setting(tmp_path: Path) -> None:
    settings = spark.defaults(home(tmp_path), PORTS, {"AUTOLOADER_SPARK_MEMORY": "5g"}, {})

    assert settings["spark.driver.memory"] == "5g"


def test_an_endpoint_for_object_storage_reaches_spark(tmp_path: Path) -> None:
    settings = spark.defaults(home(tmp_path), PORTS, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, {})

    assert settings["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9"
    assert settings["spark.hadoop.fs.s3a.path.style.access"] == "true"


def test_a_folder_with_a_space_stays_one_word_for_the_jvm(tmp_path: Path) -> None:
    options = spark_settings(home(tmp_path / "my data"))["spark.driver.extraJavaOptions"]

    assert f"-Dderby.system.home={tmp_path}/my data/spark/derby" in shlex.split(options)


def test_the_settings_of_spark_are_one_line_each() -> None:
    assert spark.render({"a.b": "c", "d": "e f"}) == "a.b c\nd e f\n"


def test_the_written_configuration_is_private(tmp_path: Path) -> None:
    house = home(tmp_path)

    assert house.database_password() in spark_settings(house)["spark.sql.catalog.lake.jdbc.password"]

    assert (house.spark_conf / "spark-defaults.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("folder", ["compose/spark", "k8s/overlays/dev"])
def test_the_servers_of_compose_and_of_the_try_out_cluster_have_the_pools_of_the_local_one(
    tmp_path: Path, folder: str
) -> None:
    house = home(tmp_path)

    spark_settings(house)

    pools = (house.spark_conf / "fairscheduler.xml").read_text()
    assert (PROJECT / folder / "fairscheduler.xml").read_text() == pools
    assert "<schedulingMode>FAIR</schedulingMode>" in pools


def test_the_broker_listens_on_the_loopback_only_and_takes_large_records(tmp_path: Path) -> None:
    lines = kafka.server_properties(tmp_path, 2, 3).splitlines()

    assert "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:3" in lines
    assert "message.max.bytes=4194304" in lines
    assert "replica.fetch.max.bytes=4194304" in lines
    assert "auto.create.topics.enable=false" in lines


def test_java_reads_the_path_of_the_brokers_data_as_it_is() -> None:
    text = kafka.server_properties(Path("/data/a b/ä€😀/back\\slash"), 2, 3)

    assert r"log.dirs=/data/a b/\u00e4\u20ac\ud83d\ude00/back\\slash" in text.splitlines()


def test_topics_of_the_configuration_are_added_to_those_of_the_router(tmp_path: Path) -> None:
    config = tmp_path / "autoloader.yaml"
    config.write_text("topics: {storage.events: {}, audit: {partitions: 1}, odd: nonsense}")

    topics = kafka.topics(config)

    assert set(kafka.TOPICS) < set(topics)
    assert (topics["storage.events"], topics["audit"], topics["odd"]) == (3, 1, 3)


def test_a_configuration_that_is_missing_or_wrong_does_not_stop_the_stack(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("topics: [")

    assert set(kafka.topics(tmp_path / "none.yaml")) == set(kafka.TOPICS)
    assert set(kafka.topics(wrong)) == set(kafka.TOPICS)
    assert workers.slots(wrong, "default") == 2


def test_one_local_worker_takes_the_slots_of_all_that_are_configured(tmp_path: Path) -> None:
    config = tmp_path / "autoloader.yaml"
    config.write_text("lanes: {default: {workers: 2, slots_per_worker: 3}, priority: {}}")

    assert workers.slots(config, "default") == 6
    assert workers.slots(config, "priority") == 2


def test_the_project_for_maven_is_xml_and_keeps_out_what_pyspark_has() -> None:
    project = ElementTree.fromstring(jars.pom(jars.SPARK))  # noqa: S314 - our own text

    text = {element.text for element in project.iter() if element.tag.endswith("artifactId")}
    assert {"iceberg-spark-runtime-4.1_2.13", "hadoop-aws", "bundle", "hadoop-client-api"} <= text


def test_a_changed_pin_makes_a_set_incomplete(tmp_path: Path) -> None:
    jars.KAFKA.place(tmp_path).mkdir()
    assert jars.KAFKA.complete_in(tmp_path)

    assert not replace(jars.KAFKA, artifacts=("org.apache.kafka:kafka_2.13:4.3.0",)).complete_in(tmp_path)


def test_stacks_that_share_the_jars_download_them_one_after_the_other_and_once(tmp_path: Path) -> None:
    begun, downloads = Semaphore(0), []

    def run_once(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        if command[0] == "sleep":
            begun.release()
            sleep(0.01)
            return
        downloads.append(command)
        assert begun.acquire(timeout=30)  # the other one waits
        Path(command[-1].removeprefix("-DoutputDirectory="), "kafka.jar").touch()

    step = jars.download(jars.KAFKA, tmp_path, lambda _: None)
    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(step.run, [run_once, run_once]))

    assert outcomes == ["downloaded", "downloaded"]
    assert len(downloads) == 1
    assert [Path(jar).name for jar in jars.KAFKA.class_path(tmp_path)] == ["kafka.jar"]


def test_a_download_that_fails_leaves_no_set_and_the_next_one_succeeds(tmp_path: Path) -> None:
    def fail(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        Path(command[-1].removeprefix("-DoutputDirectory="), "half.jar").touch()
        raise StackError("no network")

    def succeed(command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        Path(command[-1].removeprefix("-DoutputDirectory="), "kafka.jar").touch()

    step = jars.download(jars.KAFKA, tmp_path, lambda _: None)
    with pytest.raises(StackError):
        step.run(fail)
    assert not jars.KAFKA.complete_in(tmp_path)

    step.run(succeed)

    assert [Path(jar).name for jar in jars.KAFKA.class_path(tmp_path)] == ["kafka.jar"]


def test_parts_do_not_inherit_the_callers_prefect_and_spark_but_all_else(tmp_path: Path) -> None:
    environ = {"PATH": "/bin", "SSL_CERT_FILE": "/c", "PREFECT_API_KEY": "k", "SPARK_HOME": "/s", "AWS_REGION": "r"}

    passed_on = for_parts(environ, home(tmp_path))

    assert {"PATH", "SSL_CERT_FILE", "AWS_REGION"} <= set(passed_on)
    assert not [name for name in passed_on if name.startswith(("PREFECT_", "SPARK_"))]


def test_parts_reach_each_other_past_a_proxy(tmp_path: Path) -> None:
    passed_on = for_parts({"HTTPS_PROXY": "http://proxy:1", "NO_PROXY": "corp"}, home(tmp_path))

    assert passed_on["NO_PROXY"] == "corp,127.0.0.1,localhost"


def test_java_among_the_parts_opens_files_of_any_name(tmp_path: Path) -> None:
    passed_on = for_parts({"LC_ALL": "C"}, home(tmp_path))

    assert passed_on["LC_ALL"] == "C.UTF-8"
    assert for_parts({"LC_ALL": "de_AT.UTF-8"}, home(tmp_path))["LC_ALL"] == "de_AT.UTF-8"


@pytest.mark.parametrize("odd", [",", ":", '"', "\\"])
def test_a_folder_whose_path_would_be_taken_for_something_else_is_refused(odd: str) -> None:
    with pytest.raises(StackError, match="AUTOLOADER_HOME"):
        check_path(Path(f"/data/a{odd}b/.autoloader"))

    check_path(Path("/data/o'neil #1 %41 ä & (x)=+@!~^{*?[/.autoloader"))
