"""What is to be done to the cluster's topics, so that they are as the settings say: worked out before it is done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from schemas.cluster import Found
from schemas.topics import Topics, TopicSpec


class Action(Enum):
    """What becomes of one topic."""

    CREATE = "create"
    GROW = "grow"
    KEEP = "unchanged"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Step:
    """One topic: as it is to be, the partitions it has (None where it is missing), and where it drifted from that.

    `drift` holds what was found and what was wanted of each setting that differs; such settings are never changed.
    """

    spec: TopicSpec
    found: int | None
    drift: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def action(self) -> Action:
        """What is to be done: partitions can be added, and never taken away."""
        if self.found is None:
            return Action.CREATE
        if self.found == self.spec.partitions:
            return Action.KEEP
        return Action.GROW if self.found < self.spec.partitions else Action.REFUSE

    def lines(self) -> list[str]:
        """Return the step for people: what is done, then what differs and is left alone."""
        name, wanted = self.spec.name, self.spec.partitions
        match self.action:
            case Action.CREATE:
                does = f"{name}: {wanted} partitions"
            case Action.KEEP:
                does = f"{name}: {wanted} partitions"
            case Action.GROW:
                does = f"{name}: {self.found} → {wanted} partitions"
            case Action.REFUSE:
                does = f"{name}: {self.found} → {wanted} partitions, but Kafka cannot take partitions away"
        drifted = [f"drift     {name}: {key} is {found}, wanted {want}" for key, (found, want) in self.drift.items()]
        return [f"{self.action.value:<9} {does}", *drifted]


def topic_settings(spec: TopicSpec, replication_factor: int) -> dict[str, str]:
    """Return the settings that a topic is created with, in Kafka's words."""
    return {
        "cleanup.policy": "delete",
        # Batches stay as their producers compressed them, so that the broker does not pay for it.
        "compression.type": "producer",
        "max.message.bytes": str(spec.max_message_bytes),
        # The event time of the caller passes through to the outputs, so the broker must not write its own.
        "message.timestamp.type": "CreateTime",
        # All copies but one must be there for an acknowledgement: one broker may be lost, or restarted, at any time.
        "min.insync.replicas": str(max(1, replication_factor - 1)),
        "retention.ms": str(spec.retention_ms),
    }


def make_plan(topics: Topics, found: Mapping[str, Found]) -> list[Step]:
    """Return a step for each topic, in the order of the settings."""
    return [_step(spec, found.get(spec.name), topics.replication_factor) for spec in topics.specs()]


def _step(spec: TopicSpec, found: Found | None, replication_factor: int) -> Step:
    if found is None:
        return Step(spec, None)
    wanted = topic_settings(spec, replication_factor)
    drift = {
        key: (found.settings[key], value) for key, value in wanted.items() if found.settings.get(key, value) != value
    }
    if found.replication_factor != replication_factor:
        drift["replication factor"] = (str(found.replication_factor), str(replication_factor))
    return Step(spec, found.partitions, drift)
