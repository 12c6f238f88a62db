"""What a batch is told of its source: the manifest, all that its runs know of the configuration."""

from router.rules.patience import touch_seconds
from schemas.config import Config
from schemas.config.sources import SourceConfig
from schemas.manifest import Glance, Manifest


def manifest_of(config: Config, name: str, source: SourceConfig, glance: Glance | None = None) -> Manifest:
    """The manifest of a load, or with a `glance` that of a preview."""
    return Manifest(
        source_id=source.id,
        source_name=name,
        table=source.into.table,
        format=source.format,
        columns=source.columns,
        partition=source.into.partition,
        allow=config.allow,
        credentials=source.from_.credentials,
        glance=glance,
        touch_seconds=touch_seconds(config),
        traces=config.traces,
    )
