"""A command finds a source by its name or its id, as a request does."""

from pathlib import Path

import pytest

from cli.commands.land import put
from cli.errors import CommandError
from cli.sources import named
from router.rules.matching import Matcher
from router.rules.permissions import Permissions
from schemas.events.requests import LoadAsked
from tests.builders import config, request

TEXT = """
version: 1
allow: ["file:///"]
sources:
  orders: {{id: orders-v1, from: {{path: "file://{0}/orders/"}}, format: csv, into: {{table: l.a.orders}}}}
  copies: {{id: copies-v1, from: {{path: "file://{0}/copies/"}}, format: csv, into: {{table: l.a.copies}}}}
"""
CONFIG = config(TEXT.format("/data"))
PERMISSIONS = Permissions(CONFIG, Matcher(CONFIG))


@pytest.mark.parametrize("name", ["copies", "copies-v1"])
def test_a_command_and_a_request_mean_the_same_source(name: str) -> None:
    asked = request(LoadAsked(source=name, files=("file:///data/copies/a.csv",)))

    assert named(CONFIG, name).source.id == PERMISSIONS.source_of(asked) == "copies-v1"


def test_a_command_says_which_sources_there_are() -> None:
    with pytest.raises(CommandError, match="no source 'none'; there are orders, copies"):
        named(CONFIG, "none")


def test_a_file_lands_where_those_of_the_source_with_this_id_do(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")

    (uri,) = put(config(TEXT.format(tmp_path)), "copies-v1", [tmp_path / "a.csv"])

    assert uri == f"file://{tmp_path}/copies/a.csv"
    assert (tmp_path / "copies/a.csv").read_text() == "a\n1\n"
