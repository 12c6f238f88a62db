"""From the text of a configuration file to what it holds: YAML, in which `${NAME}` is replaced from the environment."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

# Marks a variable that has no value to be put there: what stands in a comment is never seen again.
_NO_VALUE = "\ue000{}\ue001"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def document(text: str, environ: Mapping[str, str]) -> Any:
    """What the text holds, not checked against any model.

    Raises:
        ValueError: it is not YAML, names a variable that has no value, or holds text that the ledger cannot keep.
    """
    try:
        found = yaml.load(_filled_in(text, environ), _Loader)  # noqa: S506 - a safe loader, that knows a key once
    except (yaml.YAMLError, ValueError) as error:  # a ValueError: something like a date that is none
        raise ValueError(f"not YAML: {error}") from error
    _check_texts(found, environ)
    return found


class _Loader(yaml.SafeLoader):
    """Refuses a key that is written twice: YAML keeps the last, and a source would be gone without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<")
        for key, times in keys.items():
            if times > 1:
                raise yaml.YAMLError(f"the key {key!r} is written {times} times{node.start_mark}")
        return super().construct_mapping(node, deep)


def _filled_in(text: str, environ: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        value = environ.get(found[1])
        return _NO_VALUE.format(found[1]) if value is None or len(value.splitlines()) > 1 else value

    return re.sub(r"\$\{(\w+)\}", value, text)


def _check_texts(found: Any, environ: Mapping[str, str]) -> None:
    """Raises ValueError for a variable without a value, and for text that the ledger cannot keep."""
    for text in _texts(found):
        if variable := re.search(_NO_VALUE.format(r"(\w+)"), text):
            wrong = "holds a line break" if variable[1] in environ else "is not set in the environment"
            raise ValueError(f"${{{variable[1]}}} {wrong}; set it or write the value")
        if _UNSTORABLE.search(text):
            raise ValueError(f"{ascii(text)[:100]} holds a NUL character or half a character")


def _texts(found: Any) -> Iterator[str]:
    match found:
        case str():
            yield found
        case Mapping():
            for key, value in found.items():
                yield from _texts(key)
                yield from _texts(value)
        case list():
            for value in found:
                yield from _texts(value)
