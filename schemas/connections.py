"""Connections to the parts, as the environment describes them; nothing is opened here.

What goes to another machine goes encrypted, unless `AUTOLOADER_ALLOW_PLAINTEXT` names its part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Literal, cast, get_args
from urllib.parse import SplitResult, parse_qs, urlsplit

from schemas.settings import SettingsError, needed
from schemas.tls import Trust

Part = Literal["postgres", "kafka", "prefect", "s3", "spark-connect", "otlp"]
SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"]
SASL = ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD")
CERTIFICATES = ("KAFKA_SSL_CAFILE", "KAFKA_SSL_CERTFILE", "KAFKA_SSL_KEYFILE")
KAFKA_TRUST = Trust("KAFKA_SSL_CAFILE")
POSTGRES_TRUST = Trust("sslrootcert in DATABASE_URL")
PREFECT_TRUST = Trust("PREFECT_API_SSL_CERT_FILE")
S3_TRUST = Trust("AWS_CA_BUNDLE")
CONNECT_TRUST = Trust("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")  # read by gRPC itself
CONNECT_PORT = 15002
OTLP_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
ENCRYPTED_MODES = ("require", "verify-ca", "verify-full")  # in every other PostgreSQL may be talked to in plain text


@dataclass(frozen=True, slots=True)
class Sasl:
    """A user's name and password, and how Kafka asks for them."""

    mechanism: SaslMechanism
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where Kafka is (`host:port,…`), who logs in, whom we trust, and the files of a certificate of our own (PEM)."""

    bootstrap_servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl: Sasl | None = None
    trust: Trust = KAFKA_TRUST
    certificate_file: str | None = None
    key_file: str | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it speaks TLS."""
        return self.security_protocol.endswith("SSL")


@dataclass(frozen=True, slots=True)
class PostgresConnection:
    """A database's URL with all that its clients read of it, and whom they trust by it."""

    url: str = field(repr=False)
    trust: Trust = POSTGRES_TRUST


@dataclass(frozen=True, slots=True)
class PrefectConnection:
    """Prefect's API, what a request says to be let in, and whom we trust."""

    api_url: str
    key: str | None = field(default=None, repr=False)
    user_and_password: str | None = field(default=None, repr=False)
    trust: Trust = PREFECT_TRUST


@dataclass(frozen=True, slots=True)
class S3Connection:
    """Another endpoint than that of AWS, and whom we trust besides the CAs of the system."""

    endpoint: str | None = None
    trust: Trust = S3_TRUST

    @property
    def encrypted_address(self) -> tuple[str, int] | None:
        """Host and port of an endpoint with TLS."""
        at = urlsplit(self.endpoint or "")
        return (at.hostname or "", at.port or 443) if at.scheme == "https" else None


def kafka_connection(environ: Mapping[str, str]) -> KafkaConnection:
    """Read `KAFKA_*`. Raises SettingsError."""
    servers = needed(environ, "KAFKA_BOOTSTRAP_SERVERS")
    protocol = cast("SecurityProtocol", environ.get("KAFKA_SECURITY_PROTOCOL") or "PLAINTEXT")
    _one_of("KAFKA_SECURITY_PROTOCOL", protocol, get_args(SecurityProtocol))
    for names, word in ((SASL, "SASL"), (CERTIFICATES, "SSL")):
        if word not in protocol and (idle := next(filter(environ.get, names), None)):
            said = f"KAFKA_SECURITY_PROTOCOL={protocol} makes no use of it"
            raise SettingsError(f"{idle} is set, and {said}; take one with {word} in its name, or unset {idle}")
    certificate_file, key_file = (environ.get(name) or None for name in CERTIFICATES[1:])
    if key_file and not certificate_file:
        raise SettingsError("KAFKA_SSL_KEYFILE is set without KAFKA_SSL_CERTFILE; set it to the key's certificate")
    sasl = _sasl(environ) if "SASL" in protocol else None
    connection = KafkaConnection(servers, protocol, sasl, KAFKA_TRUST.read(environ), certificate_file, key_file)
    _judge(
        environ,
        "kafka",
        [] if connection.is_encrypted else [host_of(server) for server in servers.split(",")],
        f"KAFKA_SECURITY_PROTOCOL={protocol}; set it to {protocol.replace('PLAINTEXT', 'SSL')}",
    )
    return connection


def postgres_connection(environ: Mapping[str, str]) -> PostgresConnection:
    """Read `DATABASE_URL`: only what it says itself counts. Raises SettingsError."""
    url = needed(environ, "DATABASE_URL")
    parts = _parts("DATABASE_URL", url, has_one_host=False)
    _, _, places = parts.netloc.rpartition("@")
    told = parse_qs(parts.query)
    hosts = [host_of(place) for place in places.split(",") if place]
    hosts += [host for name in ("host", "hostaddr") for host in ",".join(told.get(name, [])).split(",") if host]
    mode = told.get("sslmode", ["prefer"])[-1]
    _judge(
        environ,
        "postgres",
        [] if mode in ENCRYPTED_MODES else hosts or [environ.get("PGHOST", "")],
        f"DATABASE_URL with sslmode={mode}; end it with ?sslmode=verify-full&sslrootcert=/path/of/ca.crt",
    )
    return PostgresConnection(url, replace(POSTGRES_TRUST, ca_file=told.get("sslrootcert", [None])[-1]))


