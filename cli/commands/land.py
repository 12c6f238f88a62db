"""`autoloader land`: put files where a source's files land, and send their events."""

import asyncio
import shutil
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import obstore
import typer

from cli import environment
from cli.kafka import send
from router.rules.outgoing import OutgoingEvent
from router.settings import read_settings
from schemas.config import Config
from schemas.config.topics import ARRIVALS_TOPIC
from schemas.events.arrivals import FileData, FileEvent
from schemas.storage import bucket


class LandError(Exception):
    """A file could not be landed: which one and why."""


def land(
    source: str, files: list[Path], into: Annotated[str, typer.Option(help="A folder below the source's path.")] = ""
) -> None:
    """Copy FILES to where SOURCE's files land, and announce them on Kafka."""
    environ = environment.environment()
    config = environment.config(environ)
    uris = put(config, source, files, into)
    asyncio.run(announce(read_settings(environ).kafka_bootstrap_servers, uris))
    for uri in uris:
        print(uri)


def put(config: Config, source: str, files: Sequence[Path], into: str = "") -> list[str]:
    """Copy the files; their URIs. A copy keeps its modification time, so that the same file stays the same version."""
    if source not in config.sources:
        raise LandError(f"no source {source!r}; there are {', '.join(config.sources)}")
    prefix = config.sources[source].from_.path + (into.strip("/") + "/" if into else "")
    return [_put(file, prefix + file.name) for file in files]


def _put(file: Path, uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    try:
        if scheme == "file":
            target = Path(rest)
            target.parent.mkdir(parents=True, exist_ok=True)
            landing = target.with_name(f".{target.name}.landing")
            shutil.copy2(file, landing)
            landing.rename(target)  # nobody ever sees half a file
        else:
            name, _, key = rest.partition("/")
            obstore.put(bucket(name), key, file)
    except Exception as error:
        raise LandError(f"{file}: cannot be put at {uri}: {error}") from error
    return uri


async def announce(bootstrap_servers: str, uris: Sequence[str]) -> None:
    """Send one event a file."""
    await send(bootstrap_servers, [OutgoingEvent(ARRIVALS_TOPIC, uri, landed(uri).to_json()) for uri in uris])


def landed(uri: str) -> FileEvent:
    """The event of a file that landed now."""
    return FileEvent(
        id=str(uuid.uuid4()),
        source="/autoloader/land",
        type="autoloader.file.landed.v1",
        time=datetime.now(UTC),
        data=FileData(uri=uri),
    )
