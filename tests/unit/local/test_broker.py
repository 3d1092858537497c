"""What the broker's tools are told."""

import uuid

import pytest

from local.broker import new_cluster_id


def test_a_cluster_id_is_no_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter((uuid.UUID(bytes=b"\xf8" * 16), uuid.UUID(bytes=b"\xfb" * 16), uuid.UUID(bytes=b"\x01" * 16)))
    monkeypatch.setattr("local.broker.uuid.uuid4", lambda: next(drawn))

    assert new_cluster_id() == "AQEBAQEBAQEBAQEBAQEBAQ"
    assert next(drawn, None) is None
