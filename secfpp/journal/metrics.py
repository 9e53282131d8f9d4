"""Prometheus metrics of a daemon: one registry of its own, read when somebody asks.

What is (peers, certificate) is read where it is kept, what has happened in runs from a `Tally`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from secfpp import __version__
from secfpp.errors import ConfigError
from secfpp.journal.tally import Tally
from secfpp.pki.names import Role
from secfpp.transport.diagnosis import why_not_listening
from secfpp.transport.grpc_tls import Mailbox
from secfpp.transport.peers import Peer

log = structlog.get_logger()

Family = CounterMetricFamily | GaugeMetricFamily | SummaryMetricFamily
FAMILIES: Final[Mapping[str, Callable[..., Any]]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "summary": SummaryMetricFamily,
}
Sample = tuple[tuple[str, ...], tuple[float, ...]]
"""The labels' values, and the value; of a summary, count and sum."""

BOTH: Final = frozenset({Role.COORDINATOR, Role.PARTY})


Roster = Callable[[], Container[str]]
"""The peers that the operator wants now."""


@dataclass(frozen=True)
class Source:
    """Where values are read: what the daemon's mailbox knows, and the tally of its runs.

    Peers that are not on the `roster` are left out, where there is one.
    """

    mailbox: Mailbox
    tally: Tally
    roster: Roster | None = None

    def peers(self) -> list[Peer]:
        """The peers of which something is told."""
        roster = None if self.roster is None else self.roster()
        known = self.mailbox.peers.known()
        return [peer for peer in known if roster is None or peer.name in roster]


@dataclass(frozen=True)
class Metric:
    """One metric, as it is exposed by daemons in `roles` and explained in docs/operations.md."""

    name: str
    kind: Literal["counter", "gauge", "summary"]
    labels: tuple[str, ...]
    meaning: str
    read: Callable[[Source], Iterable[Sample]]
    roles: frozenset[Role] = BOTH

    def family(self, source: Source) -> Family:
        """The metric with its present values."""
        family = FAMILIES[self.kind](self.name, self.meaning, labels=self.labels)
        for labels, values in self.read(source):
            family.add_metric(labels, *values)
        found: Family = family
        return found


def _of_peers(value: Callable[[Peer], float]) -> Callable[[Source], Iterator[Sample]]:
    """Reads one number of every peer."""

    def read(source: Source) -> Iterator[Sample]:
        for peer in source.peers():
            yield (peer.name,), (value(peer),)

    return read


def _both_ways(sent: str, received: str) -> Callable[[Source], Iterator[Sample]]:
    """Reads two numbers of the traffic with every peer, by their names in `Traffic`."""

    def read(source: Source) -> Iterator[Sample]:
        for peer in source.peers():
            yield (peer.name, "sent"), (getattr(peer.traffic, sent),)
            yield (peer.name, "received"), (getattr(peer.traffic, received),)

    return read


def _happened_to(counts: Callable[[Tally], dict[str, int]]) -> Callable[[Source], Iterator[Sample]]:
    """Reads a count of every peer, from 0: a rise from nothing would not be seen as a rise."""

    def read(source: Source) -> Iterator[Sample]:
        counted = counts(source.tally)
        for peer in source.peers():
            yield (peer.name,), (counted.get(peer.name, 0),)

    return read


def _connected(source: Source) -> Iterator[Sample]:
    for peer in source.peers():
        yield (peer.name,), (source.mailbox.connected(peer.name),)


def _last_seen(source: Source) -> Iterator[Sample]:
    for peer in source.peers():
        if peer.last_seen is not None:
            yield (peer.name,), (peer.last_seen,)


def _phases(source: Source) -> Iterator[Sample]:
    for phase, (times, seconds) in source.tally.phases.copy().items():
        yield (phase,), (times, seconds)


