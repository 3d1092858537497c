"""How to reach the Kafka cluster, from `KAFKA_*`: the same for worker, gateway and every tool."""

import ssl
from typing import Any, Literal, Self

from pydantic import Field, FilePath, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaConnection(BaseSettings):
    """Addresses and credentials of the cluster, in librdkafka's and Java's usual words."""

    model_config = SettingsConfigDict(env_prefix="KAFKA_", frozen=True)

    bootstrap_servers: str = Field(
        default="127.0.0.1:9092", min_length=1, description="Comma-separated `host:port` of some brokers."
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        default="PLAINTEXT", description="Whether the connection is encrypted and who is asked for a password."
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        default="SCRAM-SHA-512", description="How the password is proved; read only by the SASL protocols."
    )
    sasl_username: str = Field(default="", description="Needed by the SASL protocols.")
    sasl_password: SecretStr = Field(default=SecretStr(""), description="Needed by the SASL protocols.")
    ssl_cafile: FilePath | None = Field(
        default=None, description="PEM file of the authorities that sign the brokers; the system's when empty."
    )
    ssl_certfile: FilePath | None = Field(default=None, description="PEM file of the client's certificate.")
    ssl_keyfile: FilePath | None = Field(default=None, description="PEM file of the client's key.")
    ssl_check_hostname: bool = Field(
        default=True, description="False accepts a certificate made for another host: anyone who can sign may listen."
    )

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.uses_sasl and not self.sasl_username:
            raise ValueError(f"KAFKA_SASL_USERNAME is empty, but KAFKA_SECURITY_PROTOCOL is {self.security_protocol}")
        try:
            self.ssl_context()
        except ssl.SSLError as unreadable:
            # Found out here, for a client that is made later would end with a traceback instead of one line.
            raise ValueError(f"KAFKA_SSL_* name a file that is no PEM of its kind: {unreadable.reason}") from None
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether a user name and password are sent."""
        return self.security_protocol.startswith("SASL")

    @property
    def principal(self) -> str:
        """Who we are to the cluster, for people."""
        return f"user {self.sasl_username}" if self.uses_sasl else "this client"

    @property
    def servers(self) -> list[str]:
        """The bootstrap servers, one `host:port` each."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return the TLS context, None for a plain connection."""
        if not self.security_protocol.endswith("SSL"):
            return None
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certfile is not None:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context

    def client_options(self) -> dict[str, Any]:
        """Return the connection's part of the arguments of any aiokafka client."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context(),
        }
        if self.uses_sasl:
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password.get_secret_value(),
            }
        return options
