"""Every part behind TLS and a login: all goes through with the right settings, and the wrong one is named."""

import asyncio
import gc
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import obstore
import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from dev.stack import Stack
from flows.loading.errors import Infrastructure
from flows.loading.trust import STORE_PASSWORD, give_to_java
from router.adapters.kafka.publisher import KafkaPublisher
from router.adapters.kafka.source import KafkaSource
from router.adapters.storage import ObjectStore
from router.errors import Transient
from router.rules.outgoing import OutgoingEvent
from router.rules.publication import Acknowledged
from schemas.config.topics import COMPLETIONS_TOPIC
from schemas.connections import KafkaConnection, SecurityProtocol, kafka_connection
from schemas.ledger.migrate import upgrade
from schemas.tls import Trust
from storage import s3 as storage
from tests.conftest import PROJECT
from tests.e2e.site import eventually
from tests.integration.doors import HOST, USER, Doors, answers, encrypted, opened
from tests.integration.flow_site import Lake, a_table
from tests.servers.tools import HAS_GO

pytestmark = [pytest.mark.integration, HAS_GO]

ELSEWHERE = {
    "DATABASE_URL": "postgresql://us@db.example/ledger",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092",
    "PREFECT_API_URL": "http://prefect.example:4200/api",
    "AWS_ENDPOINT_URL": "http://s3.example:9000",
    "SPARK_CONNECT_URL": "sc://spark.example:15002",
}
PARTS = {
    "ledger": "postgres",
    "kafka": "kafka",
    "prefect": "prefect",
    "storage": "s3",
    "spark-connect": "spark-connect",
}


@pytest.fixture(scope="module")
def doors(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    """After the stack: it has the libraries."""
    with opened(tmp_path_factory.mktemp("doors")) as doors:
        upgrade(doors.settings["DATABASE_URL"])
        yield doors


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Mapping[str, str]], None]]:
    """Take settings as the environment of this process."""

    def used(settings: Mapping[str, str]) -> None:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        storage.bucket.cache_clear()

    yield used
    storage.bucket.cache_clear()


