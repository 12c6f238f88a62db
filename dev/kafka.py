"""Kafka: one broker that is its own controller (KRaft), plain text, on the stack's address."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import TYPE_CHECKING

import yaml
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, for_code

from dev import jars
from dev.class_data import ClassData, class_data
from dev.errors import StackError
from dev.java import java
from dev.parts import Service
from dev.ports import ADDRESS, answers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dev.home import Home
    from dev.parts import RunOnce

TOPICS = (
    "ingestion.requests",
    "ingestion.file-arrivals",
    "ingestion.completions",
    "ingestion.dead-letters",
)
PARTITIONS = 3
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

_TOPIC_EXISTS = 36
_CLUSTER_ID = base64.urlsafe_b64encode(b"autoloader-local").decode().rstrip("=")
_JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_LOGGING = """<Configuration status="WARN">
  <Appenders><Console name="console"><PatternLayout pattern="%d %p %m (%c{1})%n"/></Console></Appenders>
  <Loggers>
    <Root level="WARN"><AppenderRef ref="console"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="INFO"/>
    <Logger name="org.apache.kafka.common.utils.AppInfoParser" level="ERROR"/>
  </Loggers>
</Configuration>
"""


def service(home: Home, ports: Mapping[str, int], config: Path, environ: Mapping[str, str]) -> Service:
    """The broker, with the topics of the router and those which its configuration names."""
    folder = home.root / "kafka"
    properties = folder / "server.properties"
    logging = folder / "log4j2.xml"
    port = ports["kafka"]

    def program(*flags: str) -> list[str]:
        class_path = os.pathsep.join(jars.KAFKA.class_path(home.jars))
        return [java(environ), *_JVM, *flags, f"-Dlog4j2.configurationFile={logging}", "-cp", class_path]

    def prepare(run_once: RunOnce) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        properties.write_text(server_properties(home.kafka_data, port, ports["kafka-controller"]))
        logging.write_text(_LOGGING)
        if not (home.kafka_data / "meta.properties").exists():
            run_once([*program(), "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", str(properties)])

    def archive() -> ClassData:
        return class_data(home, "kafka", jars.KAFKA.class_path(home.jars), environ)

    def command() -> list[str]:
        archive().keep()
        return [*program(*(archive().use() or archive().record())), "kafka.Kafka", str(properties)]

    def complete(_: RunOnce) -> None:
        archive().note_ready()
        asyncio.run(_create_topics(port, topics(config)))

    return Service(
        name="kafka",
        needs=(jars.step_name(jars.KAFKA),),
        prepare=prepare,
        command=command,
        ready=lambda: answers(port) and asyncio.run(_knows_its_broker(port)),
        complete=complete,
        stop_seconds=30,  # the first stop also writes the class data archive
    )


def bootstrap_servers(ports: Mapping[str, int]) -> str:
    return f"{ADDRESS}:{ports['kafka']}"


def server_properties(data: Path, port: int, controller_port: int) -> str:
    """The broker's configuration file."""
    listeners = f"PLAINTEXT://{ADDRESS}:{port},CONTROLLER://{ADDRESS}:{controller_port}"
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        # Static, because a dynamic quorum remembers the port, and ours may change.
        "controller.quorum.voters": f"1@{ADDRESS}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": listeners,
        "advertised.listeners": f"PLAINTEXT://{ADDRESS}:{port}",
        "log.dirs": str(data),
        "num.partitions": str(PARTITIONS),
        "auto.create.topics.enable": "false",
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "10",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "5",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # Else a start after kill -9 waits 12 s for the dead broker's session to end.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        "message.max.bytes": str(MAX_MESSAGE_BYTES),
        "replica.fetch.max.bytes": str(MAX_MESSAGE_BYTES),
    }
    # JSON escapes as Java reads it here, but for what no path has. Source: java.util.Properties.load.
    return "".join(f"{name}={json.dumps(value)[1:-1]}\n" for name, value in lines.items())


def topics(config: Path) -> dict[str, int]:
    """Partitions of each topic to be there: the router's own and those under `topics:` of its configuration.

    Read leniently: whether the configuration is right is for the router to say.
    """
    try:
        named = yaml.safe_load(config.read_text())["topics"]
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        named = None
    extra = {str(name): _partitions(settings) for name, settings in named.items()} if isinstance(named, dict) else {}
    return {**dict.fromkeys(TOPICS, PARTITIONS), **extra}


def _partitions(settings: object) -> int:
    count = settings.get("partitions") if isinstance(settings, dict) else None
    return count if isinstance(count, int) and count > 0 else PARTITIONS


async def _knows_its_broker(port: int) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{ADDRESS}:{port}", request_timeout_ms=2_000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


async def _create_topics(port: int, wanted: Mapping[str, int]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=f"{ADDRESS}:{port}")
    await admin.start()
    try:
        missing = [name for name in wanted if name not in set(await admin.list_topics())]
        new = [NewTopic(name, num_partitions=wanted[name], replication_factor=1) for name in missing]
        answer = await admin.create_topics(new) if new else None
    finally:
        await admin.close()
    for topic, code, *_ in answer.topic_errors if answer else ():
        if code not in {0, _TOPIC_EXISTS}:
            raise StackError(f"kafka: the topic {topic!r} could not be made: {for_code(code).__name__}.")