def prefect_connection(environ: Mapping[str, str]) -> PrefectConnection:
    """Read `PREFECT_API_*`. As with Prefect's own client a user's password goes before a key. Raises SettingsError."""
    api_url = needed(environ, "PREFECT_API_URL")
    _judge(environ, "prefect", _without_tls("PREFECT_API_URL", api_url), "PREFECT_API_URL; write https://…")
    return PrefectConnection(
        api_url,
        environ.get("PREFECT_API_KEY") or None,
        environ.get("PREFECT_API_AUTH_STRING") or None,
        PREFECT_TRUST.read(environ),
    )


def s3_connection(environ: Mapping[str, str]) -> S3Connection:
    """Read `AWS_*`, as far as it is about the way there. Raises SettingsError."""
    name = "AWS_ENDPOINT_URL_S3" if environ.get("AWS_ENDPOINT_URL_S3") else "AWS_ENDPOINT_URL"
    endpoint = environ.get(name) or None
    _judge(environ, "s3", _without_tls(name, endpoint) if endpoint else [], f"{name}; write https://…")
    return S3Connection(endpoint, S3_TRUST.read(environ))


def spark_connect_url(environ: Mapping[str, str]) -> str | None:
    """Read `SPARK_CONNECT_URL`; None where every run has a Spark of its own. Raises SettingsError."""
    url = environ.get("SPARK_CONNECT_URL") or None
    hosts = [] if url is None or is_encrypted_connect(url) else [connect_address(url)[0]]
    _judge(environ, "spark-connect", hosts, "SPARK_CONNECT_URL; end it with /;use_ssl=true")
    return url


def otlp_endpoint(environ: Mapping[str, str]) -> str | None:
    """Read where OpenTelemetry sends spans; None where it is not told. Raises SettingsError."""
    name = next(filter(environ.get, OTLP_ENDPOINTS), None)
    if name is None:
        return None
    _judge(environ, "otlp", _without_tls(name, environ[name]), f"{name}; write https://…")
    return environ[name]


def connect_address(url: str) -> tuple[str, int]:
    """Host and port of a Spark Connect server."""
    at = _parts("SPARK_CONNECT_URL", url.partition("/;")[0])
    return at.hostname or "", at.port or CONNECT_PORT


def is_encrypted_connect(url: str) -> bool:
    """Whether pyspark speaks TLS there; with a token it always does."""
    parameters = url.partition("/;")[2].split(";")
    return "use_ssl=true" in map(str.lower, parameters) or any(one.startswith("token=") for one in parameters)


def host_of(address: str) -> str:
    """Find the host in `host:port`; an IPv6 address stands in brackets. What is no address is a host of that name."""
    try:
        return urlsplit(f"//{address.strip()}").hostname or address
    except ValueError:
        return address


def is_this_machine(host: str) -> bool:
    """Whether it is a loopback address, or PostgreSQL's socket; a name other than `localhost` may be any machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.startswith("/")


def _judge(environ: Mapping[str, str], part: Part, plain: Sequence[str], said: str) -> None:
    """Refuse hosts that would be talked to in plain text; `said` is by which setting, and what to write instead."""
    allowed = [name.strip() for name in environ.get("AUTOLOADER_ALLOW_PLAINTEXT", "").split(",") if name.strip()]
    if unknown := sorted({*allowed} - {*get_args(Part)}):
        raise SettingsError(f"AUTOLOADER_ALLOW_PLAINTEXT names {unknown[0]!r}; there are {', '.join(get_args(Part))}")
    elsewhere = [host for host in plain if not is_this_machine(host)]
    if elsewhere and part not in allowed:
        raise SettingsError(
            f"{part} at {elsewhere[0]} would be talked to in plain text by {said}, or name {part} in "
            "AUTOLOADER_ALLOW_PLAINTEXT"
        )


def _without_tls(name: str, url: str) -> Sequence[str]:
    parts = _parts(name, url)
    return [] if parts.scheme == "https" else [parts.hostname or url]


def _parts(name: str, url: str, *, has_one_host: bool = True) -> SplitResult:
    """Take a URL apart; what is none is not quoted, as a password may stand anywhere in it."""
    try:
        parts = urlsplit(url)
        _ = has_one_host and parts.port
    except ValueError as error:
        raise SettingsError(f"{name} is no URL; its port must be a number, its brackets pairs") from error
    return parts


def _sasl(environ: Mapping[str, str]) -> Sasl:
    if missing := [name for name in SASL if not environ.get(name)]:
        raise SettingsError(f"{missing[0]} is not set; KAFKA_SECURITY_PROTOCOL wants a login: set {', '.join(SASL)}")
    mechanism, username, password = (environ[name] for name in SASL)
    _one_of("KAFKA_SASL_MECHANISM", mechanism, get_args(SaslMechanism))
    return Sasl(cast("SaslMechanism", mechanism), username, password)


def _one_of(name: str, value: str, words: Sequence[str]) -> None:
    if value not in words:
        raise SettingsError(f"{name}={value!r} is unknown; write one of {', '.join(words)}")