METRICS: Final = (
    Metric(
        "secfpp_build_info",
        "gauge",
        ("version", "role"),
        "Always 1; its labels say which version runs, and as what.",
        lambda source: [((__version__, source.mailbox.identity.leaf.role.value), (1,))],
    ),
    Metric(
        "secfpp_certificate_expiry_timestamp_seconds",
        "gauge",
        ("name",),
        "When the own certificate expires, in Unix time.",
        lambda source: [
            ((source.mailbox.identity.name,), (source.mailbox.identity.leaf.expires.timestamp(),))
        ],
    ),
    Metric(
        "secfpp_peer_connected",
        "gauge",
        ("peer",),
        "1 while a TLS connection to the peer stands, else 0.",
        _connected,
    ),
    Metric(
        "secfpp_peer_last_seen_timestamp_seconds",
        "gauge",
        ("peer",),
        "When the peer last sent or confirmed something, in Unix time; absent if it never did.",
        _last_seen,
    ),
    Metric(
        "secfpp_peer_reconnects_total",
        "counter",
        ("peer",),
        "Streams to the peer that were opened again after a break.",
        _of_peers(lambda peer: max(0, peer.streams - 1)),
    ),
    Metric(
        "secfpp_peer_bytes_total",
        "counter",
        ("peer", "direction"),
        "Payload bytes exchanged with the peer: direction is sent or received.",
        _both_ways("sent", "received"),
    ),
    Metric(
        "secfpp_peer_messages_total",
        "counter",
        ("peer", "direction"),
        "Messages exchanged with the peer: direction is sent or received.",
        _both_ways("calls_sent", "calls_received"),
    ),
    Metric(
        "secfpp_peer_violations_total",
        "counter",
        ("peer",),
        "Breaches of the protocol that this daemon found in what the peer sent.",
        _happened_to(lambda tally: tally.violations.copy()),
    ),
    Metric(
        "secfpp_peer_named_total",
        "counter",
        ("peer",),
        "Lies for which the peer was named, each with its proof in the run directory.",
        _happened_to(lambda tally: tally.named.copy()),
        frozenset({Role.COORDINATOR}),
    ),
    Metric(
        "secfpp_peer_lost_total",
        "counter",
        ("peer",),
        "Attempts of rounds that went on, or failed, without the peer.",
        _happened_to(lambda tally: tally.lost.copy()),
        frozenset({Role.COORDINATOR}),
    ),
    Metric(
        "secfpp_round_attempts_total",
        "counter",
        ("outcome",),
        "Attempts of rounds that ended: outcome is completed, once a round, or failed.",
        lambda source: [((how,), (n,)) for how, n in source.tally.attempts.copy().items()],
    ),
    Metric(
        "secfpp_round_phase_seconds",
        "summary",
        ("phase",),
        "Seconds that completed rounds took here, by phase: train, share, check, cluster, sum.",
        _phases,
    ),
    Metric(
        "secfpp_distances_opened_total",
        "counter",
        (),
        "Distances that were opened, in completed and in failed attempts, as on the ledger.",
        lambda source: [((), (source.tally.distances,))],
        frozenset({Role.COORDINATOR}),
    ),
    Metric(
        "secfpp_clipped_values_total",
        "counter",
        (),
        "Values of own prompts that were clipped before an attempt dealt them.",
        lambda source: [((), (source.tally.clipped,))],
        frozenset({Role.PARTY}),
    ),
)


class Metrics(Collector):
    """The metrics of one daemon; its runs' events go to `tally.hear`.

    They are read in threads of the HTTP server, each value as it is at that moment.
    """

    def __init__(self, mailbox: Mailbox, roster: Roster | None = None) -> None:
        self.tally = Tally()
        self._source = Source(mailbox, self.tally, roster)
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def collect(self) -> Iterator[Family]:
        """Every metric of this daemon's role, read now."""
        role = self._source.mailbox.identity.leaf.role
        for metric in METRICS:
            if role in metric.roles:
                yield metric.family(self._source)

    @asynccontextmanager
    async def listening(self, listen: str) -> AsyncIterator[None]:
        """Answer Prometheus at `listen`, host:port, as long as this lasts; "" for nowhere.

        ConfigError names an address that cannot be had.
        """
        if not listen:
            yield
            return
        host, _, port = listen.rpartition(":")
        try:
            server, _ = await asyncio.to_thread(
                start_http_server, int(port), host.strip("[]"), self._registry
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen for Prometheus on {listen}: {why_not_listening(listen)}",
                fix="stop what listens there, or change `listen` in [metrics]",
            ) from error
        log.info("metrics can be read", address=f"{host}:{server.server_port}")
        try:
            yield
        finally:
            await asyncio.to_thread(server.shutdown)
            server.server_close()
