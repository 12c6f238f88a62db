"""Values of the configuration: sizes, durations, prefixes, globs, names; with bounds that the ledger can hold."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field

from schemas.globs import GlobError, check
from schemas.uris import UriError, checked_uri

LONGEST = timedelta(days=365)
MAX_BYTES = 2**60


def duration(value: Any) -> Any:
    """Read `10s`, `15m`, `1h` as seconds; what is no text is left to pydantic."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value.strip())
    if found is None:
        raise ValueError(f"{value!r} is not a duration; write a number with ms, s, m, h or d, such as 10s")
    seconds = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}[found[2]] * float(found[1])
    return min(seconds, 2 * LONGEST.total_seconds())  # more than a duration may be, but one still


def checked_prefix(value: str) -> str:
    """Check a prefix of URIs, and end it with a slash: `s3://b/a` does not take `s3://b/ab`."""
    try:
        checked_uri(value)
    except UriError as error:
        raise ValueError(f"{error}; write e.g. s3://landing/orders/") from error
    return value if value.endswith("/") else value + "/"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not abs(value) <= MAX_BYTES:
        raise ValueError(f"{value} is not a number of bytes; write e.g. 2GiB")
    return value


def checked_glob(value: str) -> str:
    """Check that files can match the glob."""
    try:
        check(value)
    except GlobError as error:
        raise ValueError(str(error)) from error
    return value


Duration = Annotated[timedelta, BeforeValidator(duration), Field(ge=timedelta(0), le=LONGEST)]
Bytes = Annotated[ByteSize, BeforeValidator(_finite), Field(gt=0, le=MAX_BYTES)]
Prefix = Annotated[str, Field(min_length=1)]
Topic = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]
SourceLabel = Annotated[str, Field(pattern=r"^[^\pC]{1,100}$")]  # a name: no control characters, nothing invisible
