"""A wrong setting ends every process with one line that names it, with status 2, and tells no password."""

from collections.abc import Callable

import pytest

from deadletters.__main__ import main as dead_letters
from gateway.__main__ import main as gateway
from local.demo import main as demo
from schemas.provision import main as provision
from worker.__main__ import main as worker

MAINS: dict[str, Callable[[], int]] = {
    "worker": worker,
    "gateway": gateway,
    "topics": lambda: provision([]),
    "demo": demo,
    "dead letters": lambda: dead_letters(["list"]),
}


@pytest.mark.parametrize("name", MAINS)
def test_a_wrong_setting_is_named_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("KAFKA_SASL_PASSWORD", "correct horse")

    assert MAINS[name]() == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "a setting is wrong: KafkaConnection: KAFKA_SASL_USERNAME is empty" in line
    assert "horse" not in line
