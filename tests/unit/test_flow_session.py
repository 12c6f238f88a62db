"""The heap of an embedded session follows from the pod it has for itself."""

from pathlib import Path

import pytest

from flows.loading.session import heap_of_the_pod

IN_A_POD = {"KUBERNETES_SERVICE_HOST": "192.0.2.1"}


def test_the_heap_is_seven_tenths_of_the_pod(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{32 * 2**30}\n")

    assert heap_of_the_pod(IN_A_POD, limit) == "22937m"
    assert heap_of_the_pod({}, limit) is None


@pytest.mark.parametrize("text", ["max\n", "", None])
def test_a_pod_without_a_limit_leaves_it_to_sparks_configuration(tmp_path: Path, text: str | None) -> None:
    limit = tmp_path / "memory.max"
    if text is not None:
        limit.write_text(text)

    assert heap_of_the_pod(IN_A_POD, limit) is None
