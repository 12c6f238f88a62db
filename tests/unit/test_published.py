"""The published schemas are those of the models, and what was published before still holds."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from schemas.published import FOLDER, MODELS, schema, text

GOES_OUT = ("batch-completion", "request-completion", "dead-letter")
# What consumers could rely on at the first release. Never take a name out of here: they grow, and never change meaning.
FIRST_PUBLISHED: Mapping[str, Mapping[str, str]] = {
    "batch-completion": {
        "outcome": "string",
        "reason": "string|null",
        "source.id": "string",
        "source.name": "string",
        "table": "string",
        "snapshot.id": "string",
        "counts.files_loaded": "integer",
        "counts.files_not_loaded": "integer",
        "counts.rows": "integer",
        "counts.bytes": "integer",
        "complete_through": "string|null",
        "still_waiting.files": "integer",
        "requests[].id": "string",
        "requests[].state": "string",
        "files[].uri": "string",
        "files[].version": "string",
        "files[].outcome": "string",
        "files[].rows": "integer",
        "files_truncated": "boolean",
        "run.batch": "string",
        "run.attempt": "integer",
        "run.lane": "string",
        "seconds": "object",
    },
    "request-completion": {
        "request": "string",
        "kind": "string",
        "producer": "string",
        "outcome": "string",
        "reason": "string|null",
        "counts.files": "integer",
        "counts.files_loaded": "integer",
        "counts.files_already_loaded": "integer",
        "counts.files_not_loaded": "integer",
        "counts.rows": "integer",
        "files[].uri": "string",
        "files[].outcome": "string",
        "seconds": "object",
    },
    "dead-letter": {
        "reason": "string",
        "detail": "string",
        "topic": "string",
        "partition": "integer",
        "offset": "integer",
        "value": "string|null",
    },
}


@pytest.mark.parametrize("name", MODELS)
def test_a_published_schema_is_that_of_its_model(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == text(name), "run python -m schemas.published"


@pytest.mark.parametrize("name", GOES_OUT)
def test_what_was_published_before_still_holds(name: str) -> None:
    now = dict(fields(schema(name), schema(name)))

    changed = {path: now.get(path) for path, kind in FIRST_PUBLISHED[name].items() if now.get(path) != kind}
    assert changed == {}


@pytest.mark.parametrize("name", GOES_OUT)
def test_what_goes_out_may_grow_so_its_readers_must_not_refuse_more(name: str) -> None:
    assert "additionalProperties" not in json.dumps(
        {key: value for key, value in schema(name).items() if key != "properties"}
    )


def fields(node: Mapping[str, Any], root: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Each field by its path, with its JSON types."""
    for key, found in resolved(node, root).get("properties", {}).items():
        at, options = f"{path}{key}", [resolved(one, root) for one in found.get("anyOf", [found])]
        yield at, "|".join(dict.fromkeys(option.get("type", "?") for option in options))
        for option in options:
            if option.get("type") == "array":
                yield from fields(option["items"], root, f"{at}[].")
            else:
                yield from fields(option, root, f"{at}.")


def resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref", "").removeprefix("#/$defs/")
    found: Mapping[str, Any] = root["$defs"][reference] if reference else node
    return found
