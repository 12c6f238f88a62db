"""URIs of files, as everything here spells them: `scheme://bucket/key` with the key raw, never percent-encoded.

Two spellings of one file would be two files, so what is not in this form is refused, not repaired. Hadoop's `Path`
folds `..`, `.` and `//`: a key that holds them would be checked as one object and read as another.
"""

import re
from typing import Literal, get_args

Scheme = Literal["s3", "file"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
MAX_URI_BYTES = 2048
MAX_SIZE = 2**46  # bytes of an object, S3 takes 50 TB; thousands of them, unpacked, are still a bigint

_UNSTORABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class UriError(ValueError):
    """A URI that cannot name a file of ours, with the reason."""


def checked_uri(uri: str) -> str:
    """The same URI, if it is in our form.

    Raises:
        UriError: no known scheme, no bucket, `.`, `..` or empty segments, control characters, too long.
    """
    return uri if is_plain(uri) else _checked_carefully(uri)


def is_plain(uri: str) -> bool:
    """Whether a few quick looks are enough to know that it is in our form: true of nearly every URI there is."""
    return (
        uri.startswith("s3://")
        and 5 < len(uri) <= MAX_URI_BYTES
        and uri.isascii()
        and uri.isprintable()
        and uri.find("//", 4) < 0
        and "/." not in uri
    )


def is_plain_name(name: str) -> bool:
    """Whether the name of a file makes of the folder of a plain URI another one, if that is not too long."""
    return name != "" and name[0] != "." and name.isascii() and name.isprintable()


def _checked_carefully(uri: str) -> str:
    scheme, found, rest = uri.partition("://")
    shown = ascii(uri[:200])
    if not found or scheme not in SCHEMES:
        raise UriError(f"{shown} does not begin with {' or '.join(f'{known}://' for known in SCHEMES)}")
    if _UNSTORABLE.search(uri):
        raise UriError(f"{shown} holds a control character or half a character")
    if len(uri.encode()) > MAX_URI_BYTES:
        raise UriError(f"longer than {MAX_URI_BYTES} bytes: {shown}…")
    bucket, _, key = rest.partition("/")
    if scheme == "file" and bucket:
        raise UriError(f"{shown} needs three slashes: file:///folder/name")
    if scheme != "file" and not bucket:
        raise UriError(f"{shown} names no bucket")
    if key and any(segment in {"", ".", ".."} for segment in key.removesuffix("/").split("/")):
        raise UriError(f"{shown} has an empty, '.' or '..' segment")
    return uri


def scheme_of(uri: str) -> Scheme:
    """Tell the scheme of a URI of ours.

    Raises:
        UriError: no known scheme.
    """
    for scheme in SCHEMES:
        if uri.startswith(f"{scheme}://"):
            return scheme
    raise UriError(f"{uri[:200]!a} does not begin with {' or '.join(f'{known}://' for known in SCHEMES)}")


def version_mark(*, etag: str | None, size: int, modified_seconds: float) -> str:
    """The version of an object as event and listing both tell it.

    The eTag without quotes and weak mark where the storage has one (S3-like), else modification time in microseconds
    and size in bytes (local files).
    """
    if etag:
        return etag.removeprefix("W/").strip('"')
    return f"{round(modified_seconds * 1_000_000)}-{size}"
