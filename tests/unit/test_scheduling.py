"""Admit first, then cut."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from router.rules.identity import Identity
from router.rules.scheduling import Backlog, WaitingFile, admit, cut

START = datetime(2026, 11, 24, tzinfo=UTC)


def backlog(source_id: str, minutes: int) -> Backlog:
    return Backlog(source_id, START + timedelta(minutes=minutes))


def waiting(*sizes: int) -> list[WaitingFile]:
    return [WaitingFile(Identity("s", bytes([n]), "v"), size, START) for n, size in enumerate(sizes)]


def test_the_longest_waiting_source_goes_first() -> None:
    backlogs = [backlog("late", 5), backlog("early", 1), backlog("later", 9)]

    assert admit(backlogs, busy_sources=frozenset(), free_slots=2) == ["early", "late"]


def test_a_source_with_a_batch_in_flight_waits() -> None:
    assert admit([backlog("a", 1), backlog("b", 2)], busy_sources=frozenset({"a"}), free_slots=5) == ["b"]


def test_nothing_is_admitted_without_a_free_slot() -> None:
    assert admit([backlog("a", 1)], busy_sources=frozenset(), free_slots=-1) == []


def test_a_batch_ends_at_its_bytes() -> None:
    assert len(cut(waiting(4, 4, 4), max_files=10, max_bytes=8)) == 2


def test_a_single_bigger_file_is_a_batch_alone() -> None:
    assert len(cut(waiting(100, 1), max_files=10, max_bytes=8)) == 1


@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 5), st.integers(1, 30))
def test_a_cut_is_the_longest_first_part_that_fits(sizes: list[int], max_files: int, max_bytes: int) -> None:
    files = waiting(*sizes)

    batch = cut(files, max_files=max_files, max_bytes=max_bytes)

    assert list(batch) == files[: len(batch)]
    assert len(batch) <= max_files
    assert bool(batch) == bool(files)
    assert len(batch) == 1 or sum(file.size for file in batch) <= max_bytes
    longer = files[: len(batch) + 1]
    assert len(longer) == len(batch) or len(longer) > max_files or sum(file.size for file in longer) > max_bytes


def test_of_two_versions_of_an_object_the_last_to_land_goes() -> None:
    old, new, other = (
        WaitingFile(Identity("s", b"one", "v1"), 1, START),
        WaitingFile(Identity("s", b"one", "v2"), 1, START + timedelta(seconds=1)),
        WaitingFile(Identity("s", b"two", "v1"), 1, START),
    )

    assert list(cut([old, new, other], max_files=10, max_bytes=10)) == [new, other]
