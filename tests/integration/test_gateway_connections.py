"""Connections over real sockets: slow callers, endless ones, too many of them, and what is no HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from schemas import Limits
from tests.gateway_fixtures import FakeLink, app_with
from tests.integration.gateways import Gateway, serving, until

pytestmark = pytest.mark.anyio

DRIP_S = 0.02
"""Between two bytes of a slow caller."""
HEAD = b"POST /predict/ner HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
NO_HTTP = {
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "a head without sense": b"GET / HTTP/1.1\r\nNoColon\r\n\r\n",
    "an endless head": b"GET /" + b"x" * 20_000,
}
MORE_THAN_BUFFERS_HOLD = 10_000_000
HEALTH = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"


@asynccontextmanager
async def gateway(limits: Limits | None = None, **settings: Any) -> AsyncIterator[Gateway]:
    link = FakeLink(answer=lambda _: (b"{}", []))
    async with serving(app_with(link, limits, **settings), **settings) as served:
        yield served


class Caller:
    """Writes and reads bytes as they are."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def drip(self, data: bytes) -> None:
        """Send a byte at a time, until the end or until nobody takes them any more."""
        for byte in data:
            if self.writer.is_closing() or self.reader.at_eof():
                return
            self.writer.write(bytes([byte]))
            await asyncio.sleep(DRIP_S)

    async def answer(self) -> tuple[int, dict[str, str], Any]:
        """Read one answer; returns its status, headers and problem."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await self.reader.readexactly(int(headers["content-length"]))
        return int(head[0].split()[1]), headers, json.loads(body)

    async def is_closed(self) -> bool:
        """Wait until the gateway has closed the connection."""
        async with asyncio.timeout(30):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True


@asynccontextmanager
async def calling(served: Gateway) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", served.port))
    try:
        yield caller
    finally:
        caller.writer.close()


async def test_a_head_that_drips_ends_with_408_and_the_connection_with_it() -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        dripping = asyncio.create_task(caller.drip(HEAD * 100))
        status, headers, problem = await caller.answer()

        assert await caller.is_closed()
        await dripping
    assert (status, problem["code"]) == (408, "request_timeout")
    assert headers["content-type"] == "application/problem+json"
    assert (headers["connection"], headers["x-content-type-options"]) == ("close", "nosniff")


@pytest.mark.parametrize("framing", [b"Content-Length: 900000\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_a_body_that_drips_ends_with_408_and_is_counted(framing: bytes) -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        caller.writer.write(HEAD + framing)
        rest = b"1\r\n \r\n" if b"chunked" in framing else b" "
        dripping = asyncio.create_task(caller.drip(rest * 10_000))
        status, headers, problem = await caller.answer()

        assert await caller.is_closed()
        await dripping
        counted = await served.metric("api_requests_total", route="/predict/ner", status="408")
    assert (status, problem["code"], headers["connection"]) == (408, "request_timeout", "close")
    assert headers["x-request-id"]
    assert counted == 1


async def test_a_connection_on_which_nothing_comes_is_closed() -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        assert await caller.is_closed()


async def test_a_body_that_nobody_reads_may_not_drip_on_after_the_answer() -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        caller.writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n")
        status, _, _ = await caller.answer()
        dripping = asyncio.create_task(caller.drip(b" " * 10_000))

        assert await caller.is_closed()
        await dripping
    assert status == 200


async def test_an_answer_that_nobody_takes_ends_the_connection() -> None:
    async with gateway(receive_s=0.3) as served:
        with socket.socket() as silent:
            # The kernels' buffers take a good deal, so the file is asked for again and again.
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            silent.connect(("127.0.0.1", served.port))
            silent.sendall(b"GET /static/vendor/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
            connections = served.server.server_state.connections
            await until(lambda: connections)

            await until(lambda: not connections)


async def test_a_second_request_may_drip_no_longer_than_the_first() -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        caller.writer.write(HEALTH)
        first, _, _ = await caller.answer()
        dripping = asyncio.create_task(caller.drip(HEAD * 100))
        second, _, _ = await caller.answer()
        await dripping

    assert (first, second) == (200, 408)


async def test_a_caller_that_is_refused_while_it_sends_gets_the_answer_and_no_reset() -> None:
    async with gateway(receive_s=30) as served, calling(served) as caller:
        caller.writer.write(b"GET /" + b"x" * MORE_THAN_BUFFERS_HOLD)
        await caller.writer.drain()
        status, _, _ = await caller.answer()

        assert await caller.reader.read() == b""
    assert status == 400


async def test_a_caller_above_the_limit_of_connections_gets_its_answer_while_it_sends() -> None:
    async with gateway(max_connections=1, receive_s=30) as served, calling(served) as one:
        one.writer.write(HEALTH)
        await one.answer()
        async with calling(served) as caller:
            caller.writer.write(HEAD + b"Content-Length: %d\r\n\r\n" % (2 * MORE_THAN_BUFFERS_HOLD))
            caller.writer.write(b" " * MORE_THAN_BUFFERS_HOLD)
            await caller.writer.drain()
            status, _, _ = await caller.answer()

            assert await caller.reader.read() == b""
    assert status == 429


async def test_a_refused_caller_that_sends_on_is_cut_off() -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        caller.writer.write(NO_HTTP["an endless head"])
        status, _, _ = await caller.answer()
        connections = served.server.server_state.connections

        async def is_cut_off_while_it_sends() -> bool:
            caller.writer.write(b"x")
            return not connections

        await until(is_cut_off_while_it_sends)
    assert status == 400


async def test_a_body_without_sense_is_answered_once(caplog: pytest.LogCaptureFixture) -> None:
    async with gateway(receive_s=0.3) as served, calling(served) as caller:
        caller.writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        await caller.drip(b"1\r\n \r\nno size\r\n")
        status, _, problem = await caller.answer()

        assert await caller.reader.read() == b""
        # The app's own deadline for the body passes meanwhile, as it began earlier.
        await until(lambda: not served.server.server_state.connections)
    assert (status, problem["code"]) == (400, "bad_request")
    assert "Traceback" not in caplog.text


async def test_an_idle_connection_outlives_the_time_for_a_request() -> None:
    async with gateway(receive_s=0.2) as served, calling(served) as idle, calling(served) as silent:
        idle.writer.write(HEALTH)
        await idle.answer()
        # Opened after the other and closed: so much time has passed, and more.
        assert await silent.is_closed()
        async with calling(served) as later:
            assert await later.is_closed()
        idle.writer.write(HEALTH)
        status, _, _ = await idle.answer()

    assert status == 200


async def test_a_request_that_comes_in_pieces_in_time_is_answered() -> None:
    async with gateway(receive_s=30) as served, calling(served) as caller:
        await caller.drip(b"POST /predict/ner HTTP/1.1\r\nHost: x\r\n")
        caller.writer.write(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        await caller.drip(b'd\r\n{"text": "x"}\r\n0\r\n\r\n')
        status, _, body = await caller.answer()

    assert (status, body) == (200, {})


@pytest.mark.parametrize("framing", [b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"])
async def test_a_body_above_the_limit_is_refused_before_it_ends(framing: bytes) -> None:
    async with gateway(Limits(max_record_bytes=1_000)) as served, calling(served) as caller:
        caller.writer.write(HEAD + framing)
        if b"chunked" in framing:
            for _ in range(11):
                caller.writer.write(b"64\r\n%s\r\n" % (b" " * 100))
        status, _, problem = await caller.answer()

    assert (status, problem["code"], problem["limit"]) == (413, "record_too_large", 1_000)


async def test_a_caller_that_asks_before_it_sends_is_spared_the_body() -> None:
    async with gateway(Limits(max_record_bytes=1_000)) as served, calling(served) as caller:
        caller.writer.write(HEAD + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n")
        status, _, _ = await caller.answer()

    assert status == 413


@pytest.mark.parametrize("what", NO_HTTP)
async def test_what_is_no_http_is_a_problem_too(what: str) -> None:
    async with gateway() as served, calling(served) as caller:
        caller.writer.write(NO_HTTP[what])
        status, headers, problem = await caller.answer()

        assert await caller.is_closed()
    assert (status, problem["code"]) == (400, "bad_request")
    assert (headers["connection"], headers["x-content-type-options"]) == ("close", "nosniff")


async def test_above_the_limit_of_connections_only_operators_are_answered() -> None:
    async with gateway(max_connections=2) as served, calling(served) as one, calling(served) as two:
        # Each has answered once, so both are known to be open.
        for caller in (one, two):
            caller.writer.write(HEALTH)
            assert (await caller.answer())[0] == 200
        async with calling(served) as asking, calling(served) as probing:
            asking.writer.write(HEAD + b'Content-Length: 13\r\n\r\n{"text": "x"}')
            refused, _, problem = await asking.answer()
            probing.writer.write(HEALTH)
            healthy, _, _ = await probing.answer()

            assert (refused, problem["code"], healthy) == (429, "overloaded", 200)
            assert await asking.is_closed()
            assert await probing.is_closed()
        one.writer.write(HEAD + b'Content-Length: 13\r\n\r\n{"text": "x"}')
        answered, _, _ = await one.answer()

    assert answered == 200


async def test_twice_the_limit_of_connections_is_the_end() -> None:
    async with gateway(max_connections=1, receive_s=60) as served:
        async with calling(served) as one, calling(served) as two:
            for caller in (one, two):
                caller.writer.write(HEALTH[:-2])
            await until(lambda: len(served.server.server_state.connections) == 2)
            async with calling(served) as three:
                assert await three.is_closed()
