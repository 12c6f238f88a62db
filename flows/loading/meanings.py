"""What the words of vendors mean: a row for each of our errors, with the classes and the lines that say so.

Another vendor's words are a row here, or a word in one. How such words are found in an error is `translation`'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows.loading.errors import (
    AlreadyPublished,
    Denied,
    Infrastructure,
    LoadError,
    OutOfMemory,
    Outrun,
    ServerLost,
    Unheard,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.report import Target


@dataclass(frozen=True, slots=True)
class Meaning:
    """Names of classes, ours or Java's without the package, and lines a program says of itself: what they mean."""

    ours: Callable[[str], LoadError]
    classes: frozenset[str]
    lines: re.Pattern[str] = re.compile(r"(?!)")  # none


def _away(target: Target | None, what: str = "") -> Callable[[str], LoadError]:
    return lambda reason: Infrastructure(f"{what} fails: {reason}" if what else reason, target=target)


def _denied(target: Target, what_to_do: str) -> Callable[[str], LoadError]:
    return lambda reason: Denied(f"{what_to_do}: {reason}", target=target)


def _any(*lines: str) -> re.Pattern[str]:
    return re.compile("|".join(lines))


# Read from top to bottom: an error names all it passed through, and what is more exact comes first.
MEANINGS = (
    Meaning(OutOfMemory, frozenset({"OutOfMemoryError", "MemoryError", "ConnectionRefusedError", "Py4JNetworkError"})),
    Meaning(AlreadyPublished, frozenset({"CherrypickAncestorCommitException", "DuplicateWAPCommitException"})),
    Meaning(  # the second: our guard in a JDBC catalog, dev/iceberg_catalog.sql
        Unheard, frozenset({"CommitStateUnknownException"}), _any("the commit found no row to change")
    ),
    Meaning(  # SeaweedFS says 400 where others say 409
        Outrun,
        frozenset({"CommitFailedException"}),
        _any("Failed to apply update: can't add snapshot with sequence number"),
    ),
    Meaning(  # somebody expired the snapshot, or dropped the table or its namespace, between our look and our step
        _away(None),
        frozenset({"NoSuchNamespaceException", "NoSuchTableException"}),
        _any(r"\[(TABLE_OR_VIEW|SCHEMA)_NOT_FOUND\]", "Cannot cherry-pick unknown snapshot"),
    ),
    Meaning(
        _denied("connect", "the Spark Connect server refuses us; check the token in SPARK_CONNECT_URL"),
        frozenset(),
        _any(r"StatusCode\.(UNAUTHENTICATED|PERMISSION_DENIED)"),
    ),
    Meaning(
        ServerLost,
        frozenset({"RetriesExceeded"}),
        _any(
            r"StatusCode\.UNAVAILABLE|\[RETRIES_EXCEEDED\]",
            # another server by now, which does not know our session; one that a rival has closed is SESSION_CLOSED
            r"\[INVALID_HANDLE\.SESSION_(NOT_FOUND|CHANGED)\]",
            # the server has ended, of out-of-memory perhaps, but of whose? The culprit itself was told OutOfMemoryError
            "Cannot call methods on a stopped SparkContext|SparkContext was shut down",
        ),
    ),
    Meaning(
        _away("connect"),
        frozenset(),
        _any(
            r"StatusCode\.(DEADLINE_EXCEEDED|CANCELLED)|\[INVALID_HANDLE\.|\[OPERATION_CANCELED\]",
            "No space left on device",
        ),
    ),
    Meaning(
        _denied("catalog", "the catalog refuses us; check its user and rights"),
        frozenset({"ForbiddenException", "NotAuthorizedException"}),
        _any("ERROR: permission denied", "FATAL: .*(authentication failed|does not exist|permission denied|pg_hba)"),
    ),
    Meaning(
        _denied("catalog", "Spark has no such catalog; check spark.sql.catalog.* and its libraries"),
        frozenset({"CatalogNotFoundException"}),
        _any(
            r"\[CATALOG_NOT_FOUND\]",
            "Cannot find catalog plugin class",
            "Cannot initialize Catalog implementation",
            "Unknown catalog type",
        ),
    ),
    Meaning(
        _denied("catalog", "the warehouse cannot be written; check the rights to its folder"),
        frozenset(),
        _any("Mkdirs failed to create"),
    ),
    Meaning(
        _away("catalog", "the catalog"),
        frozenset(
            {
                "PSQLException",
                "PSQLState",
                "RESTException",
                "ServiceFailureException",
                "ServiceUnavailableException",
                "SQLNonTransientConnectionException",
                "SQLTransientConnectionException",
                "UncheckedSQLException",
            }
        ),
    ),
    Meaning(_away("ledger"), frozenset({"InterfaceError", "OperationalError"})),
    Meaning(
        _denied("storage", "the storage has no such bucket, or has it in another region"),
        frozenset({"AWSRedirectException", "NoSuchBucketException", "UnknownStoreException"}),
        _any("<Code>NoSuchBucket</Code>", r"Status Code: 301\b"),
    ),
    Meaning(
        _denied("storage", "the storage refuses us; check the keys, their rights, the region and the clock"),
        frozenset(
            {
                "AccessControlException",
                "AccessDeniedException",
                "AWSBadRequestException",
                "CredentialInitializationException",
                "NoAuthWithAWSException",
                "PermissionDeniedError",
                "PermissionError",
                "UnauthenticatedError",
            }
        ),
        _any(r"(?i:Access ?Denied|not authorized to perform)", r"Status Code: 40[013]\b", "Permission denied"),
    ),
    Meaning(
        _away("storage", "the storage"),
        frozenset(
            {
                "ConnectException",
                "ConnectionError",
                "GenericError",
                "NoRouteToHostException",
                "SdkClientException",
                "SocketException",
                "SocketTimeoutException",
                "UnknownHostException",
            }
        ),
        _any(r"Unable to execute HTTP request|Status Code: 5\d\d"),
    ),
    Meaning(_away("catalog", "the table's own folder"), frozenset({"NotFoundException", "RuntimeIOException"})),
)
