"""The API against its own OpenAPI document: what it allows is answered as it says, and so is what it does not allow."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from schemathesis.checks import not_a_server_error, positive_data_acceptance

from gateway.keys import hash_line, new_key
from local.ports import free_port
from schemas import KafkaConnection, Limits, Topics
from schemas.provision import create_topics
from tests.gateway_fixtures import FakeLink, app_with, client_of
from tests.integration.gateway_processes import gateway_process, wait_for
from tests.integration.kafka import KafkaBroker
from tests.integration.workers import WorkerProcess

EXAMPLES = 20
"""Of each operation; the whole run is to take seconds, and the document is small."""
KEY = new_key()
SETTINGS: dict[str, Any] = {
    "api_keys": hash_line("contract", KEY),
    "health_needs_key": True,
    "metrics_needs_key": True,
}
LIMITS = Limits(max_text_chars=2_000, max_question_chars=200, max_questions=3)
"""Small, so that texts of just as many characters, and of one more, are asked in seconds."""
PATIENT_S = 5.0
"""A caller that gives less time than this may hear that it was not enough."""


def _document() -> Any:
    """Return the document of a gateway with these settings; pytest wants the operations before anything runs."""

    async def read() -> Any:
        async with client_of(app_with(FakeLink(), LIMITS, **SETTINGS)) as client:
            return (await client.get("/openapi.json")).json()

    return asyncio.run(read())


contract = schemathesis.openapi.from_dict(_document(), config=schemathesis.Config(seed=1))
contract.config.generation.update(max_examples=EXAMPLES, deterministic=True)


@pytest.fixture(scope="module")
def system(broker: KafkaBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a gateway with a real worker behind it; yields where it is."""
    directory = tmp_path_factory.mktemp("contract")
    connection, topics = KafkaConnection(bootstrap_servers=broker.bootstrap_servers), Topics(prefix="api.")
    asyncio.run(create_topics(connection, topics))
    worker = WorkerProcess(connection, topics, directory / "worker.log")
    worker.start()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": connection.bootstrap_servers,
        "NLP_TOPIC_PREFIX": topics.prefix,
        **{f"NLP_{name.upper()}": str(value) for name, value in LIMITS.model_dump().items()},
        **{f"NLP_GATEWAY_{name.upper()}": str(value) for name, value in SETTINGS.items()},
    }
    try:
        with gateway_process(port, environment, directory / "gateway.log"):
            wait_for(f"{url}/health/ready", 200, {"Authorization": f"Bearer {KEY}"})
            asyncio.run(worker.ready())
            yield url
    finally:
        worker.kill()


@contract.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
def test_every_answer_is_as_documented(case: schemathesis.Case[Any], system: str) -> None:
    # Every check but this: that an answer in time cannot be had is what a deadline is for.
    excluded: list[Any] = [not_a_server_error]
    authorization = {"Authorization": f"Bearer {KEY}"}

    response = case.call(base_url=system, headers=authorization)
    if response.status_code == 422 and "holds nothing that can be read" in response.json()["detail"]:
        # Which characters the model knows is more than a schema can say.
        excluded.append(positive_data_acceptance)
    case.validate_response(
        response, headers=authorization, excluded_checks=excluded, transport_kwargs={"base_url": system}
    )

    if response.status_code >= 500:
        assert response.json()["code"] in ("expired", "reply_timeout", "broker_unavailable")
        assert float(case.headers["NLP-Timeout"]) < PATIENT_S
