"""Who may ask for what: which source a request names, and whether its producer may ask of that."""

from collections.abc import Collection

from router.errors import Rejected
from router.notifications.requests import Request
from router.rules.matching import Matcher
from schemas.completions import (
    SourceName,
)
from schemas.config import Config
from schemas.events.requests import CancelAsked, LoadAsked, PreviewAsked, RetryAsked


class Permissions:
    """The configuration, ready to be asked who may ask for what."""

    def __init__(self, config: Config, matcher: Matcher) -> None:
        self._matcher = matcher
        self._names = config.source_names
        self._named_sources = config.named_sources
        self._producers = {source.id: source.from_.producers for source in config.sources.values()}
        self._prefixes = {source.id: source.from_.path for source in config.sources.values()}
        # pinned lanes hold also for what a person asks for
        self.pinned = sorted(source.id for source in config.sources.values() if source.lane is not None)

    def source_of(self, request: Request) -> str | None:
        """The id of the source a request names; None for one that names files, a batch or a request.

        Raises:
            Rejected: the request is not to be carried out, with the reason for its producer.
        """
        if request.asked is None:
            raise Rejected("bad-request", request.refused or "its data cannot be understood")
        match request.asked:
            case LoadAsked():
                source_id = self._named(request.asked.source)
                self.check_producer(request.producer, source_id)
                if request.asked.prefix is not None:
                    self._check_prefix(request.asked.prefix, source_id)
                for uri in request.asked.files:
                    self._check_file(uri, source_id)
                return source_id
            case PreviewAsked():
                source_id = self._named(request.asked.source)
                self.check_producer(request.producer, source_id)
                self._check_file(request.asked.file, source_id)
                return source_id
            case RetryAsked() | CancelAsked():
                return None

    def check_producer(self, producer: str, source_id: str) -> None:
        """Raises Rejected when the source names its producers and this is none of them."""
        allowed = self._producers.get(source_id, ())
        if allowed and producer not in allowed:
            raise Rejected(
                "producer-not-allowed",
                f"{producer} may not ask for {self.name(source_id).name}; its `producers` are {', '.join(allowed)}",
            )

    @property
    def source_ids(self) -> Collection[str]:
        """The ids of the sources that are configured."""
        return self._names.keys()

    def configured(self, source_ids: frozenset[str]) -> frozenset[str]:
        """Those of the sources that are configured. Raises Rejected when none of them is any more."""
        found = source_ids & self._names.keys()
        if source_ids and not found:
            raise Rejected("unknown-source", f"{', '.join(sorted(source_ids))} is not in the configuration any more")
        return found

    def name(self, source_id: str) -> SourceName:
        """A source as it is told in events."""
        return SourceName(id=source_id, name=self._names.get(source_id, source_id))

    def _named(self, source: str) -> str:
        named = self._named_sources.get(source)
        if named is None:
            there_are = ", ".join(sorted(self._names.values()))
            raise Rejected("unknown-source", f"no source {source[:100]!r}; there are {there_are}")
        return named.source.id

    def _check_file(self, uri: str, source_id: str) -> None:
        if source_id not in self._matcher.sources_of(uri):
            raise Rejected("no-source", f"{uri} is not a file of {self.name(source_id).name}: see its path and match")

    def _check_prefix(self, prefix: str, source_id: str) -> None:
        self._matcher.check_prefix(prefix)
        if not prefix.startswith(self._prefixes[source_id]):
            raise Rejected(
                "no-source", f"{prefix} is outside {self._prefixes[source_id]}, where the source's files are"
            )
