"""Who gets which rule: the stages, made out of ports and the configuration.

The app wires them to the adapters, the simulation to fakes; so what is simulated is what runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from router.ports.clock import Clock
from router.ports.discovery import DiscoveryLedger
from router.ports.intake import IntakeLedger, Source
from router.ports.publication import PublicationLedger, Publisher
from router.ports.requests import RequestLedger
from router.ports.runs import Runs
from router.ports.scheduling import SchedulingLedger
from router.ports.settlement import SettlementLedger
from router.ports.storage import Store
from router.rules.belonging import Belonging
from router.rules.matching import Matcher
from router.rules.permissions import Permissions
from router.rules.portion import WHOLE_POLLS, Portion
from router.rules.sizing import Sizing
from router.slots import Slots
from router.stages.discovery import DiscoveryStage
from router.stages.intake import IntakeStage
from router.stages.publication import PublicationStage
from router.stages.requests import RequestsStage
from router.stages.resolution import FILES_A_STEP, ResolutionStage
from router.stages.scheduling import SchedulingStage
from router.stages.settlement import SettlementStage
from router.step import Stage
from schemas.config import Config


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the stages ask of the world; `events` and `asked` are the topics of arrivals and of requests."""

    events: Source
    asked: Source
    intake: IntakeLedger
    discovery: DiscoveryLedger
    requests: RequestLedger
    scheduling: SchedulingLedger
    settlement: SettlementLedger
    publication: PublicationLedger
    store: Store
    runs: Runs
    publisher: Publisher
    clock: Clock


class Wiring:
    """The rules of one configuration, and the stages that ask them."""

    def __init__(self, config: Config, *, portion: Portion = WHOLE_POLLS, files_a_step: int = FILES_A_STEP) -> None:
        self._config = config
        self._portion = portion
        self._files_a_step = files_a_step
        matcher = Matcher(config)
        self._sizing = Sizing(config)
        self._permissions = Permissions(config, matcher)
        self._belonging = Belonging(config, matcher)

    def stages(self, ports: Ports, slots: Slots) -> tuple[SettlementStage, Sequence[Stage]]:
        """All of them, in the order of a file's path; settlement once more by itself, because it takes hints."""
        settlement = self.settlement(ports.settlement, ports.requests, ports.runs)
        return settlement, [
            self.intake(ports.events, ports.intake),
            self.requests(ports.asked, ports.requests),
            DiscoveryStage(ports.store, ports.discovery, self._belonging, self._sizing),
            self.resolution(ports.store, ports.requests),
            self.scheduling(ports.scheduling, ports.runs, ports.clock, slots),
            settlement,
            PublicationStage(ports.publication, ports.publisher),
        ]

    def intake(self, source: Source, ledger: IntakeLedger) -> IntakeStage:
        """Events find no source that loads only what is requested, so it has a matcher of its own."""
        matcher = Matcher(self._config, for_events=True)
        topics, traces = self._config.arrival_topics, self._config.traces
        return IntakeStage(source, ledger, matcher, self._sizing, topics, portion=self._portion, traces=traces)

    def requests(self, source: Source, ledger: RequestLedger) -> RequestsStage:
        """Requests are refused by the same permissions with which they are resolved and settled later."""
        return RequestsStage(source, ledger, self._permissions, portion=self._portion)

    def resolution(self, store: Store, ledger: RequestLedger) -> ResolutionStage:
        """What a request asks for is placed by the same sizes as what lands."""
        return ResolutionStage(
            store, ledger, self._permissions, self._belonging, self._sizing, files_a_step=self._files_a_step
        )

    def slots(self, runs: Runs) -> Slots:
        """What scheduling goes by, and the metrics tell."""
        return Slots(self._config, runs)

    def scheduling(self, ledger: SchedulingLedger, runs: Runs, clock: Clock, slots: Slots) -> SchedulingStage:
        """Batches are cut by the same sizes by which intake placed their files."""
        sizing, belonging, config = self._sizing, self._belonging, self._config
        return SchedulingStage(ledger, runs, clock, slots=slots, sizing=sizing, belonging=belonging, config=config)

    def settlement(self, ledger: SettlementLedger, requests: RequestLedger, runs: Runs) -> SettlementStage:
        """Attempts go on in the size classes in which they were scheduled."""
        return SettlementStage(
            ledger, requests, runs, permissions=self._permissions, sizing=self._sizing, config=self._config
        )
