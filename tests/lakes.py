"""The lakes on which exactly once is tried, as catalogs of one Spark: a table's name chooses.

lake        JDBC on PostgreSQL, files in a folder: the local stack's own
lake_s3     JDBC on PostgreSQL, files on an S3 store
lake_rest   Iceberg's REST catalog, files on the same store

Beside them stand `frail_…`, over a line that may lose an answer, and `away_…`, lake_s3 with one thing wrong.
"""

from collections.abc import Mapping

from tests.e2e.site import free_port

# The S3 server of tests/integration; Spark has to know of it from its beginning.
S3: Mapping[str, str] = {
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "testtest",
}
ON_S3: Mapping[str, str] = {
    "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
    "s3.endpoint": S3["AWS_ENDPOINT_URL"],
    "s3.path-style-access": "true",
    "client.region": S3["AWS_REGION"],
}
WRONG: Mapping[str, Mapping[str, str]] = {
    "endpoint": {"s3.endpoint": "http://127.0.0.1:9"},
    "key": {"s3.access-key-id": S3["AWS_ACCESS_KEY_ID"], "s3.secret-access-key": "another"},
    "region": {"client.region": "us-west-2"},
    "bucket": {"warehouse": "s3://nowhere/jdbc"},
}
REST = f"127.0.0.1:{free_port()}"
LINES: Mapping[str, int] = {"frail_s3": free_port(), "frail_rest": free_port()}
CATALOGS: Mapping[str, Mapping[str, str]] = {
    "lake_s3": {**ON_S3, "warehouse": "s3://warehouse/jdbc"},
    "lake_rest": {**ON_S3, "warehouse": "", "type": "rest", "uri": f"http://{REST}"},
    "frail_s3": {
        **ON_S3,
        "warehouse": "s3://warehouse/frail",
        "uri": f"jdbc:postgresql://127.0.0.1:{LINES['frail_s3']}/iceberg?options=-c%20idle_session_timeout=15s",
    },
    "frail_rest": {**ON_S3, "warehouse": "", "type": "rest", "uri": f"http://127.0.0.1:{LINES['frail_rest']}"},
    **{f"away_{what}": {**ON_S3, "warehouse": "s3://warehouse/jdbc", **wrong} for what, wrong in WRONG.items()},
}
LAKES = ("lake", "lake_s3", "lake_rest")
