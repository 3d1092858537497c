import socket

import pytest
from aiohttp import ClientSession

from worker.http import PortError, serve_http
from worker.metrics import Metrics

pytestmark = pytest.mark.anyio


async def test_health_and_metrics_are_served() -> None:
    problems = ["starting"]
    metrics = Metrics()
    metrics.encoder_rows.inc(3)

    async with serve_http("127.0.0.1", 0, metrics.registry, lambda: problems) as port, ClientSession() as session:
        base = f"http://127.0.0.1:{port}"
        async with session.get(f"{base}/health/ready") as unready:
            before = (unready.status, await unready.json())
        problems.clear()
        async with session.get(f"{base}/health/ready") as ready:
            after = ready.status
        async with session.get(f"{base}/health/live") as live:
            alive = live.status
        async with session.get(f"{base}/metrics") as scraped:
            text = await scraped.text()

    assert before == (503, {"status": "unready", "problems": ["starting"]})
    assert (after, alive) == (200, 200)
    assert "nlp_encoder_rows_total 3.0" in text


async def test_taken_port_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortError, match="NLP_WORKER_HTTP_PORT"):
            async with serve_http("127.0.0.1", taken.getsockname()[1], Metrics().registry, list):
                pass
