"""Around the predictions: health, metrics, documentation and pages."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gateway
from gateway.errors import Problem
from schemas import CONTRACTS, Limits
from tests.gateway_fixtures import FakeLink, app_with, client_of, samples_of

pytestmark = pytest.mark.anyio

STATIC = Path(gateway.__file__).parent / "static"
PAGES = ("/", "/docs", "/redoc")


async def document_of() -> Any:
    async with client_of(app_with(FakeLink())) as client:
        return (await client.get("/openapi.json")).json()


async def test_ready_names_the_partition_it_reads() -> None:
    async with client_of(app_with(FakeLink(reply_partition=5))) as client:
        response = await client.get("/health/ready")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "reply_partition": 5})


async def test_without_a_broker_it_lives_and_is_not_ready() -> None:
    async with client_of(app_with(FakeLink(unready_reason="no broker answers"))) as client:
        live = await client.get("/health/live")
        ready = await client.get("/health/ready")

    assert live.status_code == 200
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["no broker answers"])


async def test_a_link_that_ended_by_a_bug_asks_for_a_restart(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(FakeLink):
        async def run(self, _: Any) -> Any:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        async with client_of(app_with(Broken())) as client:
            live = await client.get("/health/live")
            ready = await client.get("/health/ready")

    async with asyncio.timeout(10):
        while "This is a bug" not in caplog.text:
            await asyncio.sleep(0)

    assert (live.status_code, ready.status_code) == (503, 503)


async def test_requests_are_counted_by_route_template_method_and_status() -> None:
    async with client_of(app_with(FakeLink(answer=lambda _: (b"{}", [])))) as client:
        await client.post("/predict/ner", json={"text": "x"})
        await client.post("/predict/ner", json={"text": ""})
        for path in ("/a", "/b", "/static/index.js", "/static/index.css", "/static/vendor/swagger-ui.css"):
            await client.get(path)
        await client.request("BREW", "/coffee")
        counted = await samples_of(client, "api_requests_total")
        timed = await samples_of(client, "api_request_latency_seconds_count")

    expected = {
        'method="POST",route="/predict/ner",status="200"} 1.0',
        'method="POST",route="/predict/ner",status="422"} 1.0',
        'method="GET",route="unmatched",status="404"} 2.0',
        'method="GET",route="/static",status="200"} 2.0',
        'method="GET",route="/static/vendor",status="200"} 1.0',
        'method="other",route="unmatched",status="404"} 1.0',
    }
    assert {line.partition("{")[2] for line in counted} == expected
    assert {line.partition("{")[2] for line in timed} == {*expected, 'method="GET",route="/metrics",status="200"} 1.0'}


async def test_an_answer_that_fails_is_counted_as_500() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    async with client_of(app_with(FakeLink(answer=fail))) as client:
        await client.post("/predict/ner", json={"text": "x"})
        counted = await samples_of(client, "api_requests_total")

    assert counted == ['api_requests_total{method="POST",route="/predict/ner",status="500"} 1.0']


async def test_two_apps_count_for_themselves() -> None:
    async with client_of(app_with(FakeLink())) as one, client_of(app_with(FakeLink())) as two:
        await one.get("/health/live")

        assert await samples_of(two, "api_requests_total") == []
        assert len(await samples_of(one, "api_requests_total")) == 1


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
async def test_the_documentations_examples_are_valid(contract: Any) -> None:
    document = await document_of()
    operation = document["paths"][f"/predict/{contract.name}"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    result = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]

    assert body["schema"]["$ref"] == f"#/components/schemas/{contract.request_type.__name__}"
    contract.request_type.model_validate_json(json.dumps(body["example"]))
    for example in document["components"]["schemas"][result]["examples"]:
        contract.result_type.model_validate_json(json.dumps(example))


async def test_every_problem_is_documented_with_a_true_example() -> None:
    document = await document_of()
    for contract in CONTRACTS:
        responses = document["paths"][f"/predict/{contract.name}"]["post"]["responses"]
        problems = {status: answer for status, answer in responses.items() if status != "200"}

        assert set(problems) == {"408", "413", "415", "422", "429", "500", "503", "504"}
        for status, answer in problems.items():
            example = Problem.model_validate(answer["content"]["application/problem+json"]["example"])
            assert str(example.status) == status


async def test_the_document_names_the_limits_of_this_gateway() -> None:
    limits = Limits(max_text_chars=7, max_question_chars=5, max_questions=3)
    async with client_of(app_with(FakeLink(), limits)) as client:
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    qa, document = (schemas[name]["properties"] for name in ("QaRequest", "DocumentRequest"))

    assert {name: schemas[name]["properties"]["text"]["maxLength"] for name in ("SentimentRequest", "NerRequest")} == {
        "SentimentRequest": 7,
        "NerRequest": 7,
    }
    assert (qa["context"]["maxLength"], qa["question"]["maxLength"], document["text"]["maxLength"]) == (7, 5, 7)
    assert (document["questions"]["maxItems"], document["questions"]["items"]["maxLength"]) == (3, 5)


async def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = await document_of()
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert references
    assert references <= document["components"]["schemas"].keys()


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_needs_no_other_host_and_no_inline_script(path: str) -> None:
    async with client_of(app_with(FakeLink())) as client:
        page = await client.get(path)
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        needed = re.findall(r'(?:src|href)="(static/[^"]+)"', page.text)
        found = [(await client.get(f"/{name}")).status_code for name in needed]

    assert "://" not in page.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=", page.text)
    assert (policy["default-src"], policy["script-src"]) == ("'none'", "'self'")
    assert needed
    assert set(found) == {200}


@pytest.mark.parametrize(
    "script", sorted(STATIC.glob("*.js")) + sorted(STATIC.glob("*.css")), ids=lambda path: path.name
)
def test_our_own_scripts_and_styles_call_no_other_host(script: Path) -> None:
    assert "://" not in script.read_text()


def test_the_gateway_imports_no_model_and_no_worker() -> None:
    code = "import sys, gateway.__main__; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "gateway.link" in modules
    assert not {name.partition(".")[0] for name in modules} & {
        "faust", "onnxruntime", "tokenizers", "torch", "transformers", "worker", "training", "local"
    }  # fmt: skip
