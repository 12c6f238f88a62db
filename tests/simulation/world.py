"""Two routers, their runs and everything around them in one thread, driven effect by effect in virtual time.

A seed decides everything: which effect comes next, what lands, who is killed, who is away. Nothing sleeps.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random

from router.errors import Transient
from router.ports.clock import Clock
from router.rules.matching import Matcher
from router.rules.portion import Portion
from router.stages.resolution import FILES_A_STEP
from router.stages.settlement import REPORTED, SWEEP_EVERY, SettlementStage
from router.step import Stage, Step
from router.wiring import Ports, Wiring
from schemas.config import Config
from schemas.config.lanes import LANES, Lane
from schemas.config.topics import ARRIVALS_TOPIC, COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC, REQUESTS_TOPIC
from schemas.events.requests import Asked, CancelAsked, LoadAsked, PreviewAsked, RetryAsked
from storage.objects import Measured
from tests.builders import CONFIG_TEXT, NOON, config, file_event, request_event, s3_notification
from tests.fakes.clock import FakeClock, SkewedClock
from tests.fakes.database import AttemptRow, FakeDatabase
from tests.fakes.discovery import FakeDiscovery
from tests.fakes.flow import CORRUPT, KILLER, LETHAL, POISON, Died, Failure, Parts, run_flow, server_lost
from tests.fakes.intake import FakeIntake
from tests.fakes.lease import FakeLease
from tests.fakes.publication import FakePublication
from tests.fakes.publisher import FakePublisher
from tests.fakes.requests import FakeRequests
from tests.fakes.results import FakeResults
from tests.fakes.runs import FakeRuns
from tests.fakes.scheduling import FakeScheduling
from tests.fakes.settlement import FakeSettlement
from tests.fakes.source import FakeBroker, FakeSource, Partition
from tests.fakes.store import FakeStore
from tests.fakes.table import FakeTable
from tests.simulation.gate import Gate, gated, settle_down

STORAGE_TOPIC = "storage.events"
PARTITIONS: Sequence[Partition] = ((ARRIVALS_TOPIC, 0), (ARRIVALS_TOPIC, 1), (STORAGE_TOPIC, 0))
URIS = [f"s3://landing/{name}.csv" for name in ("orders/a", "orders/b", "orders/c", "other/d")]
GARBAGE = [
    b"nonsense",
    None,
    file_event("s3://landing/orders/a.txt"),
    file_event("s3://elsewhere/a.csv"),
    file_event("s3://landing/../secrets.csv"),
    b'{"Records": [{"eventVersion": "2.1"}]}',
    b'{"Event": "s3:TestEvent"}',
]
BAD_ENTRIES: list[object] = [5, {"eventVersion": "3.0"}, {"eventVersion": "2.1", "eventName": "ObjectCreated:Put"}]
SIZE = 10  # of every object, in bytes
UNTRUE_SIZES = [0, 2**46 + 1, 2**53, 2**63 - 1]
UNSET_CLOCKS = [datetime.min.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)]
PORTION = Portion(2000, 2000)  # of one or two records, or of one with many entries
# The moments at which harm to a run is worst: what is staged may be published at any later time.
UNHEARD = "no heartbeat: its process is gone"  # Prefect supposes so
ZOMBIES = ("crashed", "gone", "begins again")  # after which the process may go on
HARMS = (*ZOMBIES, "crashed", "cancelled", "copied", "hangs", "unheard", "cancelling")
WORST = ("before Results.stage", "before Table.publish", "before Results.publish")
STEPS = {
    "intake": 6,
    "requests": 1,
    "discovery": 4,
    "listing": 1,
    "scheduling": 10,
    "settlement": 10,
    "publication": 4,
}
ROUNDS_TO_HEAL = 1500
ON_REQUEST = """  returns:
    id: returns-v1
    from: {path: "s3://landing/", match: "**/*.csv", trigger: requests}
    format: {csv: {}}
    into: {table: lake.sales.returns}
