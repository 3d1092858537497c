"""Callers and their replies: each gets its own, and none leaves anything behind."""

import asyncio

import pytest

from gateway.metrics import Metrics
from gateway.replies import PendingReplies, Reply
from schemas.errors import BrokerUnavailable, Overloaded

pytestmark = pytest.mark.anyio

REPLY = Reply(b"{}", ())


def outcomes(metrics: Metrics) -> dict[str, float]:
    return {
        sample.labels["outcome"]: sample.value
        for family in metrics.replies.collect()
        for sample in family.samples
        if sample.name.endswith("_total")
    }


async def test_a_reply_goes_to_the_caller_with_its_correlation_id() -> None:
    pending = PendingReplies(10, Metrics())

    with pending.expect() as one, pending.expect() as two:
        pending.deliver(two.correlation_id, REPLY)

        assert await two.reply is REPLY
        assert not one.reply.done()


async def test_correlation_ids_have_128_bits_and_differ() -> None:
    pending = PendingReplies(1, Metrics())
    seen = set()

    for _ in range(1_000):
        with pending.expect() as waiting:
            seen.add(waiting.correlation_id)

    assert {len(correlation_id) for correlation_id in seen} == {16}
    assert len(seen) == 1_000


async def test_one_caller_more_than_the_limit_is_refused() -> None:
    pending = PendingReplies(2, Metrics())

    with pending.expect(), pending.expect(), pytest.raises(Overloaded), pending.expect():
        pass

    assert len(pending) == 0


async def test_leaving_by_an_exception_leaves_nothing_pending() -> None:
    pending = PendingReplies(1, Metrics())

    with pytest.raises(RuntimeError), pending.expect():
        raise RuntimeError

    assert len(pending) == 0


async def test_a_cancelled_caller_leaves_nothing_pending() -> None:
    pending = PendingReplies(1, Metrics())

    async def wait() -> None:
        with pending.expect() as waiting:
            await waiting.reply

    caller = asyncio.create_task(wait())
    await asyncio.sleep(0)
    was_pending = len(pending)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)

    assert (was_pending, len(pending)) == (1, 0)


async def test_late_and_foreign_replies_are_counted_and_dropped() -> None:
    metrics = Metrics()
    pending = PendingReplies(1, metrics)

    with pending.expect() as waiting:
        pending.deliver(waiting.correlation_id, REPLY)
        pending.deliver(waiting.correlation_id, REPLY)
    pending.deliver(waiting.correlation_id, REPLY)
    pending.deliver(b"another replica's", REPLY)
    pending.deliver(None, REPLY)

    assert outcomes(metrics) == {"delivered": 1.0, "late": 2.0, "foreign": 2.0}


async def test_a_failure_after_the_reply_changes_nothing() -> None:
    pending = PendingReplies(1, Metrics())

    with pending.expect() as waiting:
        pending.deliver(waiting.correlation_id, REPLY)
        waiting.fail(BrokerUnavailable("too late"))

        assert await waiting.reply is REPLY


async def test_the_gauge_counts_those_who_wait() -> None:
    metrics = Metrics()
    pending = PendingReplies(5, metrics)

    with pending.expect(), pending.expect():
        during = metrics.registry.get_sample_value("nlp_gateway_pending_replies")

    assert (during, metrics.registry.get_sample_value("nlp_gateway_pending_replies")) == (2.0, 0.0)
