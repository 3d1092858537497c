"""A broker that speaks TLS with its own certificate, asks for a password by SCRAM, and knows who may do what.

Its plain listener is the administrator's, who may do everything; on the secure one there is nothing that was not given.
"""

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from local.broker import HOST, Broker
from local.java import find_java
from local.ports import free_port
from schemas import KafkaConnection, Topics
from schemas.acls import roles
from tests.integration.kafka import broker_jars

MECHANISM = "SCRAM-SHA-512"
USER = "nlp"
"""May do everything."""
NOBODY = "nlp-nobody"
"""Is let in and may do nothing."""
PASSWORD = "correct horse"
_USERS = (USER, NOBODY, *(role.principal for role in roles(Topics())))
_STORE_PASSWORD = "of the key store"
_COMMAND_S = 120
_JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


@dataclass(frozen=True)
class SecureBroker:
    """The running broker: how to reach it as whom, and how to give rights."""

    admin: KafkaConnection
    secure_servers: str
    certificate: Path
    _jars: Path

    def connection(self, user: str = USER, password: str = PASSWORD) -> KafkaConnection:
        """Return how a user reaches the secure listener."""
        return KafkaConnection(
            bootstrap_servers=self.secure_servers,
            security_protocol="SASL_SSL",
            sasl_mechanism=MECHANISM,
            sasl_username=user,
            sasl_password=SecretStr(password),
            ssl_cafile=self.certificate,
        )

    def change_acls(self, commands: Iterable[str]) -> None:
        """Run `kafka-acls.sh` commands as they stand in the documentation, with Kafka's own tool."""
        # Two at a time: each is a Java runtime that starts.
        with ThreadPoolExecutor(2) as pool:
            for _ in pool.map(self._change_acls, commands):
                pass

    def _change_acls(self, command: str) -> None:
        script, *words = shlex.split(command.replace('"$BROKER"', self.admin.bootstrap_servers))
        assert script == "kafka-acls.sh"
        where = words.index("--command-config")
        del words[where : where + 2]
        tool = (*_JAVA_OPTIONS, "-cp", f"{self._jars}/*", "org.apache.kafka.tools.AclCommand")
        _run(find_java().executable, *tool, *words)


@contextmanager
def secure_broker(directory: Path) -> Iterator[SecureBroker]:
    """Run the broker while the context lasts."""
    directory.mkdir()
    keystore, certificate = _make_certificate(directory)
    port = free_port(HOST)
    jars = broker_jars()
    broker = Broker(
        directory / "kafka", jars, properties=_listener(port, keystore) | _authorizer(), format_options=_users()
    )
    broker.start()
    try:
        admin = KafkaConnection(bootstrap_servers=broker.bootstrap_servers)
        yield SecureBroker(admin, f"{HOST}:{port}", certificate, jars)
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


def _authorizer() -> dict[str, object]:
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        # Whoever comes by the plain listeners, the broker itself among them, has no name there.
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }


def _users() -> list[str]:
    users = [f"{MECHANISM}=[name={user},iterations=4096,password={PASSWORD}]" for user in _USERS]
    return [word for user in users for word in ("--add-scram", user)]


def _make_certificate(directory: Path) -> tuple[Path, Path]:
    """Return a new key store, and its certificate, which has signed itself, as PEM."""
    keystore, certificate = directory / "broker.p12", directory / "broker.pem"
    store = ("-alias", "broker", "-keystore", keystore, "-storetype", "PKCS12", "-storepass", _STORE_PASSWORD)
    name = ("-dname", "CN=localhost", "-ext", f"san=ip:{HOST}", "-validity", "2")
    keytool = find_java().executable.with_name("keytool")
    _run(keytool, "-genkeypair", "-keyalg", "EC", *name, *store)
    _run(keytool, "-exportcert", "-rfc", "-file", certificate, *store)
    return keystore, certificate


def _run(*command: str | Path) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=_COMMAND_S)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
