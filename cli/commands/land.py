"""`autoloader land`: put files where a source's files land, and send their events."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

import storage
from cli import environment
from cli.errors import CommandError
from cli.kafka import send
from cli.sources import Source, named
from router.rules.outgoing import OutgoingEvent
from schemas.config import Config
from schemas.config.topics import ARRIVALS_TOPIC
from schemas.connections import KafkaConnection, kafka_connection
from schemas.events.arrivals import FileData, FileEvent


def land(
    source: Source,
    files: Annotated[list[Path], typer.Argument(help="Files on this machine.")],
    into: Annotated[str, typer.Option(help="A folder below the source's path.")] = "",
) -> None:
    """Copy FILES to where SOURCE's files land, and announce them on Kafka."""
    environ = environment.environment()
    connection = kafka_connection(environ)
    uris = put(environment.config(environ), source, files, into)
    asyncio.run(announce(connection, uris))
    for uri in uris:
        print(uri)


def put(config: Config, source: str, files: Sequence[Path], into: str = "") -> list[str]:
    """Copy the files to where those of a source land, which is told by name or id; their URIs.

    A copy keeps its modification time, so that the same file stays the same version.
    """
    place = named(config, source).source.from_
    prefix = place.path + (into.strip("/") + "/" if into else "")
    return [_put(file, prefix + file.name, place.credentials) for file in files]


def _put(file: Path, uri: str, credentials: str | None) -> str:
    try:
        storage.of(uri, credentials).put(file, uri)
    except Exception as error:
        raise CommandError(f"{file}: cannot be put at {uri}: {error}") from error
    return uri


async def announce(connection: KafkaConnection, uris: Sequence[str]) -> None:
    """Send one event a file."""
    await send(connection, [OutgoingEvent(ARRIVALS_TOPIC, uri, landed(uri).to_json()) for uri in uris])


def landed(uri: str) -> FileEvent:
    """Make the event of a file that landed now."""
    return FileEvent(
        id=str(uuid.uuid4()),
        source="/autoloader/land",
        type="autoloader.file.landed.v1",
        time=datetime.now(UTC),
        data=FileData(uri=uri),
    )
