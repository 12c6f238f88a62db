"""Whether what was recorded for a source is still to be loaded, as the configuration is now.

It may have changed while a file waited. The files of a source that is gone altogether wait: it may come back, or
another router has a newer configuration.
"""

from router.errors import Rejected
from router.rules.matching import Matcher
from schemas.config import Config

NOT_CONFIGURED = "not-configured-any-more"


class Belonging:
    """The configuration, ready to be asked per file."""

    def __init__(self, config: Config, matcher: Matcher) -> None:
        self._matcher = matcher
        self._names = config.source_names

    def knows(self, source_id: str) -> bool:
        """Whether a source with this id is configured."""
        return source_id in self._names

    def refusal(self, source_id: str, uri: str) -> str | None:
        """Why a file is not to be loaded any more, in words for a person; None when it is."""
        try:
            if source_id in self._matcher.sources_of(uri):
                return None
            why = f"`path` and `match` of {self._names.get(source_id, source_id)} do not take it"
        except Rejected as rejected:
            why = rejected.detail
        return f"{NOT_CONFIGURED}: {why}; the configuration has changed since it was recorded"
