"""A wrong setting is one line that names it, and holds no secret."""

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from schemas import KafkaConnection, Topics
from schemas.settings import explain


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ValidationError) as wrong:
        KafkaConnection(security_protocol="TLS", sasl_mechanism="none")

    line = explain(wrong.value)

    assert "security_protocol: Input should be" in line
    assert "sasl_mechanism: Input should be" in line
    assert "\n" not in line


def test_a_missing_user_name_is_named_and_the_password_is_not_told() -> None:
    with pytest.raises(ValidationError) as wrong:
        KafkaConnection(security_protocol="SASL_SSL", sasl_password=SecretStr("correct horse"))

    assert "KAFKA_SASL_USERNAME is empty" in explain(wrong.value)
    assert "horse" not in explain(wrong.value)


def test_a_file_that_is_no_certificate_is_found_out_at_once(tmp_path: Path) -> None:
    no_pem = tmp_path / "ca.pem"
    no_pem.write_text("nothing")

    with pytest.raises(ValidationError) as wrong:
        KafkaConnection(security_protocol="SSL", ssl_cafile=no_pem)

    assert "KAFKA_SSL_* name a file that is no PEM" in explain(wrong.value)


def test_two_topics_of_one_name_are_told() -> None:
    with pytest.raises(ValidationError) as wrong:
        Topics(documents="a", enriched="a")

    assert explain(wrong.value) == "a setting is wrong: Topics: two topics have the same name"
