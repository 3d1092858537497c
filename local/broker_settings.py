"""The broker's `server.properties`, for one developer's machine."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from schemas.topics import OUTPUT_BYTES

_LISTS = ("listeners", "advertised.listeners", "listener.security.protocol.map")

_OVERHEAD_BYTES = 2**20
"""Keys, headers and the batch's own bytes, beside the largest value."""


def server_properties(
    directory: Path, host: str, port: int, controller_port: int, more: Mapping[str, object] = MappingProxyType({})
) -> str:
    """Return the text of the file: one node that is broker and controller, with its data below `directory`.

    `more` is laid over it; listeners among it are added to the two that are needed.
    """
    largest = OUTPUT_BYTES + _OVERHEAD_BYTES
    properties: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.bootstrap.servers": f"{host}:{controller_port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": directory / "data",
        # Every topic is created explicitly: one made by a misspelt name would swallow records silently.
        "auto.create.topics.enable": "false",
        "message.max.bytes": largest,
        "replica.fetch.max.bytes": largest,
        # One broker: it cannot hold more than one copy of its own topics.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # The defaults, 50 each, are made for clusters: here they cost start-up time and open files.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 4,
        # A group of one need not wait 3 s for members that never come.
        "group.initial.rebalance.delay.ms": 0,
        # A broker that was killed may come back only when its old session has ended: 9 s by default.
        "broker.session.timeout.ms": 5_000,
        "broker.heartbeat.interval.ms": 1_000,
        # 128 MB by default, a third of the heap, for compacting topics that hold a few records here.
        "log.cleaner.dedupe.buffer.size": 8 * 2**20,
        "log.index.size.max.bytes": 2**20,
    }
    for name, value in more.items():
        properties[name] = f"{properties[name]},{value}" if name in _LISTS else value
    return "".join(f"{name}={value}\n" for name, value in properties.items())
