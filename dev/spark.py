"""The Spark Connect server, and the configuration which an embedded session shares with it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from dev import class_path, jars, postgres
from dev.class_data import ClassData, class_data
from dev.errors import StackError
from dev.home import write_private
from dev.parts import Service
from dev.ports import ADDRESS, answers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dev.home import Home
    from dev.parts import RunOnce

    Catalogs = Mapping[str, Mapping[str, str]]

CATALOG = "lake"
DEFAULT_MEMORY = "2g"
DEFAULT_WARMING = "10"
RECORDER = "spark-recorder"

_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
_LOGGING = """rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %c{1}: %m%n%ex
"""
# C2 took as much CPU to compile a load of few rows as the load: it waits for forty times as many calls and rounds as by
# Java's default, which a load of many rows soon has made. But what Spark generates for a load is new each time: there
# C2 waits no longer than by default. A load of few rows has none.
_PATIENT_COMPILER = (
    "-XX:Tier4InvocationThreshold=200000",
    "-XX:Tier4MinInvocationThreshold=24000",
    "-XX:Tier4CompileThreshold=600000",
    "-XX:Tier4BackEdgeThreshold=1600000",
    "-XX:CompileCommand=quiet",
    "-XX:CompileCommand=CompileThresholdScaling,*GeneratedIteratorForCodegenStage*.*,0.025",
)
# As in `compose/spark` and `k8s/overlays/dev`, whose tools take no file from elsewhere.
_FAIR = """<?xml version="1.0"?>
<!-- Loads that run side by side take turns, task by task, so that a small one need not wait for a big. -->
<allocations>
  <pool name="default"><schedulingMode>FAIR</schedulingMode></pool>
