"""`python -m gateway` as a process: it starts without a broker, and ends when asked to."""

import asyncio
import signal
import socket

import httpx
import pytest

from local.ports import free_port
from schemas import KafkaConnection, Topics
from tests.integration.gateway_processes import WITHIN_S, gateway_process, wait_for
from tests.integration.gateways import answering, until


def test_it_becomes_ready_and_ends_in_order_on_sigterm(connection: KafkaConnection, fresh_topics: Topics) -> None:
    port = free_port()
    environment = {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers, "NLP_TOPIC_PREFIX": fresh_topics.prefix}
    with gateway_process(port, **environment) as process:
        wait_for(f"http://127.0.0.1:{port}/health/ready", 200)
        process.send_signal(signal.SIGTERM)

        assert process.wait(WITHIN_S) == 0


def test_it_lives_without_a_broker_and_ends_on_sigterm() -> None:
    port, nobody = free_port(), free_port()
    with gateway_process(port, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{nobody}") as process:
        wait_for(f"http://127.0.0.1:{port}/health/live", 200)
        ready = httpx.get(f"http://127.0.0.1:{port}/health/ready")
        process.send_signal(signal.SIGTERM)

        assert process.wait(WITHIN_S) == 0
        assert ready.status_code == 503


def test_a_taken_port_ends_it_with_an_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with gateway_process(taken.getsockname()[1]) as process:
            assert process.wait(WITHIN_S) > 0


@pytest.mark.anyio
async def test_an_open_request_is_answered_before_it_ends(connection: KafkaConnection, fresh_topics: Topics) -> None:
    port = free_port()
    environment = {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers, "NLP_TOPIC_PREFIX": fresh_topics.prefix}
    with gateway_process(port, **environment) as process:
        await asyncio.to_thread(wait_for, f"http://127.0.0.1:{port}/health/ready", 200)
        async with httpx.AsyncClient(timeout=WITHIN_S) as client:
            asked = asyncio.create_task(client.post(f"http://127.0.0.1:{port}/predict/ner", json={"text": "last"}))
            async with answering(connection, fresh_topics, lambda record: None) as nobody:
                await until(lambda: nobody.seen)
            process.send_signal(signal.SIGTERM)
            async with answering(connection, fresh_topics, lambda record: (b"{}", [])):
                response = await asked

        assert response.status_code == 200
        assert await asyncio.to_thread(process.wait, WITHIN_S) == 0
