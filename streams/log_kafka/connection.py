"""`KafkaConnection`: where Kafka is, how to speak to it, and what its topics should be like."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_EXAMPLE: Final = "kafka://host:9092/tenantry"


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Settings of the Kafka adapter.

    Attributes:
        servers: `host:port` of some brokers; the others are learnt from them.
        prefix: what all names on the cluster begin with: topics, groups and transactional ids are `PREFIX.…`.
        security_protocol: as Kafka's clients call it: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
        sasl_mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
        sasl_username: with `password`, for SASL.
        password: never in a URL, a log or an error.
        cafile: who may sign the brokers' certificates, as PEM; the system's authorities if None.
        certfile: the client's certificate, as PEM, for mutual TLS.
        keyfile: its private key, as PEM.
        partitions: of topics that are created. Existing topics keep theirs.
        replication: of topics that are created; -1 is the cluster's default.
    """

    servers: tuple[str, ...]
    prefix: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    password: str | None = field(default=None, repr=False)
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None
    partitions: int = 12
    replication: int = -1

    def __post_init__(self) -> None:
        if not _PREFIX.fullmatch(self.prefix):
            raise ValueError(f"{self.prefix!r} can't begin names on Kafka: use 1 to 100 letters, digits, '_' and '-', as in {_EXAMPLE}")
        if self.security_protocol not in _PROTOCOLS:
            raise ValueError(f"security_protocol is {self.security_protocol!r}; use one of {', '.join(_PROTOCOLS)}")
        if self.sasl_mechanism not in _MECHANISMS:
            raise ValueError(f"sasl_mechanism is {self.sasl_mechanism!r}; use one of {', '.join(_MECHANISMS)}")
        if self.security_protocol.startswith("SASL") != (self.sasl_username is not None):
            raise ValueError("sasl_username belongs to security_protocol=SASL_SSL or SASL_PLAINTEXT, and these need it")
        if self.security_protocol.startswith("SASL") and not self.password:
            raise ValueError(f"security_protocol={self.security_protocol} needs a password, apart from the URL")
        if any((self.cafile, self.certfile, self.keyfile)) and not self.security_protocol.endswith("SSL"):
            raise ValueError("cafile, certfile and keyfile belong to security_protocol=SSL or SASL_SSL")
        if self.keyfile and not self.certfile:
            raise ValueError("keyfile needs its certfile")
        if not 1 <= self.partitions <= 1000:
            raise ValueError(f"partitions is {self.partitions}; use 1 to 1000")
        if self.replication != -1 and not 1 <= self.replication <= 32:
            raise ValueError(f"replication is {self.replication}; use 1 to 32, or leave it out for the cluster's default")

    @classmethod
    def from_url(cls, url: str, password: str | None = None) -> KafkaConnection:
        """Reads `kafka://host:port[,host:port…]/PREFIX?…`, whose parameters are the attributes from `security_protocol` on.

        Raises:
            ValueError: what is wrong, and what would be right.
        """
        parts = urlsplit(url)
        if parts.scheme != "kafka" or parts.fragment:
            raise ValueError(f"a Kafka URL looks like {_EXAMPLE}")
        if "@" in parts.netloc:
            raise ValueError("a Kafka URL has no user before '@': give sasl_username as a parameter, and the password apart")
        servers = tuple(_server(text) for text in parts.netloc.split(","))
        given: dict[str, Any] = dict(_parameter(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True))
        return cls(servers, unquote(parts.path.strip("/")), password=password, **given)

    def settings(self) -> Mapping[str, Any]:
        """The arguments that every aiokafka client takes."""
        secured: dict[str, Any] = {}
        if self.security_protocol.endswith("SSL"):
            context = ssl.create_default_context(cafile=self.cafile)
            if self.certfile:
                context.load_cert_chain(self.certfile, self.keyfile)
            secured["ssl_context"] = context
        if self.security_protocol.startswith("SASL"):
            secured |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.password,
            }
        return {"bootstrap_servers": list(self.servers), "security_protocol": self.security_protocol, **secured}


def _server(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is not host:port; a Kafka URL looks like {_EXAMPLE}, with several servers separated by commas")
    return text


_PARAMETERS: Final = tuple(one.name for one in fields(KafkaConnection) if one.name not in {"servers", "prefix", "password"})


def _parameter(name: str, value: str) -> tuple[str, str | int]:
    if name in {"password", "sasl_password"}:
        raise ValueError("the password of Kafka never goes into the URL: give it apart")
    if name not in _PARAMETERS:
        raise ValueError(f"a Kafka URL has no parameter {name!r}; there are {', '.join(_PARAMETERS)}")
    if not value:
        raise ValueError(f"{name} has no value")
    if name not in {"partitions", "replication"}:
        return name, value
    try:
        return name, int(value)
    except ValueError as error:
        raise ValueError(f"{name} is {value!r}, which is no number") from error
