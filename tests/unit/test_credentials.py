"""Credentials with a name: variables beside the usual ones, and what Spark is told of their buckets."""

import pytest

from flows.loading.reading import buckets
from storage.credentials import environment

USUAL = {
    "AWS_ACCESS_KEY_ID": "ours",
    "AWS_SECRET_ACCESS_KEY": "our secret",
    "AWS_SESSION_TOKEN": "our token",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
    "AWS_REGION": "eu-central-1",
}
PREFIX = "AUTOLOADER_CREDENTIALS_PARTNERS_"
THEIRS = {f"{PREFIX}AWS_ACCESS_KEY_ID": "theirs", f"{PREFIX}AWS_SECRET_ACCESS_KEY": "their secret"}


def aws(credentials: str | None, environ: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment(credentials, environ).items() if name.startswith("AWS_")}


def test_without_a_name_the_usual_variables_hold() -> None:
    assert aws(None, {**USUAL, **THEIRS}) == USUAL


def test_keys_with_a_name_come_without_the_usual_token_and_to_the_usual_endpoint() -> None:
    assert aws("partners", {**USUAL, **THEIRS}) == {
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "their secret",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_REGION": "eu-central-1",
    }


def test_an_endpoint_of_their_own_replaces_the_usual_ones() -> None:
    found = aws("partners", {**USUAL, **THEIRS, f"{PREFIX}AWS_ENDPOINT_URL": "https://s3.amazonaws.com"})

    assert found["AWS_ENDPOINT_URL"] == "https://s3.amazonaws.com"
    assert "AWS_ENDPOINT_URL_S3" not in found


def test_credentials_that_are_not_there_are_named() -> None:
    with pytest.raises(PermissionError, match="AUTOLOADER_CREDENTIALS_OTHERS_AWS_ACCESS_KEY_ID is not set"):
        environment("others", {**USUAL, **THEIRS})


def test_spark_is_told_the_keys_of_the_buckets_of_a_batch_and_no_others() -> None:
    uris = ["s3://partners/a.csv", "s3://partners/b.csv", "file:///c.csv"]

    assert buckets.settings(uris, None, USUAL) == {}
    assert buckets.settings(uris, "partners", {**THEIRS, f"{PREFIX}AWS_SESSION_TOKEN": "t"}) == {
        "fs.s3a.bucket.partners.access.key": "theirs",
        "fs.s3a.bucket.partners.secret.key": "their secret",
        "fs.s3a.bucket.partners.session.token": "t",
        "fs.s3a.bucket.partners.aws.credentials.provider": ("org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider"),
    }