def ran(settings: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli.main", *words]
    environ = {**os.environ, **settings}
    return subprocess.run(command, env=environ, cwd=PROJECT, capture_output=True, text=True, check=False)


def autoloader(doors: Doors, *words: str) -> str:
    """What a command says that ends well."""
    done = ran(doors.settings, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def diagnosed() -> dict[str, str]:
    """What the doctor says of each part in which something is wrong."""
    findings = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    return {finding["part"]: finding["found"] for finding in findings if finding["advice"]}


def test_router_and_commands_go_through_all_doors(doors: Doors, tmp_path: Path) -> None:
    """A file is landed, announced, recorded, measured, batched, and a run submitted for it."""
    autoloader(doors, "deploy")
    router = subprocess.Popen([sys.executable, "-m", "cli.main", "router"], env={**os.environ, **doors.settings})
    try:
        ready = f"http://{HOST}:{doors.settings['AUTOLOADER_HTTP_PORT']}/readyz"
        eventually(lambda: answers(ready), "the router is ready")
        said = autoloader(doors, "doctor")
        (tmp_path / "a.csv").write_text("a\n1\n")
        uri = autoloader(doors, "land", "orders", str(tmp_path / "a.csv")).strip()
        eventually(lambda: _run_of(doors, uri), "a run is submitted")
    finally:
        router.terminate()
        router.wait()

    assert "✗" not in said


def _run_of(doors: Doors, uri: str) -> str | None:
    with psycopg.connect(doors.settings["DATABASE_URL"]) as connection:
        found = connection.execute(
            "SELECT run_id FROM attempt JOIN file USING (batch_id) WHERE uri = %s AND run_id IS NOT NULL", (uri,)
        ).fetchone()
    return None if found is None else str(found[0])


def test_a_certificate_of_another_ca_is_named_with_the_setting(doors: Doors, use: Callable[..., None]) -> None:
    other, settings = str(doors.other_ca), dict(doors.settings)
    for name in ("KAFKA_SSL_CAFILE", "PREFECT_API_SSL_CERT_FILE", "AWS_CA_BUNDLE"):
        settings[name] = other
    settings["DATABASE_URL"] = settings["DATABASE_URL"].replace(str(doors.ca), other)
    use(settings)

    said = diagnosed()

    assert f"is not signed by sslrootcert in DATABASE_URL ({other})" in said["ledger"]
    for part, name in (
        ("kafka", "KAFKA_SSL_CAFILE"),
        ("prefect", "PREFECT_API_SSL_CERT_FILE"),
        ("storage", "AWS_CA_BUNDLE"),
    ):
        assert f"is not signed by {name} ({other})" in said[part]


def test_another_program_at_the_routers_port_is_named(doors: Doors, stack: Stack, use: Callable[..., None]) -> None:
    prefect = urlsplit(stack.settings()["PREFECT_API_URL"])
    use({**doors.settings, "AUTOLOADER_HTTP_PORT": str(prefect.port)})

    assert f"what answers at {prefect.netloc} is no router that is well: 404" in diagnosed()["router"]


async def test_a_store_that_is_not_trusted_is_told_to_the_router(doors: Doors, use: Callable[..., None]) -> None:
    use({**doors.settings, "AWS_CA_BUNDLE": str(doors.other_ca)})

    with pytest.raises(Transient, match=r"not trusted \(UnknownIssuer\); see AWS_CA_BUNDLE"):
        await ObjectStore().measure("s3://landing/a.csv")


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_login_that_is_refused_is_named(doors: Doors, use: Callable[..., None]) -> None:
    wrong = {
        "DATABASE_URL": re.sub(r":\w+@", ":wrong@", doors.settings["DATABASE_URL"]),
        "KAFKA_SASL_PASSWORD": "wrong",
        "PREFECT_API_AUTH_STRING": f"{USER}:wrong",
        "AWS_SECRET_ACCESS_KEY": "wrong",
    }
    use({**doors.settings, **wrong})

    said = diagnosed()
    gc.collect()  # aiokafka does not wait for the end of a connection whose login is refused; no later test is blamed

    assert "password authentication failed" in said["ledger"]
    assert f"refuses the user '{USER}' by SCRAM-SHA-512; check KAFKA_SASL_USERNAME" in said["kafka"]
    assert "check PREFECT_API_AUTH_STRING or PREFECT_API_KEY" in said["prefect"]
    assert "check the keys" in said["storage"]


@pytest.mark.parametrize(
    ("words", "wrong", "said"),
    [
        (["router"], {"KAFKA_SSL_CAFILE": "/nowhere"}, "KAFKA_SSL_CAFILE=/nowhere cannot be read: No such file"),
        (["router"], {"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL='TLS' is unknown; write one of"),
        (
            ["deploy"],
            {"PREFECT_API_AUTH_STRING": f"{USER}:wrong"},
            "Prefect: it does not know us; check PREFECT_API_AUTH",
        ),
        (
            ["deploy"],
            {"PREFECT_API_SSL_CERT_FILE": "other"},
            "Prefect: the certificate of .* is not signed by PREFECT_",
        ),
        (["pause", "orders"], {"DATABASE_URL": "postgresql://db.example/ledger"}, "postgres at db.example would be"),
        (["cancel", "b-1"], {"KAFKA_SASL_PASSWORD": "wrong"}, f"Kafka: .* refuses the user '{USER}' by SCRAM-SHA-512"),
    ],
)
def test_a_command_says_in_one_line_what_does_not_fit(
    doors: Doors, words: list[str], wrong: dict[str, str], said: str
) -> None:
    files = {name: str(doors.other_ca) for name, value in wrong.items() if value == "other"}

    done = ran({**doors.settings, **wrong, **files}, *words)

    assert done.returncode == 1
    assert re.search(f"^autoloader {words[0]}: {said}", done.stderr, re.MULTILINE), done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_that_is_missing_is_named(doors: Doors, use: Callable[..., None]) -> None:
    names = {"kafka": "KAFKA_SSL_CAFILE", "prefect": "PREFECT_API_SSL_CERT_FILE", "storage": "AWS_CA_BUNDLE"}
    database_url = doors.settings["DATABASE_URL"].replace(str(doors.ca), "/nowhere")
    use({**doors.settings, **dict.fromkeys(names.values(), "/nowhere"), "DATABASE_URL": database_url})

    said = diagnosed()

    for part, name in {**names, "ledger": "sslrootcert in DATABASE_URL"}.items():
        assert said[part].startswith(f"{name}=/nowhere cannot be read: No such file or directory")


def test_plain_text_to_another_machine_is_refused(doors: Doors, use: Callable[..., None]) -> None:
    use({**doors.settings, **dict.fromkeys(["KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"], ""), **ELSEWHERE})
    use(dict.fromkeys(["KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_MECHANISM", "KAFKA_SSL_CAFILE"], ""))

    said = diagnosed()
    router = CliRunner().invoke(app, ["router"])

    for part, name in PARTS.items():
        assert "in plain text by" in said[part]
        assert f"or name {name} in AUTOLOADER_ALLOW_PLAINTEXT" in said[part]
    assert router.exit_code == 1
    assert router.stderr.startswith("autoloader router: ")
    assert "in plain text" in router.stderr


async def through(connection: KafkaConnection) -> list[str]:
    """Publish an event and read it back."""
    publisher, source = KafkaPublisher(connection), KafkaSource(connection, str(uuid4()), [COMPLETIONS_TOPIC])
    event = OutgoingEvent(COMPLETIONS_TOPIC, "key", str(uuid4()))
    try:
        while await publisher.publish([event]) != [Acknowledged()]:
            pass
        async with asyncio.timeout(60):
            while True:
                values = [record.value.decode() for record in await source.poll() if record.value]
                if event.value in values:
                    return values
    finally:
        await publisher.close()
        await source.close()


async def test_kafka_is_read_and_written_by_each_protocol(doors: Doors) -> None:
    trust, certificate, key = Trust("CA", str(doors.ca)), str(doors.client.certificate), str(doors.client.key)

    assert await through(kafka_connection(doors.settings))
    assert await through(KafkaConnection(f"{HOST}:{doors.kafka_ports['SSL']}", "SSL", trust=trust))
    assert await through(KafkaConnection(f"{HOST}:{doors.kafka_ports['MTLS']}", "SSL", None, trust, certificate, key))


@pytest.mark.parametrize(
    ("listener", "protocol", "said"),
    [
        ("MTLS", "SSL", "does not take our certificate, or wants one"),
        ("PLAINTEXT", "SSL", r"hangs up at the handshake; does it speak TLS\?"),
        ("SSL", "PLAINTEXT", "and KAFKA_SECURITY_PROTOCOL=PLAINTEXT do not go together"),
    ],
)
async def test_a_listener_of_another_kind_is_named_by_the_router(
    doors: Doors, listener: str, protocol: SecurityProtocol, said: str
) -> None:
    connection = KafkaConnection(f"{HOST}:{doors.kafka_ports[listener]}", protocol, trust=Trust("CA", str(doors.ca)))
    source = KafkaSource(connection, "group", [COMPLETIONS_TOPIC])

    with pytest.raises(Transient, match=said):
        await source.poll()


def test_a_run_reads_an_encrypted_store_with_a_spark_of_its_own(
    doors: Doors, lake: Lake, use: Callable[..., None]
) -> None:
    site, uri, table = _site(lake, doors), f"s3://landing/{uuid4()}/a.csv", a_table()
    use(doors.settings)
    obstore.put(storage.bucket("landing"), uri.removeprefix("s3://landing/"), b"a\n1\n")
    batch = site.batch(table, [uri], lane="high-memory")

    assert site.process(batch, 1, "result").go_on() == 0

    assert lake.rows(table, "a", "_file_uri") == [(1, uri)]


def test_java_is_given_the_cas_of_a_bundle_besides_its_own(
    doors: Doors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (bundle := tmp_path / "bundle.pem").write_text(doors.ca.read_text() + doors.other_ca.read_text())
    monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dours=1")

    give_to_java({**os.environ, "AWS_CA_BUNDLE": str(bundle)})

    before, store, _ = shlex.split(os.environ["SPARK_SUBMIT_OPTS"])
    assert before == "-Dours=1"
    assert _trusted("-keystore", store.partition("=")[2]) == _trusted("-cacerts") + 2


def _trusted(*store: str) -> int:
    """How many CAs a store of Java's has."""
    command = ["keytool", "-list", *store, "-storepass", STORE_PASSWORD]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.count("trustedCertEntry")


def test_a_run_does_not_hang_at_a_store_that_it_does_not_trust(doors: Doors, lake: Lake) -> None:
    site = _site(lake, doors, AWS_CA_BUNDLE=str(doors.other_ca))
    batch = site.batch(a_table(), [site.land("a.csv", "a\n1\n")], lane="high-memory")

    with pytest.raises(Infrastructure, match="is not signed by AWS_CA_BUNDLE"):
        site.load(batch)

    assert site.attempt_of(batch, 1)[0] == "infrastructure"


def test_a_run_uses_an_encrypted_spark_connect_server(doors: Doors, lake: Lake) -> None:
    port = urlsplit(lake.settings["SPARK_CONNECT_URL"]).port
    assert port is not None
    with encrypted(port, doors.server) as outside:
        url = {"SPARK_CONNECT_URL": f"sc://{HOST}:{outside}/;use_ssl=true"}
        site, table = _site(lake, doors, **url, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH=str(doors.ca)), a_table()
        batch, stranger = (site.batch(table, [site.land("a.csv", "a\n1\n")]) for _ in range(2))

        assert site.process(batch, 1, "result").go_on() == 0
        with pytest.raises(Infrastructure, match=r"is not signed by .*; let GRPC_DEFAULT_SSL_ROOTS"):
            site.load(stranger)

    assert lake.rows(table, "a") == [(1,)]


def _site(lake: Lake, doors: Doors, **more: str) -> Lake:
    """The same lake, with the ledger and the store behind doors."""
    conf = lake.folder / uuid4().hex
    conf.mkdir()
    defaults = (Path(lake.settings["SPARK_CONF_DIR"]) / "spark-defaults.conf").read_text()
    lines = [line for line in defaults.splitlines() if "fs.s3a.endpoint " not in line]
    lines += [f"spark.hadoop.fs.s3a.endpoint {doors.settings['AWS_ENDPOINT_URL']}"]
    (conf / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    ours = {name: value for name, value in doors.settings.items() if name.startswith(("AWS_", "DATABASE_"))}
    return replace(lake, settings={**lake.settings, **ours, "SPARK_CONF_DIR": str(conf), **more})
