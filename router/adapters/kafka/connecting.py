"""The way into Kafka for every client of aiokafka: where it is, whom to trust there, and how to log in."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, KafkaError, SaslAuthenticationFailed

from router.adapters.kafka.patience import CHECK_SECONDS, START_SECONDS, within
from schemas import tls
from schemas.connections import CERTIFICATES, KafkaConnection

Client: TypeAlias = AIOKafkaConsumer | AIOKafkaProducer | AIOKafkaAdminClient
LISTEN_SECONDS = 0.5


class Access:
    """What a client is given as `options`; the files of certificates are read once, here.

    Raises:
        SettingsError: a file is missing, or holds no certificate.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        self._connection = connection
        self._security: dict[str, Any] = {"security_protocol": connection.security_protocol}
        if connection.is_encrypted:
            self._security["ssl_context"] = context = connection.trust.context()
            if connection.certificate_file:
                tls.show(context, CERTIFICATES[1:], connection.certificate_file, connection.key_file)
        if connection.sasl is not None:
            self._security["sasl_mechanism"] = connection.sasl.mechanism
            self._security["sasl_plain_username"] = connection.sasl.username
            self._security["sasl_plain_password"] = connection.sasl.password

    @property
    def options(self) -> Mapping[str, Any]:
        """The keywords of a client's constructor."""
        return {"bootstrap_servers": self._connection.bootstrap_servers, **self._security}

    async def start(self, client: Client) -> None:
        """Start a client.

        Raises:
            ConnectionError: with the reason why no server lets us in, which aiokafka tells only its log.
        """
        try:
            await within(START_SECONDS, client.start())
        except KafkaConnectionError as error:
            raise ConnectionError(await self._reason() or str(error)) from error

    async def _reason(self) -> str | None:
        """Why the first server that does not let us in does not; None when all do by now."""
        for host, port, _ in collect_hosts(self._connection.bootstrap_servers):
            try:
                if self._connection.is_encrypted:
                    context = self._security["ssl_context"]
                    await asyncio.to_thread(tls.shake_hands, host, port, context, listen_seconds=LISTEN_SECONDS)
                (await within(CHECK_SECONDS, create_conn(host, port, **self._security))).close()
            except (OSError, KafkaError) as error:
                return self._told(error, f"{host}:{port}")
        return None

    def _told(self, error: OSError | KafkaError, at: str) -> str:
        sasl = self._connection.sasl
        if isinstance(error, AuthenticationFailedError | SaslAuthenticationFailed) and sasl is not None:
            said = f"{at} refuses the user {sasl.username!r} by {sasl.mechanism}"
            return f"{said}; check KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM"
        if isinstance(error, OSError):
            return self._connection.trust.told(error, at)
        protocol = self._connection.security_protocol
        return f"{at} and KAFKA_SECURITY_PROTOCOL={protocol} do not go together: {type(error).__name__}: {error}"
