"""The gateway over a real broker, with a stand-in for the workers."""

import asyncio
import json
import re
import time
import uuid
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas import CONTRACTS, Contract, KafkaConnection, Topics
from schemas.errors import RECORD_ERRORS
from schemas.headers import DEADLINE, ERROR_CODE, ERROR_DETAIL, first
from schemas.provision import create_topics
from tests.integration.gateways import (
    NAMES,
    Gateway,
    answering,
    end_of,
    gateway_on,
    ready_gateway,
    until,
)
from tests.integration.kafka import KafkaBroker
from tests.integration.workers import NewWorker

pytestmark = pytest.mark.anyio

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def echo(record: ConsumerRecord) -> tuple[bytes, list[tuple[str, bytes]]]:
    return b'{"echo": %s}' % record.value, []


def stay_silent(_: ConsumerRecord) -> None:
    return None


def example_of(contract: Contract) -> dict[str, Any]:
    document = contract.request_type.model_json_schema()
    example: dict[str, Any] = document["examples"][0]
    return example


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
async def test_each_route_returns_the_workers_bytes(
    contract: Contract, connection: KafkaConnection, fresh_topics: Topics
) -> None:
    async with answering(connection, fresh_topics, echo), ready_gateway(connection, fresh_topics) as gateway:
        body = example_of(contract)
        response = await gateway.ask(contract.name, body)

    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"echo": body}
    assert re.fullmatch(re.escape(contract.requests(fresh_topics)) + r"\[\d+\]@\d+", response.headers["NLP-Source"])
    assert response.headers["NLP-Model"] == "echo 1"


async def test_the_request_record_carries_what_the_worker_needs(
    connection: KafkaConnection, fresh_topics: Topics
) -> None:
    body = b'{ "id": "a \\u00e9",  "text": "hi" }'
    headers = [
        ("content-type", "application/json"),
        ("traceparent", TRACE),
        ("traceparent", TRACE.replace("b7", "c8")),
        ("tracestate", "a=1"),
        ("tracestate", "b=2"),
        ("nlp-timeout", "5"),
    ]
    async with (
        answering(connection, fresh_topics, echo) as worker,
        ready_gateway(connection, fresh_topics, reply_partition=3) as gateway,
    ):
        before_ms = 1_000 * time.time()
        response = await gateway.client.post("/predict/ner", content=body, headers=headers)
        record = worker.seen[0]

    assert response.headers["NLP-Id"] == "a %C3%A9"
    assert record.value == body
    assert record.key == "a é".encode()
    assert [value for name, value in record.headers if name == "traceparent"] == [TRACE.encode()]
    assert [value for name, value in record.headers if name == "tracestate"] == [b"a=1,b=2"]
    assert len(first(record.headers, NAMES.correlation_id) or b"") == 16
    assert first(record.headers, NAMES.reply_topic) == fresh_topics.replies.encode()
    assert first(record.headers, NAMES.reply_partition) == b"\x00\x00\x00\x03"
    assert before_ms + 4_000 < int(first(record.headers, DEADLINE) or b"0") < before_ms + 30_000


@pytest.mark.parametrize("error", RECORD_ERRORS, ids=lambda error: error.code)
async def test_an_error_reply_becomes_its_problem(
    error: Any, connection: KafkaConnection, fresh_topics: Topics
) -> None:
    def refuse(_: ConsumerRecord) -> tuple[bytes, list[tuple[str, bytes]]]:
        return b"", [(ERROR_CODE, error.code.encode()), (ERROR_DETAIL, b"why not")]

    async with answering(connection, fresh_topics, refuse), ready_gateway(connection, fresh_topics) as gateway:
        response = await gateway.ask("ner", {"text": "a secret"})

    problem = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (problem["code"], problem["detail"], problem["status"]) == (error.code, "why not", response.status_code)
    assert response.status_code >= 400


@pytest.mark.parametrize("partitions", [(1, 2), (5, 5)], ids=["own", "shared"])
async def test_two_gateways_never_get_each_others_replies(
    partitions: tuple[int, int], connection: KafkaConnection, fresh_topics: Topics
) -> None:
    async def ask(gateway: Gateway, text: str) -> bool:
        response = await gateway.ask("sentiment", {"text": text})
        return bool(response.status_code == 200 and response.json() == {"echo": {"text": text}})

    async with (
        answering(connection, fresh_topics, echo),
        ready_gateway(connection, fresh_topics, reply_partition=partitions[0], timeout_s=60) as one,
        ready_gateway(connection, fresh_topics, reply_partition=partitions[1], timeout_s=60) as two,
    ):
        right = await asyncio.gather(
            *(ask(gateway, f"{number} {uuid.uuid4()}") for gateway in (one, two) for number in range(250))
        )
        delivered = [await gateway.metric("nlp_gateway_replies_total", outcome="delivered") for gateway in (one, two)]
        pending = [await gateway.metric("nlp_gateway_pending_replies") for gateway in (one, two)]
        foreign = [await gateway.metric("nlp_gateway_replies_total", outcome="foreign") for gateway in (one, two)]

    assert right == [True] * 500
    assert delivered == [250, 250]
    assert pending == [0, 0]
    assert (sum(foreign) > 0) == (partitions[0] == partitions[1])


