"""Who is let in, and what the others are told."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.keys import hash_line, new_key
from tests.gateway_fixtures import FakeLink, app_with, client_of, samples_of

pytestmark = pytest.mark.anyio

KEY = new_key()
KEYS = hash_line("mine", KEY)
OPEN = ("/", "/docs", "/redoc", "/openapi.json", "/static/index.js", "/health/live", "/health/ready", "/metrics")


def link() -> FakeLink:
    return FakeLink(answer=lambda _: (b"{}", []))


async def ask(client: httpx.AsyncClient, authorization: str | None = None) -> httpx.Response:
    headers = {} if authorization is None else {"Authorization": authorization}
    return await client.post("/predict/ner", json={"text": "x"}, headers=headers)


async def test_without_keys_nobody_is_asked() -> None:
    async with client_of(app_with(link())) as client:
        response = await ask(client)
        document = (await client.get("/openapi.json")).json()

    assert response.status_code == 200
    assert "securitySchemes" not in document["components"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
async def test_a_known_key_is_let_in(scheme: str) -> None:
    async with client_of(app_with(link(), api_keys=KEYS)) as client:
        response = await ask(client, f"{scheme} {KEY}")

    assert response.status_code == 200


@pytest.mark.parametrize(
    "shown",
    [None, "", "Bearer", "Bearer ", f"Basic {KEY}", KEY, f"Bearer {KEY}x", f"Bearer {KEY[:-1]}", f"Bearer {KEYS}"],
)
async def test_all_others_get_401_and_learn_how_to_show_a_key(shown: str | None) -> None:
    fake = link()
    async with client_of(app_with(fake, api_keys=KEYS)) as client:
        response = await ask(client, shown)

    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["www-authenticate"] == 'Bearer realm="nlp"'
    assert KEY not in response.text
    assert fake.sent == []


async def test_a_body_without_a_key_is_not_even_read() -> None:
    async def body() -> Any:
        raise AssertionError("somebody read it")
        yield b""

    async with client_of(app_with(link(), api_keys=KEYS)) as client:
        response = await client.post("/predict/ner", content=body())

    assert response.status_code == 401


async def test_two_keys_work_side_by_side_and_each_is_counted() -> None:
    other = new_key()
    async with client_of(app_with(link(), api_keys=f"{KEYS},{hash_line('other', other)}")) as client:
        for key in (KEY, other, other):
            assert (await ask(client, f"Bearer {key}")).status_code == 200
        await ask(client, "Bearer wrong")
        counted = await samples_of(client, "nlp_gateway_key_uses_total")

    assert counted == ['nlp_gateway_key_uses_total{key="mine"} 1.0', 'nlp_gateway_key_uses_total{key="other"} 2.0']


async def test_keys_of_a_file_that_is_empty_let_nobody_in(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    async with client_of(app_with(link(), api_keys_file=tmp_path / "keys")) as client:
        response = await ask(client, f"Bearer {KEY}")

    assert response.status_code == 401


@pytest.mark.parametrize("path", OPEN)
async def test_pages_health_and_metrics_are_open_where_nothing_else_is_said(path: str) -> None:
    async with client_of(app_with(link(), api_keys=KEYS)) as client:
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("setting", "guarded"),
    [("metrics_needs_key", {"/metrics"}), ("health_needs_key", {"/health/live", "/health/ready"})],
)
async def test_health_and_metrics_are_guarded_each_by_its_setting(setting: str, guarded: set[str]) -> None:
    settings: dict[str, Any] = {"api_keys": KEYS, setting: True}
    async with client_of(app_with(link(), **settings)) as client:
        without = {path for path in OPEN if (await client.get(path)).status_code == 401}
        shown = {"Authorization": f"Bearer {KEY}"}
        with_key = {(await client.get(path, headers=shown)).status_code for path in guarded}

    assert without == guarded
    assert with_key == {200}


async def test_the_document_says_what_asks_for_a_key() -> None:
    async with client_of(app_with(link(), api_keys=KEYS, metrics_needs_key=True)) as client:
        document = (await client.get("/openapi.json")).json()
    guarded = {
        path
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if operation.get("security") == [{"ApiKey": []}] and "401" in operation["responses"]
    }

    assert guarded == {path for path in document["paths"] if not path.startswith("/health")}
    scheme = document["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
