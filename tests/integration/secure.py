"""A broker that speaks TLS with its own certificate and asks for a password by SCRAM, beside its plain listener."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import SecretStr

from local.broker import HOST, Broker
from local.java import find_java
from local.ports import free_port
from schemas import KafkaConnection
from tests.integration.kafka import broker_jars

MECHANISM = "SCRAM-SHA-512"
USER = "nlp"
PASSWORD = "correct horse"
_STORE_PASSWORD = "of the key store"
_COMMAND_S = 60


@contextmanager
def secure_broker(directory: Path) -> Iterator[KafkaConnection]:
    """Run the broker while the context lasts; yields how to reach its secure listener."""
    directory.mkdir()
    keystore, certificate = _make_certificate(directory)
    port = free_port(HOST)
    jars = broker_jars()
    broker = Broker(directory / "kafka", jars, properties=_listener(port, keystore))
    broker.start()
    try:
        _add_user(jars, broker.bootstrap_servers)
        yield KafkaConnection(
            bootstrap_servers=f"{HOST}:{port}",
            security_protocol="SASL_SSL",
            sasl_mechanism=MECHANISM,
            sasl_username=USER,
            sasl_password=SecretStr(PASSWORD),
            ssl_cafile=certificate,
        )
    finally:
        broker.stop()


def _listener(port: int, keystore: Path) -> dict[str, object]:
    name = "listener.name.secure"
    return {
        "listeners": f"SECURE://{HOST}:{port}",
        "advertised.listeners": f"SECURE://{HOST}:{port}",
        "listener.security.protocol.map": "SECURE:SASL_SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        f"{name}.sasl.enabled.mechanisms": MECHANISM,
        f"{name}.{MECHANISM.lower()}.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        f"{name}.ssl.keystore.location": keystore,
        f"{name}.ssl.keystore.password": _STORE_PASSWORD,
        f"{name}.ssl.keystore.type": "PKCS12",
    }


def _make_certificate(directory: Path) -> tuple[Path, Path]:
    """Return a new key store, and its certificate, which has signed itself, as PEM."""
    keystore, certificate = directory / "broker.p12", directory / "broker.pem"
    store = ("-alias", "broker", "-keystore", keystore, "-storetype", "PKCS12", "-storepass", _STORE_PASSWORD)
    name = ("-dname", "CN=localhost", "-ext", f"san=ip:{HOST}", "-validity", "2")
    keytool = find_java().executable.with_name("keytool")
    _run(keytool, "-genkeypair", "-keyalg", "EC", *name, *store)
    _run(keytool, "-exportcert", "-rfc", "-file", certificate, *store)
    return keystore, certificate


def _add_user(jars: Path, bootstrap_servers: str) -> None:
    command = (find_java().executable, "-cp", f"{jars}/*", "kafka.admin.ConfigCommand")
    user = ("--entity-type", "users", "--entity-name", USER)
    secret = f"{MECHANISM}=[iterations=4096,password={PASSWORD}]"
    _run(*command, "--bootstrap-server", bootstrap_servers, "--alter", *user, "--add-config", secret)


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=_COMMAND_S)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
