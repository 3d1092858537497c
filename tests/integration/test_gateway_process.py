"""`python -m gateway` as a process: it starts without a broker, and ends when asked to."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import httpx
import pytest

from gateway.keys import new_key
from local.ports import free_port
from schemas import KafkaConnection, Topics
from tests.integration.gateway_processes import WITHIN_S, gateway_process, wait_for
from tests.integration.gateways import answering, until


def test_it_becomes_ready_and_ends_in_order_on_sigterm(connection: KafkaConnection, fresh_topics: Topics) -> None:
    port = free_port()
    environment = {"KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers, "NLP_TOPIC_PREFIX": fresh_topics.prefix}
    with gateway_process(port, environment) as process:
        wait_for(f"http://127.0.0.1:{port}/health/ready", 200)
        process.send_signal(signal.SIGTERM)

        assert process.wait(WITHIN_S) == 0


def test_it_lives_without_a_broker_and_ends_on_sigterm() -> None:
    port, nobody = free_port(), free_port()
    with gateway_process(port, {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{nobody}"}) as process:
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
    with gateway_process(port, environment) as process:
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


def test_every_line_it_writes_is_an_object_and_none_holds_a_callers_text(tmp_path: Path) -> None:
    port, nobody, secret, log = free_port(), free_port(), "a-secret-of-the-caller", tmp_path / "log"
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{nobody}",
        "NLP_GATEWAY_LOG_FORMAT": "json",
        "NLP_GATEWAY_ACCESS_LOG": "true",
    }
    url = f"http://127.0.0.1:{port}"
    with gateway_process(port, environment, log) as process:
        wait_for(f"{url}/health/live", 200)
        for body in ({"text": secret}, {"text": [secret]}):
            httpx.post(f"{url}/predict/ner?q={secret}", json=body, headers={"X-Request-ID": "r-3"})
        with socket.create_connection(("127.0.0.1", port)) as odd:
            odd.sendall(f"{secret}\r\n\r\n".encode())
            assert odd.recv(100).startswith(b"HTTP/1.1 400")
        process.send_signal(signal.SIGTERM)
        process.wait(WITHIN_S)
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]

    assert all({"time", "level", "logger", "message"} <= line.keys() for line in lines)
    assert {"uvicorn.error", "gateway.link", "gateway.access"} <= {line["logger"] for line in lines}
    asked = [line for line in lines if line.get("route") == "/predict/ner"]
    assert [(line["request_id"], line["status"]) for line in asked] == [("r-3", 503), ("r-3", 422)]
    assert secret not in text


def test_keys_that_cannot_be_read_stop_the_start_with_one_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with gateway_process(free_port(), {"NLP_GATEWAY_API_KEYS_FILE": str(tmp_path / "nowhere")}, log) as process:
        assert process.wait(WITHIN_S) == 2

    (line,) = log.read_text().splitlines()
    assert line == f"gateway: the API keys are wrong: {tmp_path / 'nowhere'}: No such file or directory"


def test_a_key_that_was_put_where_its_hash_belongs_is_not_told(tmp_path: Path) -> None:
    key, log = new_key(), tmp_path / "log"
    with gateway_process(free_port(), {"NLP_GATEWAY_API_KEYS": key}, log) as process:
        assert process.wait(WITHIN_S) == 2

    assert "not a name, a colon and 64 hexadecimal digits" in log.read_text()
    assert key not in log.read_text()