async def test_a_caller_gets_504_when_no_worker_answers(connection: KafkaConnection, fresh_topics: Topics) -> None:
    async with ready_gateway(connection, fresh_topics, timeout_s=0.3) as gateway:
        response = await gateway.ask("ner", {"text": "anyone there?"})
        pending = await gateway.metric("nlp_gateway_pending_replies")

    assert (response.status_code, response.json()["code"]) == (504, "reply_timeout")
    assert pending == 0


async def test_a_late_reply_is_counted_and_dropped(connection: KafkaConnection, fresh_topics: Topics) -> None:
    async with (
        answering(connection, fresh_topics, stay_silent) as worker,
        ready_gateway(connection, fresh_topics, timeout_s=0.3) as gateway,
        AIOKafkaProducer(**connection.client_options()) as producer,
    ):
        response = await gateway.ask("ner", {"text": "too late"})
        await until(lambda: worker.seen)
        worker.answer = echo
        await worker.reply(producer, worker.seen[0])

        await until(lambda: gateway.metric("nlp_gateway_replies_total", outcome="late"))

    assert response.status_code == 504


async def test_one_request_more_than_allowed_gets_429(connection: KafkaConnection, fresh_topics: Topics) -> None:
    async with ready_gateway(connection, fresh_topics, max_pending=3, timeout_s=60) as gateway:
        waiting = [asyncio.create_task(gateway.ask("ner", {"text": "wait"})) for _ in range(3)]
        await until(lambda: _has_pending(gateway, 3))
        refused = await gateway.ask("ner", {"text": "one more"})
        async with answering(connection, fresh_topics, echo):
            answered = [(await response).status_code for response in waiting]

    assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert answered == [200, 200, 200]


async def test_a_caller_that_leaves_leaves_nothing_pending(connection: KafkaConnection, fresh_topics: Topics) -> None:
    async with ready_gateway(connection, fresh_topics, timeout_s=60) as gateway:
        _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        body = b'{"text": "bye"}'
        writer.write(
            b"POST /predict/ner HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await until(lambda: _has_pending(gateway, 1))
        writer.close()
        await until(lambda: _has_pending(gateway, 0))

        await until(lambda: gateway.metric("api_requests_total", route="/predict/ner", status="499"))


async def _has_pending(gateway: Gateway, number: int) -> bool:
    return await gateway.metric("nlp_gateway_pending_replies") == number


async def test_the_first_request_after_ready_gets_its_reply(connection: KafkaConnection, fresh_topics: Topics) -> None:
    async with answering(connection, fresh_topics, echo):
        for _ in range(5):
            async with ready_gateway(connection, fresh_topics, timeout_s=10) as gateway:
                response = await gateway.ask("ner", {"text": "first"})

            assert response.status_code == 200


async def test_a_gateway_waits_for_its_topics(connection: KafkaConnection) -> None:
    topics = Topics(prefix=f"t{uuid.uuid4().hex[:8]}.")
    async with gateway_on(connection, topics, max_reconnect_pause_s=0.2) as gateway:
        await until(lambda: _reason_holds(gateway, topics.replies))
        await create_topics(connection, topics)

        await until(gateway.is_ready)


async def test_a_gateway_names_a_reply_partition_that_does_not_exist(
    connection: KafkaConnection, fresh_topics: Topics
) -> None:
    async with gateway_on(connection, fresh_topics, reply_partition=999) as gateway:
        await until(lambda: _reason_holds(gateway, "no partition 999"))


async def _reason_holds(gateway: Gateway, text: str) -> bool:
    response = await gateway.client.get("/health/ready")
    return response.status_code == 503 and text in response.json()["reasons"][0]


async def test_a_gateway_serves_before_its_broker_and_after_losing_it(private_broker: KafkaBroker) -> None:
    connection = KafkaConnection(bootstrap_servers=private_broker.bootstrap_servers)
    topics = Topics(prefix="away.")
    await create_topics(connection, topics)
    await asyncio.to_thread(private_broker.stop)

    async with gateway_on(connection, topics, timeout_s=5, broker_timeout_s=1, probe_interval_s=0.1) as gateway:
        for _ in range(2):
            absent = await gateway.ask("ner", {"text": "early"})
            live = await gateway.client.get("/health/live")
            await asyncio.to_thread(private_broker.start)
            await until(gateway.is_ready)
            async with answering(connection, topics, echo):
                answered = await gateway.ask("ner", {"text": "now"})
            await asyncio.to_thread(private_broker.kill)
            in_the_moment = await gateway.ask("ner", {"text": "gone?"})
            await until(lambda: _reason_holds(gateway, "broker"))

            assert (absent.status_code, absent.json()["code"]) == (503, "broker_unavailable")
            assert absent.headers["Retry-After"] == "1"
            assert live.status_code == 200
            assert answered.status_code == 200
            assert (in_the_moment.status_code, in_the_moment.json()["code"]) == (503, "broker_unavailable")
            assert await gateway.metric("nlp_gateway_pending_replies") == 0


async def test_a_reply_written_while_the_connection_was_lost_still_arrives(private_broker: KafkaBroker) -> None:
    connection = KafkaConnection(bootstrap_servers=private_broker.bootstrap_servers)
    topics = Topics(prefix="lost.")
    await create_topics(connection, topics)

    async with ready_gateway(connection, topics, timeout_s=60, broker_timeout_s=1, probe_interval_s=0.1) as gateway:
        asked = asyncio.create_task(gateway.ask("ner", {"text": "patience"}))
        await until(lambda: _was_sent(connection, topics))
        await asyncio.to_thread(private_broker.kill)
        await until(lambda: _reason_holds(gateway, "broker"))
        await asyncio.to_thread(private_broker.start)
        async with answering(connection, topics, echo):
            response = await asked

    assert response.status_code == 200


async def _was_sent(connection: KafkaConnection, topics: Topics) -> bool:
    ends = [await end_of(connection, topics.ner_requests, partition) for partition in range(topics.partitions)]
    return sum(ends) == 1


async def test_a_request_that_its_topic_refuses_disturbs_no_other(
    connection: KafkaConnection, fresh_topics: Topics
) -> None:
    admin = AIOKafkaAdminClient(**connection.client_options())
    await admin.start()
    small = {"max.message.bytes": "2000"}
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, fresh_topics.ner_requests, small)])
    await admin.close()

    async with answering(connection, fresh_topics, echo), ready_gateway(connection, fresh_topics) as gateway:
        await until(lambda: _is_refused(gateway))  # the broker takes its time to apply the limit
        for _ in range(5):
            others = [asyncio.create_task(gateway.ask("sentiment", {"text": "small"})) for _ in range(10)]
            refused = await gateway.ask("ner", {"text": "x" * 5_000})
            others += [asyncio.create_task(gateway.ask("sentiment", {"text": "small"})) for _ in range(10)]
            answered = {(await other).status_code for other in others}

            assert (refused.json()["code"], answered) in (("record_too_large", {200}), ("broker_unavailable", {200}))
        await until(lambda: _is_answered(gateway))
        later = [(await gateway.ask("ner", {"text": "small"})).status_code for _ in range(20)]
        losses = await gateway.metric("nlp_gateway_broker_connection_losses_total")

    assert later == [200] * 20
    assert losses == 0


