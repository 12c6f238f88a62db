"""Which sources a URI belongs to. Nothing is asked of any storage before a URI has passed here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wcmatch import glob

from router.errors import Rejected
from schemas.config import Config
from schemas.uris import UriError, checked_uri

GLOB_FLAGS = glob.GLOBSTAR | glob.DOTGLOB | glob.BRACE | glob.FORCEUNIX | glob.CASE


@dataclass(frozen=True, slots=True)
class _Place:
    source_id: str
    names: Sequence[re.Pattern[str]]


class Matcher:
    """The allow-list and the sources' prefixes and globs, ready to be asked per event."""

    def __init__(self, config: Config) -> None:
        self._allow = config.allow
        places: dict[str, list[_Place]] = {}
        for source in config.sources.values():
            patterns, _ = glob.translate(source.from_.match, flags=GLOB_FLAGS)
            names = [re.compile(pattern) for pattern in patterns]
            places.setdefault(source.from_.path, []).append(_Place(source.id, names))
        self._places: Mapping[str, Sequence[_Place]] = places
        self._lengths = sorted({len(path) for path in places})

    def sources_of(self, uri: str) -> list[str]:
        """The ids of the sources that take this file, at least one.

        Raises:
            Rejected: bad-uri, not-allowed or no-source.
        """
        try:
            checked_uri(uri)
        except UriError as error:
            raise Rejected("bad-uri", str(error)) from error
        if uri.endswith("/"):
            raise Rejected("bad-uri", f"{uri} is a folder; name a file")
        if not any(uri.startswith(prefix) for prefix in self._allow):
            raise Rejected("not-allowed", f"{uri} is outside every prefix of `allow` ({', '.join(self._allow)})")
        found = [
            place.source_id
            for prefix in self._prefixes(uri)
            for place in self._places.get(prefix, ())
            if any(name.match(uri[len(prefix) :]) for name in place.names)
        ]
        if not found:
            raise Rejected("no-source", f"{uri} matches no source's path and match{self._nearest(uri)}")
        return found

    def _nearest(self, uri: str) -> str:
        for prefix in reversed(self._prefixes(uri)):
            for place in self._places.get(prefix, ()):
                return f"; the nearest is {place.source_id} at {prefix}, whose `match` refuses the name"
        return ""

    def _prefixes(self, uri: str) -> Sequence[str]:
        """The prefixes of a URI that are as long as some source's path, the shortest first."""
        return [uri[:length] for length in self._lengths]