"""
SHORT_RUNS = "\nlanes: " + json.dumps({lane: {"longest_run": "30m"} for lane in LANES})
SKEWS = [0, 0, 0, 3, -16 * 60, 16 * 60]  # seconds by which the clock of a router's host is wrong


class Broken(AssertionError):
    """A promise does not hold; the last effects say how it came to that."""


@dataclass(slots=True)
class Router:
    """A router's stages, and the step each of them is in."""

    name: str
    clock: Clock
    sources: Sequence[FakeSource]
    settlement: SettlementStage
    stages: Mapping[str, Stage]
    steps: dict[str, "asyncio.Task[Step]"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chances:
    """What may happen. Off, an object lands once and is removed once, events tell all they could, nobody asks.

    `untold_versions`: events tell no version or another than the object's, and of an overwrite sometimes nobody tells.
    Without `harm` nothing but a file that kills it ends a run.
    """

    landing_again: bool = True
    same_content_again: bool = True
    untold_versions: bool = True
    asking: bool = True
    harm: bool = True


def wrong_mark(version: str) -> str:
    """What some events tell of a version: never the storage's mark of it."""
    return f"md5-of-{version}"


class World:
    """Make it inside a running loop; `seed` and `chances` are all that it depends on."""

    def __init__(self, seed: int, chances: Chances | None = None, *, files_a_step: int = FILES_A_STEP) -> None:
        self._random = Random(seed)  # noqa: S311 - a schedule, not a secret
        self._chances = chances or Chances()
        self._files_a_step = files_a_step
        self._whole = config(CONFIG_TEXT + ON_REQUEST + SHORT_RUNS)
        self._configure(self._whole)
        self.clock = FakeClock(NOON)
        self.database = FakeDatabase(self.clock)
        self.broker = FakeBroker(PARTITIONS)
        self.desk = FakeBroker([(REQUESTS_TOPIC, 0)])
        delays = Random(seed)  # noqa: S311 - a schedule, not a secret
        self.publisher = FakePublisher(lambda: not self.gate.is_open and delays.random() < 0.1)
        self.store = FakeStore()
        self.runs = FakeRuns(self.clock)
        self.table = FakeTable()
        self.results = FakeResults(self.database)
        self._outside: Sequence[FakeStore | FakeRuns | FakeBroker | FakePublisher] = (
            self.store,
            self.runs,
            self.broker,
            self.desk,
            self.publisher,
        )
        self.gate = Gate()
        self.has_committed = False
        self.trace: list[str] = []
        self._clocks = {
            host: SkewedClock(self.clock, timedelta(seconds=self._random.choice(SKEWS))) for host in ("one", "two")
        }
        self.routers = [self._new_router("one/1"), self._new_router("two/1")]
        self._flows: dict[str, asyncio.Task[None]] = {}
        self._zombies: list[asyncio.Task[None] | asyncio.Task[Step]] = []
        self._left: list[FakeSource] = []
        self._frozen: set[str] = set()
        self._asleep: set[str] = set()  # frozen until all is well
        self._hung: set[str] = set()
        self._versions = 0
        self._entries: list[object] = []
        self._several = False
        self._asked = 0
        self.puts: dict[str, list[tuple[str, bool]]] = {}  # the versions of each object, and whether an event told
        self._hidden: dict[str, datetime] = {}  # what the storage denied once, and until when
        self._webhooks: list[str] = []
        self.runs.webhooks.append(self._webhooks.append)

    # What lands

    def put(self, uri: str, version: str | None = None) -> None:
        """An object is written, and the storage or the producer says so, unless the event of an overwrite is lost."""
        version = version or self._new_version(uri)
        is_told = not (self._chances.untold_versions and uri in self.puts and self._random.random() < 0.1)
        self.puts.setdefault(uri, []).append((version, is_told))
        self.store.objects[uri] = Measured(version, SIZE)
        self._says("put" if is_told else "put, and nobody tells,", uri, version)
        at = self._random.choice([*UNSET_CLOCKS, *[self._told_at()] * 8])
        told: list[bytes] = [file_event(uri, etag=version, at=at), s3_notification(uri, etag=version, at=at)]
        if self._chances.untold_versions:
            told += [
                file_event(uri, etag=None, size=None, at=at),
                file_event(uri, etag=version, size=None, at=at),
                file_event(uri, etag=wrong_mark(version), at=at),
                file_event(uri, etag=version, size=self._random.choice(UNTRUE_SIZES), at=at),
                s3_notification(uri, etag=version, size=self._random.choice(UNTRUE_SIZES), at=at),
            ]
        if is_told:
            self._emit(self._random.choice(told))

    def remove(self, uri: str) -> None:
        """An object is deleted, and the storage or the producer says so."""
        self.store.objects.pop(uri, None)
        self._says("remove", uri)
        event = self._random.choice([file_event, s3_notification])(uri, removed=True, at=self._told_at())
        self._emit(event)

    def _told_at(self) -> datetime:
        """The time in an event is that of its producer's clock."""
        skew = self._random.choices([0, -7200, -1, 1, 1800, 7200], [8, 1, 1, 1, 1, 1])[0]
        return self.clock.now() + timedelta(seconds=skew)

    def _emit(self, value: bytes | None, partition: Partition | None = None) -> None:
        if partition is None:
            partition = self._random.choice(PARTITIONS)
        if self._several and value is not None and b'"Records"' in value and self._random.random() < 0.5:
            value = self._among_others(value)
        self.broker.append(partition, value, self.clock.now())

    def _among_others(self, value: bytes) -> bytes:
        """In one record with what was told before, and with what nobody can use."""
        entries = json.loads(value)["Records"] + self._random.choices(BAD_ENTRIES, k=2) + self._entries[-3:]
        self._entries += json.loads(value)["Records"]
        self._random.shuffle(entries)
        return json.dumps({"Records": entries}).encode()

    def _new_version(self, uri: str) -> str:
        past = self.puts.get(uri)
        if past and self._chances.same_content_again and self._random.random() < 0.3:
            return self._random.choice(past)[0]
        self._versions += 1
        kind = self._random.choices(["v", CORRUPT, KILLER, LETHAL, POISON], [20, 2, 1, 1, int(self._chances.harm)])[0]
        return f"{kind}-{self._versions}"

    # Chaos

    async def chaos(self, moves: int, watch: Callable[["World"], Iterator[str]]) -> None:
        """So many moves, each of them one effect of an actor or one turn of fortune. `watch` looks on."""
        kinds: list[tuple[int, Callable[[], None]]] = [
            (300, self._advance),
            (110, self._begin_step),
            (5, self._put_something),
            (2, self._remove_something),
            (3, self._ask_something),
            (2, self._repeat),
            (1, lambda: self._emit(self._random.choice(GARBAGE))),
            (24, self._time_passes),
            (40, self._worker_takes_a_run),
            (8, self._run_comes_to_harm),
            (1, self._kill_a_router),
            (2, self._freeze),
            (3, self._give_up_on_the_frozen),
            (2, self._thaw),
            (2, self._someone_is_away),
            (1, self._a_topic_has_trouble),
            (1, self._prefect_refuses),
            (1, self._a_request_takes_too_long),
            (1, self._a_source_comes_or_goes),
            (2, self._hide_something),
            (2, self._refuse_something),
            (1, self.broker.rebalance),
            (1, self.desk.rebalance),
            (6, self._webhook),
            (2, self._prefect_finds_again),
        ]
        weights = [weight for weight, _ in kinds]
        self._several = True
        for _ in range(moves):
            lag, self.database.answered = self.broker.lag, ()
            self._random.choices(kinds, weights)[0][1]()
            await settle_down()
            self._reap()
            self.has_committed = self.broker.lag < lag
            self.check(watch(self))

    def _put_something(self) -> None:
        uri = self._random.choice(URIS)
        if not self._chances.landing_again:
            uri = uri.replace(".csv", f"-{len(self.puts)}.csv")
        self.put(uri)

    def _remove_something(self) -> None:
        uris = URIS if self._chances.landing_again else sorted(self.store.objects)
        if uris:
            self.remove(self._random.choice(uris))

    def _ask_something(self) -> None:
        """A person or a producer asks, now and then once more under the same id."""
        if not self._chances.asking:
            return
        uri, self._asked = self._random.choice(URIS), self._asked + 1
        source = "orders" if "orders" in uri else "audit"
        batch = self._random.choice([*self.database.batches, "b-nobody-knows"])
        other = f"ask-{self._random.randrange(self._asked)}"
        deadline = self.clock.now() + timedelta(seconds=self._random.choice([5, 60, 5000]))
        kinds: list[tuple[int, Asked]] = [
            (4, LoadAsked(source=source, files=(uri, URIS[0]))),
            (2, LoadAsked(source=source, files=tuple(URIS if source == "audit" else URIS[:3]))),
            (2, LoadAsked(source=source, prefix=f"{uri.rpartition('/')[0]}/")),
            (2, LoadAsked(source=source, files=(uri,), deadline=deadline)),
            (2, PreviewAsked(source=source, file=uri, rows=5)),
            (2, LoadAsked(source="returns", files=(uri,))),
            (1, PreviewAsked(source="returns", file=uri)),
            (1, LoadAsked(source="nobody-knows-it", files=(uri,))),
            (2, RetryAsked(files=(uri,))),
            (1, RetryAsked(batch=batch)),
            (1, RetryAsked(request=other)),
            (1, CancelAsked(files=(uri,))),
            (1, CancelAsked(batch=batch)),
            (1, CancelAsked(request=other)),
        ]
        asked = self._random.choices([asked for _, asked in kinds], [weight for weight, _ in kinds])[0]
        self.ask(asked, self._random.choice([other, f"ask-{self._asked}", f"ask-{self._asked}"]))

    def ask(self, asked: Asked, request_id: str) -> None:
        """An event on the topic of requests."""
        self._says("ask", request_id, asked)
        self.desk.append((REQUESTS_TOPIC, 0), request_event(asked, request_id, self.clock.now()), self.clock.now())

    def _advance(self) -> None:
        turns = [turn for turn in self.gate.waiting() if turn.actor not in self._frozen | self._hung]
        if not turns:
            return
        # Runs are few among many router turns: without favour a load would hardly come to its end in the chaos.
        flows = [turn for turn in turns if turn.actor in self._flows]
        turn = self._random.choice(flows if flows and self._random.random() < 0.5 else turns)
        fortune = self._random.random()
        is_worst = self._chances.harm and turn.actor in self._flows and str(turn).endswith(WORST)
        if is_worst and self._random.random() < 0.8:
            if self._random.random() < 0.8:
                self._asleep.add(turn.actor)
                self._harm(turn.actor, self._random.choice(ZOMBIES), dies=False)
            else:
                self._run_comes_to_harm(turn.actor)
            return
        if turn.actor in self._flows and not self._chances.harm:
            turn.goes_on.set_result(None)
        elif fortune < 0.002:
            self._kill(turn.actor)
        elif fortune < 0.015:
            self._says("TROUBLE", turn)
            turn.goes_on.set_exception(Transient(f"trouble {turn}"))
        elif fortune < 0.03 and turn.actor in self._flows:
            self._says("OUT OF MEMORY", turn)
            turn.goes_on.set_exception(Failure("out-of-memory", "the heap is full"))
        else:
            self._says("", turn)
            turn.goes_on.set_result(None)

    def _begin_step(self) -> None:
        """Often of both routers at once: what they read at the same time they act on one after the other."""
        [stage] = self._random.choices(list(STEPS), list(STEPS.values()))
        for router in self.routers if self._random.random() < 0.5 else [self._random.choice(self.routers)]:
            self._step(router, stage)

    def _repeat(self) -> None:
        """An event is told again, perhaps much later, perhaps elsewhere."""
        values = [record.value for log in self.broker.logs.values() for record in log]
        if values:
            self._emit(self._random.choice(values))

    def _time_passes(self) -> None:
        seconds = self._random.choices([0.5, 3, 12, 30, 70, 1000], [4, 8, 8, 4, 2, 1])[0]
        self._says(f"{seconds} s pass")
        self._pass_time(seconds)

    def _pass_time(self, seconds: float) -> None:
        """Whose process lives says so meanwhile, also when it hangs. Not wanted any more it goes home, or is ended."""
        self.clock.pass_time(timedelta(seconds=seconds))
        self.store.hidden = {uri for uri, until in self._hidden.items() if until > self.clock.now()}
        for flow in [*self._flows.values(), *self._zombies]:
            run_id = flow.get_name()
            if flow.done() or run_id in self._frozen:
                continue
            rows = [row for row in self.database.attempts.values() if row.claimed_by == run_id]
            for row in rows:
                if row.ended is None:
                    row.touched = self.clock.now()
            if rows and all(row.ended is not None for row in rows) and run_id in self._hung:
                self._says("ends itself", run_id)
                flow.cancel()

    def _hide_something(self) -> None:
        """The storage says for a while, once of each object, that it is not there: a replica lags."""
        uris = sorted(self.store.objects.keys() - self._hidden.keys())
        if uris:
            uri = self._random.choice(uris)
            self._says("is hidden", uri)
            self._hidden[uri] = self.clock.now() + timedelta(seconds=self._random.choice([1, 20, 300]))
            self.store.hidden.add(uri)

    def _refuse_something(self) -> None:
        """The storage tells nothing of some objects, until it tells nothing of others."""
        uris = [*URIS, *self.store.objects]
        self.store.denied = {*self._random.choices(uris, k=self._random.choice([0, 0, 1, 2]))}
        self._says("is refused", *sorted(self.store.denied))

    def _worker_takes_a_run(self) -> None:
        scheduled = self.runs.in_phase("scheduled")
        if not scheduled:
            return
        run_id = self._random.choice(scheduled)
        if self._random.random() < 0.05:
            self._says("sticks in pending", run_id)
            self.runs.becomes(run_id, "pending")
        else:
            self._start(run_id)

    def _run_comes_to_harm(self, run_id: str | None = None) -> None:
        living = self.runs.in_phase("running")
        if not living or not self._chances.harm:
            return
        self._harm(run_id or self._random.choice(living), self._random.choice(HARMS), dies=self._random.random() < 0.3)

    def _harm(self, run_id: str, harm: str, *, dies: bool) -> None:
        if harm in {"copied", "hangs", "unheard"}:
            self._says(harm, run_id)
            if harm == "copied":
                self.runs.copy(run_id)
            elif harm == "hangs":
                self._hung.add(run_id)
            else:  # Prefect was away, or slow: its heartbeats were lost, and it works on
                self.runs.becomes(run_id, "crashed", UNHEARD)
            return
        self._says(harm, run_id, "" if dies else "but goes on as a zombie")
        if flow := self._flows.get(run_id):
            if dies:
                flow.cancel()
            else:
                self._zombies.append(self._flows.pop(run_id))
                self._frozen.add(run_id)
        if harm == "gone":
            self.runs.forget(run_id)
        elif harm == "crashed":
            self.runs.becomes(run_id, "crashed", UNHEARD)
        elif harm == "cancelling":  # and no worker lives that would do it
            self.runs.becomes(run_id, "cancelling", "a person cancelled it")
        elif harm == "begins again":  # evicted, and begun by the same run in another process
            self.runs.becomes(run_id, "scheduled")
        else:
            self.runs.becomes(run_id, "cancelled", "a person cancelled it")

    def _kill_a_router(self) -> None:
        self._kill(self._random.choice(self.routers).name)

    def _kill(self, actor: str) -> None:
        self._says("KILL", actor)
        if flow := self._flows.pop(actor, None):
            flow.cancel()
            if self._random.random() < 0.5:
                self.runs.becomes(actor, "crashed", "the process ended", "crash")
        for router in [router for router in self.routers if router.name == actor]:
            for step in router.steps.values():
                step.cancel()
            self._replace(router)

    def _replace(self, router: Router) -> None:
        """Another process in its place, that knows nothing but the ledger. A frozen one may still go on later."""
        for source in router.sources:
            source.leave()
        self._left += router.sources
        self._zombies += router.steps.values()
        host, _, life = router.name.partition("/")
        self.routers[self.routers.index(router)] = self._new_router(f"{host}/{int(life) + 1}")

    def _freeze(self) -> None:
        turns = [turn for turn in self.gate.waiting() if self._chances.harm or turn.actor not in self._flows]
        if turns:
            self._frozen.add(self._random.choice(turns).actor)

    def _give_up_on_the_frozen(self) -> None:
        """Another takes the place of one that does not answer, which goes on where it stood once it thaws."""
        for router in [router for router in self.routers if router.name in self._frozen]:
            self._says("takes the place of", router.name)
            self._replace(router)
        for run_id in [run_id for run_id in self._flows if run_id in self._frozen]:
            self._says("no heartbeats of", run_id)
            self._zombies.append(self._flows.pop(run_id))
            if self._random.random() < 0.5:
                self.runs.becomes(run_id, "crashed", UNHEARD)

    def _thaw(self) -> None:
        if may_thaw := sorted(self._frozen - self._asleep):
            self._frozen.discard(self._random.choice(may_thaw))

    def _someone_is_away(self) -> None:
        part = self._random.choice(self._outside)
        part.away = not part.away and self._random.random() < 0.4
        self._says(type(part).__name__, "is away" if part.away else "is there")

    def _prefect_refuses(self) -> None:
        """A lane has no deployment for a while, or a run of one batch cannot be created."""
        self.runs.refuses.clear()
        if self._random.random() < 0.6:
            self.runs.refuses.add(self._random.choice([*LANES, *self.database.batches]))
        self._says("Prefect refuses", *self.runs.refuses)

    def _a_source_comes_or_goes(self) -> None:
        """A router begins anew with the next configuration, and the other has the one before until it does so too."""
        sources = {name: source for name, source in self._whole.sources.items() if name != "returns"}
        is_whole = self.config is self._whole
        self._configure(self._whole.model_copy(update={"sources": sources}) if is_whole else self._whole)
        self._says("returns", "goes" if is_whole else "comes")
        self._kill_a_router()

    def _a_topic_has_trouble(self) -> None:
        """It is missing, or takes only what is small, until it is mended."""
        topic = self._random.choice([COMPLETIONS_TOPIC, DEAD_LETTERS_TOPIC])
        was_well = topic not in self.publisher.missing and topic not in self.publisher.max_bytes
        self.publisher.missing.discard(topic)
        self.publisher.max_bytes.pop(topic, None)
        if was_well and self._random.random() < 0.5:
            self.publisher.missing.add(topic)
        elif was_well:
            self.publisher.max_bytes[topic] = self._random.choice([300, 900])
        self._says("topic", topic, "has trouble" if was_well else "is mended")

    def _a_request_takes_too_long(self) -> None:
        """For the ledger to look at; and its run, or another's, cannot be cancelled."""
        self.database.poison, self.runs.refuses_to_cancel = set(), set()
        if self.database.requests and self._random.random() < 0.6:
            self.database.poison = {self._random.choice([*self.database.requests])}
            self.runs.refuses_to_cancel = {*self.runs.runs}
        self._says("takes too long", *self.database.poison)

    def _webhook(self) -> None:
        """Some arrive, at some router; the others are lost."""
        if self._webhooks:
            run_id = self._webhooks.pop(self._random.randrange(len(self._webhooks)))
            if self._random.random() < 0.7:
                self._random.choice(self.routers).settlement.hint(run_id)

    def _prefect_finds_again(self) -> None:
        """A replica that lagged behind has caught up."""
        for run_id in self.runs.find():
            self._says("is there again", run_id)

    def check(self, found: Iterator[str]) -> None:
        """Raise for what was found broken, with the last effects that led to it."""
        broken = list(found)
        if broken:
            raise Broken("\n".join([*self.trace[-80:], "", *broken]))

    # Health

    async def heal(self, *, without: Lane | None = None) -> None:
        """All is well again; time passes until there is nothing left to do. Zombies go on last of all.

        Not at once, for who keeps others waiting is seen only while he is in trouble himself. One look at all attempts
        finds what has ended. While Prefect is away, the storage refuses something, a request takes too long and a
        source has gone, requests come to their end that need none of these. One lane may be the last to get its
        deployment back, and topics to be mended: until then the others come to their end.
        At the end all routers start anew: a late commit may have put an offset back, and reading again must do no harm.
        """
        for part in self._outside:
            part.away = False
        self.store.hidden.clear()
        self._give_up_on_the_frozen()
        self.gate.is_open = True
        for turn in self.gate.waiting():
            if turn.actor not in self._frozen | self._hung:
                turn.goes_on.set_result(None)
        await self._one_look_finds_all()
        await self._without_prefect()
        self.store.denied.clear()
        if without is not None:
            self.runs.refuses = {without}
            await self._until_quiet(partial(self._unfinished_elsewhere, without))
        self.runs.refuses.clear()
        self.publisher.missing.clear()
        self.publisher.max_bytes.clear()
        self.runs.refuses_to_cancel.clear()
        self.database.poison.clear()
        await self._until_quiet(self.unfinished)
        for turn in self.gate.waiting():
            self._says("thaws", turn)
            turn.goes_on.set_result(None)
        await self._until_quiet(self.unfinished)
        self._begin_anew()
        await self._until_quiet(self.unfinished)

    async def _one_look_finds_all(self) -> None:
        """Some have reported since the last look, others have crashed: none is kept waiting by the others."""
        for run_id in self.runs.in_phase("scheduled"):
            self._start(run_id)
        await settle_down()
        self._reap()
        ended = [key for key, row in self.database.attempts.items() if self._has_ended(row)]
        self._pass_time(SWEEP_EVERY.total_seconds())
        await self.step("settlement")
        left = [key for key in ended if self.database.attempts[key].ended is None and not self._has_reported(*key)]
        self.check(f"{batch}/{n} has ended, and a look at all attempts does not find it" for batch, n in left)

    def _has_ended(self, attempt: AttemptRow) -> bool:
        """Whether somebody saw the process end that works on it."""
        run = self.runs.runs.get(attempt.claimed_by or attempt.run_id or "")
        return run is not None and run.state.cause is not None

    def _has_reported(self, batch: str, n: int) -> bool:
        result = self.database.results.get((batch, n))
        return result is not None and result.state in REPORTED

    async def _without_prefect(self) -> None:
        """Requests are resolved and answered as far as they need it not, also those for a source that has gone."""
        self.runs.away = True
        self._begin_anew()
        await self._until_done(self._unfinished_without_prefect)
        self.runs.away = False
        if self.config is not self._whole:
            self.reconfigure(self._whole)

    async def _until_quiet(self, unfinished: Callable[[], str]) -> None:
        for _ in range(ROUNDS_TO_HEAL):
            await self._until_done(unfinished)
            if not await self._healthy_round():
                return
            self._pass_time(1)
        self.check(iter(["it never ends: something is always done"]))

    async def _until_done(self, unfinished: Callable[[], str]) -> None:
        for _ in range(ROUNDS_TO_HEAL):
            if (left := unfinished()) == "":
                return
            did = await self._healthy_round()
            self._pass_time(1 if did else 20)
        self.check(iter([f"it never ends: {left}"]))

    async def _healthy_round(self) -> bool:
        did = False
        for source in self._left:  # a replaced router that thawed joined the group again; nobody drives it
            source.leave()
        if not self.runs.away:
            did = self._prefect_goes_on()
        for router in self.routers:
            for name in router.stages:
                self._step(router, name)
                await settle_down()
                did = self._reap() or did
        return did

    def _prefect_goes_on(self) -> bool:
        """What is scheduled is begun, and who is not heard of any more is taken for crashed."""
        scheduled = self.runs.in_phase("scheduled")
        for run_id in scheduled:
            self._start(run_id)
        for run_id in self.runs.in_phase("running"):
            if run_id not in self._flows:
                self.runs.becomes(run_id, "crashed", UNHEARD)
        return bool(scheduled)

    def unfinished(self) -> str:
        """What is still to be done, in words; empty when nothing is."""
        return ", ".join(
            what
            for what, is_left in {
                "records are not read": self.broker.unread + self.desk.unread > 0,
                "requests are not answered": any(row.end is None for row in self.database.requests.values()),
                "arrivals are not measured": bool(self.database.arrivals),
                "files have no outcome": any(row.outcome is None for row in self.database.files.values()),
                "batches are open": any(row.ended is None for row in self.database.batches.values()),
                "events are not published": any(self._may_be_published(row_id) for row_id in self.database.outbox),
            }.items()
            if is_left
        )

    def _may_be_published(self, row_id: int) -> bool:
        topic = self.database.outbox[row_id].topic
        is_refused = topic in self.publisher.max_bytes and row_id in self.database.set_aside
        return not is_refused and topic not in self.publisher.missing

    def _unfinished_without_prefect(self) -> str:
        """Requests that are to be answered, or of which more may be found."""
        unread = ["requests are not read"] if self.desk.unread else []
        source_ids = [None, *(source.id for source in self.config.sources.values())]
        goes_on = [
            of
            for of, row in self.database.requests.items()
            if row.end is None
            and of not in self.database.poison
            and (row.source_id not in source_ids or self.database.is_over(of) or self._may_be_resolved(of))
        ]
        return ", ".join([*unread, *goes_on])

    def _may_be_resolved(self, request_id: str) -> bool:
        files = [one for one, _ in self.database.files_asked(request_id)]
        unknown = {one.uri for one in files if one.version is None and one.outcome is None}
        return self.database.requests[request_id].listed is None and not (unknown and unknown <= self.store.denied)

    def _unfinished_elsewhere(self, lane: Lane) -> str:
        """What is still to be done of the other lanes; of requests where all of them wait in other lanes."""
        batches = self.database.batches
        stuck = {batch for batch, row in batches.items() if row.lane == lane}
        files = [row for row in self.database.files.values() if row.outcome is None and row.batch_id not in stuck]
        opened = [batch for batch, row in batches.items() if row.ended is None and batch not in stuck]
        waiting = [row.uri for row in files if row.batch_id is not None or row.lane != lane]
        return ", ".join([*opened, *waiting, *(self._asked_elsewhere(stuck) if lane == "high-memory" else [])])

    def _asked_elsewhere(self, stuck: set[str]) -> Iterator[str]:
        """Requests that are open, though all their files went another way."""
        for of, row in self.database.requests.items():
            files = [file for _, file in self.database.files_asked(of) if file is not None]
            if row.end is None and of not in self.database.poison and all(file.batch_id not in stuck for file in files):
                yield of

    async def step(self, stage: str, router: int = 0) -> None:
        """One whole step of one stage, without chaos."""
        self.gate.is_open = True
        await self.routers[router].stages[stage].step(self.routers[router].clock.now())

    async def work(self, *run_ids: str) -> None:
        """Workers take every scheduled run, or only these, and it comes to its end."""
        self.gate.is_open = True
        for run_id in run_ids or self.runs.in_phase("scheduled"):
            self._start(run_id)
        while self._flows:
            await settle_down()
            self._reap()

    # Actors

    def reconfigure(self, changed: Config) -> None:
        """All routers start anew with another configuration."""
        self._whole = changed
        self._configure(changed)
        self._begin_anew()

    def _begin_anew(self) -> None:
        for router in list(self.routers):
            self._replace(router)

    def _configure(self, now: Config) -> None:
        self.config = now
        self.matcher = Matcher(now, for_events=True)
        self._wiring = Wiring(now, portion=PORTION, files_a_step=self._files_a_step)

    def _new_router(self, name: str) -> Router:
        lease, clock = FakeLease(self.database, name), self._clocks[name.partition("/")[0]]
        events = FakeSource(self.broker, records_a_poll=4)
        asked = FakeSource(self.desk, records_a_poll=4)
        around = partial(gated, actor=name, gate=self.gate)
        ports = Ports(
            events=around(events),
            asked=around(asked),
            intake=around(FakeIntake(self.database)),
            discovery=around(FakeDiscovery(self.database)),
            requests=around(FakeRequests(self.database)),
            scheduling=around(FakeScheduling(self.database, lease)),
            settlement=around(FakeSettlement(self.database)),
            publication=around(FakePublication(self.database, lease)),
            store=around(self.store),
            runs=around(self.runs),
            publisher=around(self.publisher),
            clock=clock,
        )
        settlement, stages = self._wiring.stages(ports, self._wiring.slots(ports.runs))
        return Router(name, clock, [events, asked], settlement, {stage.name: stage for stage in stages})

    def _step(self, router: Router, name: str) -> None:
        if name not in router.steps:
            router.steps[name] = asyncio.create_task(router.stages[name].step(router.clock.now()))

    def _start(self, run_id: str) -> None:
        submission = self.runs.runs[run_id].submission
        if run_id in self._flows:
            self._zombies.append(self._flows.pop(run_id))
        self.runs.becomes(run_id, "running")
        around = partial(gated, actor=run_id, gate=self.gate)
        ends_server = partial(self._end_server, run_id)
        parts = Parts(around(self.results), around(self.table), around(self.store), ends_server)
        self._flows[run_id] = asyncio.create_task(run_flow(parts, submission.batch, submission.n, run_id), name=run_id)

    def _end_server(self, culprit: str) -> None:
        """All runs that share it are told so at whatever they are just doing, the culprit by itself."""
        self._says(culprit, "ENDS THE SERVER")
        for turn in self.gate.waiting():
            run = self.runs.runs.get(turn.actor)
            if run is not None and turn.actor != culprit and run.submission.lane != "high-memory":
                turn.goes_on.set_exception(server_lost())

    def _reap(self) -> bool:
        """Take note of what has ended; whether a step did something."""
        did = False
        for router in self.routers:
            for name, step in list(router.steps.items()):
                if step.done():
                    del router.steps[name]
                    did = self._did(step) or did
        for run_id, flow in list(self._flows.items()):
            if flow.done():
                del self._flows[run_id]
                self._flow_ended(run_id, flow)
        self._zombies = [zombie for zombie in self._zombies if not _is_over(zombie)]
        return did

    def _did(self, step: "asyncio.Task[Step]") -> bool:
        if step.cancelled():
            return False
        match step.exception():
            case None:
                return bool(step.result().facts)
            case Transient():
                return False
            case bug:
                raise bug

    def _flow_ended(self, run_id: str, flow: "asyncio.Task[None]") -> None:
        if flow.cancelled():
            return
        match flow.exception():
            case None:
                self.runs.becomes(run_id, "completed")
            case Failure() as failure:
                self.runs.becomes(run_id, "failed", failure.reason, failure.cause)
            case Died():
                self.runs.becomes(run_id, "crashed", "the process ended with status 1", "crash")
            case bug:
                raise bug

    def _says(self, *words: object) -> None:
        self.trace.append(f"{self.clock.now():%H:%M:%S.%f} " + " ".join(map(str, words)))


def _is_over(zombie: "asyncio.Task[None] | asyncio.Task[Step]") -> bool:
    if not zombie.done():
        return False
    end = None if zombie.cancelled() else zombie.exception()
    if end is not None and not isinstance(end, Failure | Died | Transient):
        raise end
    return True
