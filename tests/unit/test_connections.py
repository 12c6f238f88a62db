"""What the environment says of the connections, and that no other machine is talked to in plain text unawares."""

import pytest

from schemas.connections import (
    KafkaConnection,
    PrefectConnection,
    S3Connection,
    Sasl,
    host_of,
    is_this_machine,
    kafka_connection,
    otlp_endpoint,
    postgres_connection,
    prefect_connection,
    s3_connection,
    spark_connect_url,
)
from schemas.settings import SettingsError
from schemas.tls import Trust

KAFKA = {"KAFKA_BOOTSTRAP_SERVERS": "kafka-0:9093,kafka-1:9093"}
LOGIN = {
    "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
    "KAFKA_SASL_USERNAME": "autoloader",
    "KAFKA_SASL_PASSWORD": "s3cret",
}
READERS = {
    "kafka": kafka_connection,
    "postgres": postgres_connection,
    "prefect": prefect_connection,
    "s3": s3_connection,
    "spark-connect": spark_connect_url,
    "otlp": otlp_endpoint,
}
PLAIN = [
    ("kafka", {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092,kafka:9092"}),
    ("kafka", {**KAFKA, **LOGIN, "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}),
    ("postgres", {"DATABASE_URL": "postgresql://us:pass@db/ledger"}),
    ("postgres", {"DATABASE_URL": "postgresql://us@localhost:5432,db:5432/ledger?sslmode=prefer"}),
    ("postgres", {"DATABASE_URL": "postgresql://us@db/ledger?sslmode=disable"}),
    ("postgres", {"DATABASE_URL": "postgresql:///ledger?host=db"}),
    ("postgres", {"DATABASE_URL": "postgresql://localhost/ledger?hostaddr=192.0.2.1"}),
    ("postgres", {"DATABASE_URL": "postgresql:///ledger", "PGHOST": "db"}),
    ("prefect", {"PREFECT_API_URL": "http://prefect:4200/api"}),
    ("prefect", {"PREFECT_API_URL": "prefect:4200/api"}),
    ("s3", {"AWS_ENDPOINT_URL": "http://minio:9000"}),
    ("s3", {"AWS_ENDPOINT_URL": "https://minio:9000", "AWS_ENDPOINT_URL_S3": "HTTP://minio:9000"}),
    ("spark-connect", {"SPARK_CONNECT_URL": "sc://spark:15002"}),
    ("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}),
    ("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}),
    ("spark-connect", {"SPARK_CONNECT_URL": "sc://spark:15002/;use_ssl=false;user_id=us"}),
]
FINE = [
    ("kafka", {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092,127.0.0.2:9092,[::1]:9092"}),
    ("kafka", {**KAFKA, "KAFKA_SECURITY_PROTOCOL": "SSL"}),
    ("postgres", {"DATABASE_URL": "postgresql://us@127.0.0.1:5432/ledger"}),
    ("postgres", {"DATABASE_URL": "postgresql://us@[::1]/ledger?sslmode=disable"}),
    ("postgres", {"DATABASE_URL": "postgresql:///ledger?host=/var/run/postgresql"}),
    ("postgres", {"DATABASE_URL": "postgresql:///ledger"}),
    ("postgres", {"DATABASE_URL": "postgresql://us:p%40ss@db-1,db-2/ledger?sslmode=verify-full&sslrootcert=/ca.crt"}),
    ("prefect", {"PREFECT_API_URL": "http://localhost:4200/api"}),
    ("prefect", {"PREFECT_API_URL": "https://prefect/api"}),
    ("s3", {}),
    ("s3", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000"}),
    ("spark-connect", {}),
    ("otlp", {}),
    ("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}),
    ("otlp", {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector"}),
    ("spark-connect", {"SPARK_CONNECT_URL": "sc://localhost"}),
    ("spark-connect", {"SPARK_CONNECT_URL": "sc://spark/;use_ssl=TRUE"}),
    ("spark-connect", {"SPARK_CONNECT_URL": "sc://spark/;token=t"}),
]


@pytest.mark.parametrize(("part", "environ"), PLAIN)
def test_plain_text_to_another_machine_is_refused_and_what_to_write_is_said(part: str, environ: dict[str, str]) -> None:
    with pytest.raises(
        SettingsError, match=f"^{part} at .* in plain text by .*; .*or name {part} in AUTOLOADER_ALLOW_"
    ):
        READERS[part](environ)


@pytest.mark.parametrize(("part", "environ"), PLAIN)
def test_it_is_allowed_in_so_many_words_and_for_that_part_alone(part: str, environ: dict[str, str]) -> None:
    others = ",".join(READERS.keys() - {part})

    READERS[part]({**environ, "AUTOLOADER_ALLOW_PLAINTEXT": f" {part} ,"})
    with pytest.raises(SettingsError, match="in plain text"):
        READERS[part]({**environ, "AUTOLOADER_ALLOW_PLAINTEXT": others})


@pytest.mark.parametrize(("part", "environ"), FINE)
def test_what_is_encrypted_or_does_not_leave_this_machine_is_fine(part: str, environ: dict[str, str]) -> None:
    READERS[part](environ)


@pytest.mark.parametrize("part", READERS)
def test_a_part_that_there_is_not_cannot_be_allowed(part: str) -> None:
    environ = {name: value for name, value in PLAIN if name == part}[part]

    with pytest.raises(SettingsError, match="AUTOLOADER_ALLOW_PLAINTEXT names 'all'; there are postgres, kafka"):
        READERS[part]({**environ, "AUTOLOADER_ALLOW_PLAINTEXT": "all"})


@pytest.mark.parametrize(
    ("part", "environ"),
    [
        ("postgres", {"DATABASE_URL": "postgresql://us:s3cret@[::1/ledger"}),
        ("prefect", {"PREFECT_API_URL": "https://us:s3cret@[::1/api"}),
        ("spark-connect", {"SPARK_CONNECT_URL": "sc://spark:port"}),
    ],
)
def test_what_is_no_url_is_named_and_not_quoted(part: str, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(environ))} is no URL; (?!.*s3cret)"):
        READERS[part](environ)


def test_no_refusal_tells_a_password() -> None:
    with pytest.raises(SettingsError) as refused:
        postgres_connection({"DATABASE_URL": "postgresql://us:s3cret@db/ledger"})

    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(kafka_connection({**KAFKA, **LOGIN, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}))
    assert "s3cret" not in repr(postgres_connection({"DATABASE_URL": "postgresql://us:s3cret@localhost/ledger"}))


def test_all_that_kafka_needs_is_read() -> None:
    files = {"KAFKA_SSL_CAFILE": "/ca", "KAFKA_SSL_CERTFILE": "/crt", "KAFKA_SSL_KEYFILE": "/key"}

    found = kafka_connection({**KAFKA, **LOGIN, **files, "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"})

    sasl = Sasl("SCRAM-SHA-512", "autoloader", "s3cret")
    assert found == KafkaConnection(
        "kafka-0:9093,kafka-1:9093", "SASL_SSL", sasl, Trust("KAFKA_SSL_CAFILE", "/ca"), "/crt", "/key"
    )


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL='TLS' is unknown; write one of PLAINTEXT, SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_MECHANISM is not set"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **LOGIN, "KAFKA_SASL_PASSWORD": ""}, "KAFKA_SASL_PASSWORD is not set"),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", **LOGIN, "KAFKA_SASL_MECHANISM": "GSSAPI"},
            "KAFKA_SASL_MECHANISM='GSSAPI' is unknown; write one of SCRAM-SHA-256",
        ),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", **LOGIN}, "KAFKA_SASL_MECHANISM is set, and .*=SSL makes no use of it"),
        ({"KAFKA_SSL_CAFILE": "/ca"}, "KAFKA_SSL_CAFILE is set, and .*=PLAINTEXT makes no use of it"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEYFILE": "/key"}, "KAFKA_SSL_KEYFILE is set without"),
    ],
)
def test_what_does_not_go_together_is_named(environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        kafka_connection({**KAFKA, **environ})


def test_the_files_of_cas_are_read() -> None:
    prefect = {"PREFECT_API_URL": "https://p/api", "PREFECT_API_AUTH_STRING": "us:pass", "PREFECT_API_KEY": ""}
    s3 = {"AWS_ENDPOINT_URL": "https://s3:8443", "AWS_CA_BUNDLE": "/ca"}

    assert (
        postgres_connection({"DATABASE_URL": "postgresql://db?sslmode=verify-ca&sslrootcert=/c%20a"}).trust.ca_file
        == "/c a"
    )
    assert prefect_connection({**prefect, "PREFECT_API_SSL_CERT_FILE": "/ca"}) == PrefectConnection(
        "https://p/api", None, "us:pass", Trust("PREFECT_API_SSL_CERT_FILE", "/ca")
    )
    assert s3_connection(s3) == S3Connection("https://s3:8443", Trust("AWS_CA_BUNDLE", "/ca"))
    assert s3_connection(s3).encrypted_address == ("s3", 8443)


@pytest.mark.parametrize(
    ("address", "found"),
    [("kafka:9092", "kafka"), (" [::1]:9092", "::1"), ("kafka", "kafka"), ("[::1", "[::1"), (":9092", ":9092")],
)
def test_the_host_of_an_address_is_found(address: str, found: str) -> None:
    assert host_of(address) == found


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "2001:db8::1", "localhost.example", "kafka", "127.0.0.1.example"]
)
def test_a_name_may_be_any_machine(host: str) -> None:
    assert not is_this_machine(host)