</allocations>
"""


def service(home: Home, ports: Mapping[str, int], environ: Mapping[str, str], catalogs: Catalogs) -> Service:
    """The server, warm; `catalogs` as in `defaults`."""
    port = ports["spark-connect"]

    def prepare(_: RunOnce) -> None:
        write_configuration(home, ports, environ, catalogs)

    return Service(
        name="spark-connect",
        needs=("postgres", jars.step_name(jars.SPARK)),
        prepare=prepare,
        command=lambda: _server(home, port, _class_data(home, environ).use()),
        environment=_server_environment(home, ports),
        ready=lambda: answers(port),
        complete=lambda run_once: run_once(_warming(home, environ), client_settings(home, ports)),
        start_seconds=120,
        stop_seconds=20,
    )


def recorder(home: Home, ports: Mapping[str, int], environ: Mapping[str, str], port: int) -> Service:
    """A server on `port` whose only purpose is to write the class data archive when it is stopped.

    It runs at the lowest priority and beside the real one, which is never slowed down by recording (that
    doubles its start).
    """
    archive = _class_data(home, environ)

    def complete(run_once: RunOnce) -> None:
        settings = client_settings(home, {**ports, "spark-connect": port})
        run_once(["nice", "-n", "19", *_warming(home, environ)], settings)
        archive.note_ready()

    return Service(
        name=RECORDER,
        needs=(),
        command=lambda: ["nice", "-n", "19", *_server(home, port, archive.record())],
        environment=_server_environment(home, ports),
        ready=lambda: answers(port),
        complete=complete,
        start_seconds=600,
        stop_seconds=600,
    )


def has_class_data(home: Home, environ: Mapping[str, str]) -> bool:
    return _class_data(home, environ).exists()


def keep_class_data(home: Home, environ: Mapping[str, str]) -> None:
    _class_data(home, environ).keep()


def connect_url(ports: Mapping[str, int]) -> str:
    return f"sc://{ADDRESS}:{ports['spark-connect']}"


def client_settings(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    """For programs that use the server, or open a session of their own on the same catalog."""
    return {
        "SPARK_CONNECT_URL": connect_url(ports),
        "SPARK_CONF_DIR": str(home.spark_conf),
        "SPARK_LOCAL_IP": ADDRESS,
        "PYSPARK_PYTHON": sys.executable,
    }


def spark_home() -> Path:
    """The Spark inside the installed pyspark."""
    spec = find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise StackError("spark-connect: pyspark is not installed here: run `pip install -e .` in the project.")
    return Path(spec.origin).parent


def write_configuration(home: Home, ports: Mapping[str, int], environ: Mapping[str, str], catalogs: Catalogs) -> None:
    """`spark-defaults.conf` (private: it holds the catalog's password), and beside it the logging and the pools."""
    (home.spark_conf / "log4j2.properties").write_text(_LOGGING)
    (home.spark_conf / "fairscheduler.xml").write_text(_FAIR)
    settings = {**defaults(home, ports, environ, catalogs), **_java(home, environ)}
    write_private(home.spark_conf / "spark-defaults.conf", render(settings))


def _warming(home: Home, environ: Mapping[str, str]) -> list[str]:
    """The first loads cost seconds: nobody's should pay that."""
    loads = environ.get("AUTOLOADER_SPARK_WARMING", DEFAULT_WARMING)
    return [sys.executable, "-m", "flows.loading.warming", CATALOG, str(home.spark), loads]


def _server(home: Home, port: int, class_data: list[str]) -> list[str]:
    return [
        str(spark_home() / "bin" / "spark-submit"),
        *("--class", _SERVER),
        *("--conf", f"spark.connect.grpc.binding.port={port}", "--conf", "spark.scheduler.mode=FAIR"),
        *("--conf", f"spark.scheduler.allocation.file={_local_uri(home.spark_conf / 'fairscheduler.xml')}"),
        *("--driver-java-options", _java_options(home, [*_PATIENT_COMPILER, *class_data])),
        "spark-internal",
    ]


def _server_environment(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {**client_settings(home, ports), "SPARK_HOME": str(spark_home())}


def _class_data(home: Home, environ: Mapping[str, str]) -> ClassData:
    """What the server writes, and embedded sessions use as well: another one for each installed Spark."""
    program = f"spark-{hashlib.sha256(os.fsencode(spark_home())).hexdigest()[:6]}"
    return class_data(home, program, _jars(home), environ)


def _jars(home: Home) -> list[str]:
    return [*jars.SPARK.class_path(home.jars), *map(str, jars.jars_in(spark_home() / "jars"))]


def _java(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """How Spark starts Java. The jars are on the class path and not in spark.jars, which copies them."""
    archive = _class_data(home, environ)
    all_jars = archive.kept.with_suffix(".jar")
    if not all_jars.exists():  # the archive is valid for exactly this file
        with contextlib.suppress(OSError):  # shared jars may be another user's
            class_path.write(all_jars, map(Path, _jars(home)))
    named = [str(all_jars)] if all_jars.exists() else jars.SPARK.class_path(home.jars)
    return {
        "spark.driver.extraClassPath": os.pathsep.join(named),
        "spark.driver.extraJavaOptions": _java_options(home, archive.use()),
    }


def _java_options(home: Home, more: list[str]) -> str:
    options = ["-XX:+UseSerialGC", f"-Dderby.system.home={home.spark / 'derby'}", *more]
    return " ".join(f'"{option}"' for option in options)


def render(settings: Mapping[str, str]) -> str:
    return "".join(f"{name} {value}\n" for name, value in settings.items())


def defaults(home: Home, ports: Mapping[str, int], environ: Mapping[str, str], catalogs: Catalogs) -> dict[str, str]:
    """What a session needs to know: where it may listen, what it may read, and the catalogs.

    `catalogs` by name, `lake` too; what they do not say is as `lake` has it by itself.
    """
    settings = {**_session(home, ports, environ), **_iceberg(), **_storage(environ)}
    for name, changes in {CATALOG: {}, **catalogs}.items():
        catalog = f"spark.sql.catalog.{name}"
        settings[catalog] = "org.apache.iceberg.spark.SparkCatalog"
        settings |= {f"{catalog}.{key}": value for key, value in {**_lake(home, ports), **changes}.items()}
    return settings


def _session(home: Home, ports: Mapping[str, int], environ: Mapping[str, str]) -> dict[str, str]:
    return {
        "spark.master": "local[*]",
        "spark.driver.memory": environ.get("AUTOLOADER_SPARK_MEMORY", DEFAULT_MEMORY),
        "spark.driver.host": ADDRESS,
        "spark.driver.bindAddress": ADDRESS,
        "spark.connect.grpc.binding.address": ADDRESS,
        "spark.connect.grpc.binding.port": str(ports["spark-connect"]),
        "spark.ui.enabled": "false",
        "spark.local.dir": str(home.spark / "local"),
        "spark.sql.warehouse.dir": _local_uri(home.spark / "warehouse"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "8",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }


def _local_uri(folder: Path) -> str:
    # Not as_uri(): Hadoop takes a path as it is written, and "%20" would be part of the folder's name.
    return f"file://{folder}"


def _iceberg() -> dict[str, str]:
    return {
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        # A session that has ended keeps its connection to the catalog until the heap's old part is collected.
        "spark.cleaner.periodicGC.interval": "1min",
    }


def _lake(home: Home, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "type": "jdbc",
        # What a session that has ended, or waits, keeps of connections PostgreSQL ends; who comes back connects again.
        "uri": f"jdbc:postgresql://{ADDRESS}:{ports['postgres']}/iceberg?options=-c%20idle_session_timeout=15s",
        "retryable_status_codes": "57P05",
        "jdbc.user": postgres.USER,
        "jdbc.password": home.database_password(),
        "jdbc.schema-version": "V1",
        "warehouse": _local_uri(home.warehouse),
        "cache-enabled": "false",  # else the commits of other sessions are not seen
    }


def _storage(environ: Mapping[str, str]) -> dict[str, str]:
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    reading = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}
    if endpoint:
        # Requests are signed for a region, also those to storage that has none.
        region = region or "us-east-1"
        reading |= {"spark.hadoop.fs.s3a.endpoint": endpoint, "spark.hadoop.fs.s3a.path.style.access": "true"}
    return {**reading, "spark.hadoop.fs.s3a.endpoint.region": region} if region else reading
