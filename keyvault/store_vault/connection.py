"""`VaultConnection`: where a Vault or OpenBao is, and who asks it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import parse_qsl, unquote, urlsplit

_FORM: Final = "vault://host:port/MOUNT?tls=true&cafile=…&namespace=…"
_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?", re.ASCII)
_PATH: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_SECRET: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)
_PORT: Final = 8200
_LEAST_SECONDS, _MOST_SECONDS = 1, 120


@dataclass(frozen=True, slots=True)
class VaultConnection:
    """Where the engine is, and who asks it: a token, or a role that logs in (AppRole), which can log in again whenever it must.

    Attributes:
        host: name or address.
        port: of its API.
        mount: the path of the transit secrets engine.
        tls: whether to use TLS, with the certificate and the name checked.
        cafile: the authority that signed its certificate, as PEM; the system's authorities if None.
        namespace: of Vault Enterprise or OpenBao; the root one if None.
        approle: the path where the AppRole auth method is enabled.
        timeout: seconds that any call may take in all, waiting for its turn included.
        token: not shown, like `secret_id`.
        role_id: names the role.
        secret_id: its secret.
    """

    host: str
    port: int
    mount: str
    tls: bool = True
    cafile: str | None = None
    namespace: str | None = None
    approle: str = "approle"
    timeout: int = 10
    token: str | None = field(default=None, repr=False)
    role_id: str | None = None
    secret_id: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_path("MOUNT", self.mount)
        _check_path("approle", self.approle)
        if self.namespace is not None:
            _check_path("namespace", self.namespace)
        if not _LEAST_SECONDS <= self.timeout <= _MOST_SECONDS:
            raise ValueError(f"`timeout` in the Vault URL is a number of seconds from {_LEAST_SECONDS} to {_MOST_SECONDS}")
        if self.cafile and not self.tls:
            raise ValueError("`cafile` in the Vault URL belongs to tls=true")
        if (self.token is None) == (self.role_id is None):
            raise ValueError("Vault needs a token, or else a role id with its secret id: give one of the two, apart from the URL")
        if (self.role_id is None) != (self.secret_id is None):
            raise ValueError("a role id of Vault needs its secret id, and the other way round")
        for name, secret in (("token", self.token), ("role id", self.role_id), ("secret id", self.secret_id)):
            # Else the HTTP client refuses it with an error that shows it.
            if secret is not None and not _SECRET.fullmatch(secret):
                raise ValueError(f"the {name} for Vault is empty, or has spaces, line ends or characters that no {name} has")

    @classmethod
    def from_url(cls, url: str, *, token: str | None = None, role_id: str | None = None, secret_id: str | None = None) -> Self:
        """The connection that a URL names, like `vault://host:8200/transit?namespace=team`.

        The parameters are the attributes from `tls` to `timeout`. TLS is left out only if `tls=false` says so, or on this machine.

        Raises:
            ValueError: the URL or a secret can't be used; says what to change, without repeating secrets.
        """
        parts = urlsplit(url)
        if parts.scheme != "vault" or parts.fragment:
            raise ValueError(f"a Vault URL is {_FORM}")
        if "@" in parts.netloc:
            raise ValueError("a Vault URL has nothing before the host: give the token, or role id and secret id, apart")
        found = _HOST.fullmatch(parts.netloc)
        if not found or not 0 < int(found[2] or _PORT) < 65536:
            raise ValueError(f"a Vault URL has one host and a port: write {_FORM}")
        options = _options(parts.query)
        return cls(
            host=found[1],
            port=int(found[2] or _PORT),
            mount=unquote(parts.path).strip("/"),
            tls=_yes(options["tls"]) if "tls" in options else not _is_here(found[1]),
            cafile=options.get("cafile"),
            namespace=options["namespace"].strip("/") if "namespace" in options else None,
            approle=options.get("approle", "approle").strip("/"),
            timeout=_seconds(options.get("timeout", "10")),
            token=token,
            role_id=role_id,
            secret_id=secret_id,
        )

    @property
    def address(self) -> str:
        """The URL of its API."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def authorities(self) -> str | bool:
        """What `requests` calls `verify`: a file or directory of authorities."""
        paths = ssl.get_default_verify_paths()
        return self.cafile or paths.cafile or paths.capath or True


def _options(query: str) -> dict[str, str]:
    given = parse_qsl(query, keep_blank_values=True)
    found = dict(given)
    known = {"tls", "cafile", "namespace", "approle", "timeout"}
    if secret := sorted(set(found) & {"token", "role_id", "secret_id"}):
        raise ValueError(f"`{secret[0]}` never goes into the Vault URL: give it apart")
    if strange := sorted(set(found) - known):
        raise ValueError(f"the Vault URL has unknown options {', '.join(strange)[:200]}; known are {', '.join(sorted(known))}")
    if len(given) != len(found):
        raise ValueError("an option of the Vault URL is there twice")
    if empty := sorted(name for name, value in found.items() if not value):
        raise ValueError(f"`{empty[0]}` in the Vault URL has no value")
    return found


def _check_path(name: str, path: str) -> None:
    if not _PATH.fullmatch(path):
        raise ValueError(f"{name} {path[:80]!r} in the Vault URL is no path in Vault, like `transit` or `teams/keys`; write {_FORM}")


def _is_here(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _yes(text: str) -> bool:
    if text not in {"true", "false"}:
        raise ValueError("`tls` in the Vault URL is `true` or `false`")
    return text == "true"


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 4):
        raise ValueError("`timeout` in the Vault URL is a number of seconds")
    return int(text)
