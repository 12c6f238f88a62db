"""Admit first, then cut: who is served when, and what goes into a batch."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.rules.identity import Identity
from router.rules.scheduling import (
    AGEING,
    RUN_BYTES,
    Account,
    Accounts,
    Backlog,
    WaitingFile,
    charged,
    committed,
    cut,
    in_turn,
    is_due,
    may_commit,
    rebased,
)

START = datetime(2026, 11, 24, tzinfo=UTC)
NOBODY: frozenset[str] = frozenset()
MIB = 1024**2


def waiting(*sizes: int) -> list[WaitingFile]:
    return [
        WaitingFile(Identity("s", bytes([n]), "v"), f"s3://b/{n}", size, START, size) for n, size in enumerate(sizes)
    ]


def served(
    weights: Mapping[str, float], sizes: Mapping[str, list[int]], *, rounds: int, seconds: float = 1
) -> dict[str, int]:
    """Bytes that each of several sources had in a lane of one slot, all of them always waiting."""
    accounts: Accounts = {}
    had, now = dict.fromkeys(weights, 0), START
    for turn in range(rounds):
        accounts = rebased(accounts, waiting=weights.keys(), busy=NOBODY, now=now)
        first = in_turn(accounts, weights, now=now)[0]
        estimated = sizes[first][turn % len(sizes[first])]
        accounts = charged(accounts, first, estimated=estimated, weight=weights[first], now=now)
        had[first] += estimated + RUN_BYTES
        now += timedelta(seconds=seconds)
    return had


def test_of_two_that_had_nothing_the_one_that_is_passed_over_for_longer_goes() -> None:
    accounts = {"late": Account(0, START), "early": Account(0, START - timedelta(seconds=1))}

    assert in_turn(accounts, accounts, now=START) == ["early", "late"]


def test_who_has_had_least_goes_first() -> None:
    accounts = {"full": Account(5, START), "hungry": Account(2, START)}

    assert in_turn(accounts, accounts, now=START) == ["hungry", "full"]


def test_who_is_passed_over_for_too_long_goes_first_whatever_it_had() -> None:
    later = START + AGEING + timedelta(seconds=1)
    accounts = {"old": Account(99, START), "hungry": Account(0, later)}

    assert in_turn(accounts, accounts, now=later) == ["old", "hungry"]


def test_a_newcomer_comes_next() -> None:
    accounts = rebased(
        {"a": Account(7, START), "b": Account(9, START)}, waiting={"a", "b", "new"}, busy=NOBODY, now=START
    )

    assert {source_id: account.had for source_id, account in accounts.items()} == {"new": -1, "a": 0, "b": 2}


def test_nobody_saves_up_credit_while_idle_but_debts_are_kept() -> None:
    accounts: Accounts = {"idle": Account(0, START), "busy": Account(5, START), "greedy": Account(90, START)}

    accounts = rebased(accounts, waiting={"busy"}, busy=NOBODY, now=START)

    assert accounts == {"busy": Account(0, START), "greedy": Account(85, START)}


def test_a_batch_in_flight_is_neither_idle_nor_passed_over() -> None:
    later = START + timedelta(hours=1)
    accounts: Accounts = {"loading": Account(1, START), "waiting": Account(4, START)}

    accounts = rebased(accounts, waiting={"waiting"}, busy={"loading"}, now=later)

    assert accounts == {"loading": Account(0, later), "waiting": Account(3, START)}


def test_a_flood_delays_a_lonely_file_by_one_run() -> None:
    flood: Accounts = {}
    for turn in range(100):
        now = START + timedelta(seconds=turn)
        flood = rebased(flood, waiting={"flood"}, busy=NOBODY, now=now)
        flood = charged(flood, "flood", estimated=2048 * MIB, weight=1, now=now)
    now = START + timedelta(seconds=100)

    accounts = rebased(flood, waiting={"flood", "lonely"}, busy=NOBODY, now=now)

    assert in_turn(accounts, accounts, now=now + timedelta(seconds=1))[0] == "lonely"


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([1, 2, 4, 8]), min_size=2),
    st.lists(st.integers(1, 64), min_size=1, max_size=5),
)
def test_shares_are_by_weight_within_ten_percent(weights: dict[str, float], mibs: list[int]) -> None:
    sizes = {
        name: [size * MIB for size in mibs[n % len(mibs) :] + mibs[: n % len(mibs)]] for n, name in enumerate(weights)
    }

    had = served(weights, sizes, rounds=8000, seconds=0.001)

    for name, weight in weights.items():
        assert had[name] / sum(had.values()) == pytest.approx(weight / sum(weights.values()), rel=0.1)


@given(
    st.dictionaries(st.integers(0, 30), st.floats(0.001, 1000), min_size=2, max_size=12),
    st.integers(1, 100),
)
def test_nobody_starves(weights: dict[int, float], seconds: int) -> None:
    """Whatever the weights, everybody is served within the ageing time and a turn of all others."""
    names = {str(name): weight for name, weight in weights.items()}
    accounts: Accounts = {}
    now = START
    last = dict.fromkeys(names, now)
    patience = AGEING + timedelta(seconds=seconds) * (len(names) + 1)
    for _ in range(int(3 * patience / timedelta(seconds=seconds))):
        accounts = rebased(accounts, waiting=names.keys(), busy=NOBODY, now=now)
        first = in_turn(accounts, names, now=now)[0]
        accounts = charged(accounts, first, estimated=512 * MIB, weight=names[first], now=now)
        last[first] = now
        now += timedelta(seconds=seconds)
        assert all(now - served_at <= patience for served_at in last.values())


def test_a_batch_that_is_not_full_waits_for_company() -> None:
    line, minute = Backlog("s", "default", START, START), timedelta(minutes=1)

    assert not is_due(line, is_full=False, min_wait=minute, now=START + minute / 2)
    assert is_due(line, is_full=True, min_wait=minute, now=START)
    assert is_due(line, is_full=False, min_wait=minute, now=START + minute)


def test_without_a_wait_a_batch_goes_also_when_the_ledger_s_clock_is_ahead() -> None:
    line = Backlog("s", "default", START, START + timedelta(hours=1))

    assert is_due(line, is_full=False, min_wait=timedelta(0), now=START)


@given(st.integers(1, 10), st.integers(1, 60), st.lists(st.integers(0, 30), max_size=200))
def test_a_table_has_never_more_commits_than_its_bucket(burst: int, seconds: int, pauses: list[int]) -> None:
    interval, now, bucket = timedelta(seconds=seconds), START, None
    commits: list[datetime] = []
    for pause in pauses:
        now += timedelta(seconds=pause)
        if may_commit(bucket, interval=interval, burst=burst, now=now):
            bucket = committed(bucket, interval=interval, now=now)
            commits.append(now)

    for begin, first in enumerate(commits):
        for count, later in enumerate(commits[begin:], 1):
            assert count <= burst + (later - first) / interval


def test_a_bucket_is_full_again_after_a_while() -> None:
    interval, bucket = timedelta(seconds=10), None
    for _ in range(5):
        assert may_commit(bucket, interval=interval, burst=5, now=START)
        bucket = committed(bucket, interval=interval, now=START)

    assert not may_commit(bucket, interval=interval, burst=5, now=START)
    assert may_commit(bucket, interval=interval, burst=5, now=START + interval)


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
    assert len(batch) == 1 or sum(file.estimate for file in batch) <= max_bytes
    longer = files[: len(batch) + 1]
    assert len(longer) == len(batch) or len(longer) > max_files or sum(file.estimate for file in longer) > max_bytes


def test_of_two_versions_of_an_object_the_last_to_land_goes() -> None:
    old, new, other = (
        WaitingFile(Identity("s", b"one", "v1"), "s3://b/one", 1, START, 1),
        WaitingFile(Identity("s", b"one", "v2"), "s3://b/one", 1, START + timedelta(seconds=1), 1),
        WaitingFile(Identity("s", b"two", "v1"), "s3://b/two", 1, START, 1),
    )

    assert list(cut([old, new, other], max_files=10, max_bytes=10)) == [new, other]
