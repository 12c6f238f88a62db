"""The router's settings."""

import pytest

from router.settings import read_settings
from schemas.settings import SettingsError

GOOD = {
    "DATABASE_URL": "postgresql://u@h/d?sslmode=verify-full",
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    "PREFECT_API_URL": "https://prefect:4200/api",
    "AUTOLOADER_WEBHOOK_SECRET": "s3cret",
}


def test_what_is_not_set_has_a_default() -> None:
    settings = read_settings(GOOD)

    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8710)
    assert settings.prefect.ui_url == "https://prefect:4200"


@pytest.mark.parametrize("name", GOOD)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} is not set"):
        read_settings({**GOOD, name: ""})


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "8_0"])
def test_a_port_is_a_number_that_there_is(port: str) -> None:
    with pytest.raises(SettingsError, match="AUTOLOADER_HTTP_PORT"):
        read_settings({**GOOD, "AUTOLOADER_HTTP_PORT": port})


def test_a_storage_in_plain_text_is_refused_at_the_start() -> None:
    with pytest.raises(SettingsError, match=r"^s3 at minio would be talked to in plain text"):
        read_settings({**GOOD, "AWS_ENDPOINT_URL": "http://minio:9000"})


def test_two_routers_never_hold_a_lease_under_one_name() -> None:
    assert read_settings(GOOD).holder != read_settings(GOOD).holder
