"""Which sources a URI belongs to. Nothing is asked of any storage before a URI has passed here.

What a URI's folder decides is decided once a folder: whether it is allowed, which sources' prefixes and globs lead
there, and what these ask of a file's name. Files come in folders.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from router.errors import Rejected
from schemas.config import Config
from schemas.globs import compiled
from schemas.uris import MAX_URI_BYTES, UriError, checked_uri, is_plain, is_plain_name

FOLDERS = 4096  # so many are remembered
MAX_SHOWN = 500  # letters of the prefixes that are told with each refusal
_ANY_NAME = "x"

# Globs of which the part before the last `/` says which folders, and the part after it which names. A brace may hold
# a `/`, a bracket or a backslash may hide one: such globs are asked about whole paths.
_BY_FOLDER = re.compile(r"((?:[^{}\[\]\\]*/)?)([^{}\[\]\\/]*(?:\{[^{}\[\]\\/]*\}[^{}\[\]\\/]*)*)")


class _Place(NamedTuple):
    """A source below its prefix: the folders and the names in them that it takes, or the whole paths."""

    source_id: str
    folders: re.Pattern[str] | None
    names: re.Pattern[str]


class _Folder(NamedTuple):
    """What is to be asked of a file in a folder: of each source what its URI must be like, from a column on."""

    is_plain: bool
    is_allowed: bool
    asked: Sequence[tuple[str, int, re.Pattern[str]]]


class Matcher:
    """The allow-list and the sources' prefixes and globs, ready to be asked per event.

    `for_events`: without the sources that load only what is requested.
    """

    def __init__(self, config: Config, *, for_events: bool = False) -> None:
        self._allow = config.allow
        self._outside = f"is outside every prefix of `allow` ({', '.join(config.allow)[:MAX_SHOWN]})"
        places: dict[str, list[_Place]] = {}
        for source in config.sources.values():
            if for_events and source.from_.trigger != "events":
                continue
            places.setdefault(source.from_.path, []).append(_place(source.id, source.from_.match))
        self._places: Mapping[str, Sequence[_Place]] = places
        self._lengths = sorted({len(path) for path in places})
        self._known_folder = lru_cache(FOLDERS)(self._folder)

    def sources_of(self, uri: str) -> list[str]:
        """The ids of the sources that take this file, at least one.

        Raises:
            Rejected: bad-uri, not-allowed or no-source.
        """
        if len(uri) > MAX_URI_BYTES:
            _check(uri)  # before its folder is remembered
        folder, _, name = uri.rpartition("/")
        known = self._known_folder(folder)
        if not (known.is_plain and is_plain_name(name)):
            _check(uri)
            if not name:
                raise Rejected("bad-uri", f"{uri} is a folder; name a file")
        if not known.is_allowed:
            raise Rejected("not-allowed", f"{uri} {self._outside}")
        found = []
        for source_id, begin, pattern in known.asked:  # a comprehension would be another call
            if pattern.match(uri[begin:]):
                found.append(source_id)
        if not found:
            raise Rejected("no-source", f"{uri} matches no source's path and match{self._nearest(uri)}")
        return found

    def check_prefix(self, prefix: str) -> None:
        """Refuse a prefix below which nothing may be listed.

        Raises:
            Rejected: bad-uri or not-allowed.
        """
        _check(prefix)
        if not prefix.endswith("/"):
            raise Rejected("bad-uri", f"{prefix} is not a prefix; it must end with a slash")
        if not prefix.startswith(self._allow):
            raise Rejected("not-allowed", f"{prefix} {self._outside}")

    def _folder(self, folder: str) -> _Folder:
        """Prefixes end with a `/`: whether a URI begins with one is a matter of its folder."""
        folder += "/"
        asked: list[tuple[str, int, re.Pattern[str]]] = []
        for prefix in self._prefixes(folder):
            for place in self._places.get(prefix, ()):
                if place.folders is None:
                    asked.append((place.source_id, len(prefix), place.names))
                elif place.folders.match(folder[len(prefix) :] + _ANY_NAME):
                    asked.append((place.source_id, len(folder), place.names))
        return _Folder(is_plain(folder + _ANY_NAME), folder.startswith(self._allow), asked)

    def _nearest(self, uri: str) -> str:
        for prefix in reversed(self._prefixes(uri)):
            for place in self._places.get(prefix, ()):
                return f"; the nearest is {place.source_id} at {prefix}, whose `match` refuses the name"
        return ""

    def _prefixes(self, uri: str) -> Sequence[str]:
        """The prefixes of a URI that are as long as some source's path, the shortest first."""
        return [uri[:length] for length in self._lengths if length <= len(uri)]


def _check(uri: str) -> None:
    try:
        checked_uri(uri)
    except UriError as error:
        raise Rejected("bad-uri", str(error)) from error


def _place(source_id: str, match: str) -> _Place:
    by_folder = _BY_FOLDER.fullmatch("**/*" if match == "**" else match)
    if by_folder is None or not by_folder[2] or "**" in by_folder[2]:
        return _Place(source_id, None, compiled(match))
    return _Place(source_id, compiled(f"{by_folder[1]}*"), compiled(by_folder[2]))
