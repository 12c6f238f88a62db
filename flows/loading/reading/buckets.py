"""The keys with which Spark opens the buckets of a batch, where they are not those that Spark was started with.

They are settings of the load's own session. Hadoop keeps what it has opened for as long as its Java lives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.credentials import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PROVIDERS = "org.apache.hadoop.fs.s3a"


def settings(uris: Iterable[str], credentials: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """What Hadoop's S3 client is to be told of the buckets of these URIs; nothing where the credentials have no name.

    Raises:
        PermissionError: there are no such credentials.
    """
    if credentials is None:
        return {}
    found = environment(credentials, environ)
    token, endpoint = found.get("AWS_SESSION_TOKEN"), found.get("AWS_ENDPOINT_URL_S3") or found.get("AWS_ENDPOINT_URL")
    told = {
        "access.key": found["AWS_ACCESS_KEY_ID"],
        "secret.key": found["AWS_SECRET_ACCESS_KEY"],
        "session.token": token,
        "aws.credentials.provider": f"{_PROVIDERS}.{'Temporary' if token else 'Simple'}AWSCredentialsProvider",
        "endpoint": endpoint,
        "endpoint.region": found.get("AWS_REGION") or found.get("AWS_DEFAULT_REGION"),
        "path.style.access": "true" if endpoint else None,
    }
    buckets = {uri.removeprefix("s3://").partition("/")[0] for uri in uris if uri.startswith("s3://")}
    return {f"fs.s3a.bucket.{bucket}.{name}": value for bucket in buckets for name, value in told.items() if value}