async def _is_answered(gateway: Gateway) -> bool:
    return (await gateway.ask("ner", {"text": "small"})).status_code == 200


async def _is_refused(gateway: Gateway) -> bool:
    response = await gateway.ask("ner", {"text": "x" * 5_000})
    return response.status_code == 413 and response.json()["code"] == "record_too_large"


async def test_the_real_worker_answers_the_three_examples(
    connection: KafkaConnection, fresh_topics: Topics, new_worker: NewWorker
) -> None:
    worker = new_worker("worker")
    worker.start()
    await worker.ready()
    praise = "The implementation was seamless and very robust."
    apple = "Apple Inc. is planning to open a new office in London."
    mlflow = "MLflow is an open source platform for the machine learning lifecycle."

    async with ready_gateway(connection, fresh_topics) as gateway:
        sentiment = (await gateway.ask("sentiment", {"text": praise})).json()
        ner = (await gateway.ask("ner", {"id": "mine", "text": apple})).json()
        qa = (await gateway.ask("qa", {"context": mlflow, "question": "What is MLflow?"})).json()
        late = await gateway.ask("ner", {"text": apple}, headers={"NLP-Timeout": "0.000001"})

    assert sentiment["sentiment"] == "positive"
    assert ner["id"] == "mine"
    assert [
        (entity["text"], entity["type"], entity["start_char"], entity["end_char"]) for entity in ner["entities"]
    ] == [
        ("Apple Inc.", "ORG", 0, 10),
        ("London", "LOC", 47, 53),
    ]
    assert (qa["answer"], qa["start_char"], qa["end_char"]) == (mlflow[10:68], 10, 68)
    assert late.status_code >= 503


async def test_bad_input_is_refused_without_quoting_it(connection: KafkaConnection, fresh_topics: Topics) -> None:
    secret = "my-secret-text"
    bodies = [
        json.dumps({"text": [secret]}),
        json.dumps({"id": secret * 100, "text": secret}),
        f'{{"text": "{secret}"',
        json.dumps({"text": secret * 10_000}),
        json.dumps({"text": " "}),
        json.dumps([secret]),
    ]
    async with ready_gateway(connection, fresh_topics) as gateway:
        headers = {"content-type": "application/json"}
        responses: list[httpx.Response] = [
            await gateway.client.post("/predict/ner", content=body, headers=headers) for body in bodies
        ]

    assert [response.status_code for response in responses] == [422] * len(bodies)
    assert {response.headers["content-type"] for response in responses} == {"application/problem+json"}
    assert not any(secret in response.text for response in responses)
    assert responses[3].json()["limit"] == 100_000
    assert responses[3].json()["field"] == "text"
