"""Every session has the same settings where they decide what a file means."""

from typing import TYPE_CHECKING, cast

import pytest

from flows.loading.errors import Denied, Infrastructure
from flows.loading.pinned import PINNED, differing, pin

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Conf:
    """The settings of a session, some of which it refuses to change, or keeps in spite of its word."""

    def __init__(self, values: dict[str, str], *, refused: str = "", kept: str = "", error: str = "static") -> None:
        self.values, self.refused, self.kept, self.error = values, refused, kept, error
        self.written: list[str] = []

    def get(self, name: str, default: str | None = None) -> str | None:
        return self.values.get(name, default)

    def set(self, name: str, value: str) -> None:
        self._write(name)
        if name != self.kept:
            self.values[name] = value

    def unset(self, name: str) -> None:
        self._write(name)
        self.values.pop(name, None)

    def _write(self, name: str) -> None:
        if name == self.refused:
            raise RuntimeError(self.error)
        self.written.append(name)


class Session:
    def __init__(self, conf: Conf) -> None:
        self.conf = conf


def pinned(conf: Conf) -> None:
    pin(cast("SparkSession", Session(conf)))


def bent() -> dict[str, str]:
    """What no server has: everything otherwise."""
    return {name: "true" if value == "false" else "otherwise" for name, value in PINNED.items()}


def test_whatever_a_server_was_given_a_session_has_our_settings() -> None:
    conf = Conf(bent())

    pinned(conf)

    assert {name: conf.get(name) for name in PINNED} == PINNED


def test_a_session_that_has_our_settings_is_left_alone() -> None:
    conf = Conf({name: value.upper() for name, value in PINNED.items() if value is not None})

    pinned(conf)

    assert conf.written == []


@pytest.mark.parametrize("name", ["spark.sql.files.ignoreCorruptFiles", "spark.wap.branch"])
def test_a_setting_that_cannot_be_changed_is_named_with_what_to_do(name: str) -> None:
    with pytest.raises(Denied, match=rf"{name} must .*: mend spark-defaults\.conf") as told:
        pinned(Conf(bent(), refused=name))

    assert told.value.target == "connect"


def test_a_setting_that_did_not_change_is_named() -> None:
    with pytest.raises(Denied, match=r"spark\.sql\.ansi\.enabled must be true"):
        pinned(Conf(bent(), kept="spark.sql.ansi.enabled"))


def test_a_server_that_goes_away_meanwhile_is_away_and_not_wrong() -> None:
    error = '<_InactiveRpcError of RPC\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "Socket closed"\n'

    with pytest.raises(Infrastructure, match="Socket closed") as told:
        pinned(Conf(bent(), refused="spark.sql.ansi.enabled", error=error))

    assert not isinstance(told.value, Denied)


def test_what_is_unset_differs_only_where_it_must_be_set() -> None:
    assert set(differing(dict.fromkeys(PINNED))) == {name for name, value in PINNED.items() if value is not None}
