"""The address of a call, as a tenant gave it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

import httpx

from services.errors import AddressRefused

MAX_CHARS: Final = 2048
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that can be called, if its host may be.

    Attributes:
        url: not shown by `repr`, like in no message: whoever knows a webhook's path may write to it.
    """

    url: httpx.URL

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads a URL. Nobody is asked about its host yet.

        Raises:
            AddressRefused: it can't be called, whatever its host is.
        """
        try:
            url = httpx.URL(text) if len(text) <= MAX_CHARS else None
        except (httpx.InvalidURL, ValueError):
            url = None
        if url is None or not url.raw_host or b"%" in url.raw_host or url.scheme not in _PORTS or not 0 < _port(url) < 65_536:
            raise AddressRefused(f"this is no address to call: write an https URL with a host, of at most {MAX_CHARS} characters")
        if url.userinfo:
            raise AddressRefused(f"the URL at {url.host} holds a user or password, which would be seen in logs; leave them out")
        return cls(url)

    def joined(self, location: str) -> Target:
        """Where a redirect leads.

        Raises:
            AddressRefused: nowhere.
        """
        try:
            return Target.parse(str(self.url.join(location)))
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressRefused(f"{self.host} redirects to what is no address; name the address that it means") from error

    @property
    def host(self) -> str:
        """The host's name in ASCII (RFC 5891), or its address."""
        return self.url.raw_host.decode("ascii")

    @property
    def port(self) -> int:
        """The port, by default the scheme's."""
        return _port(self.url)

    @property
    def secure(self) -> bool:
        """Whether TLS is asked for."""
        return self.url.scheme == "https"

    def __repr__(self) -> str:
        return f"Target({self.host!r}, {self.port})"


def origin(url: str) -> str:
    """Whom a URL leads to, and nothing that may be a secret of the two: scheme, host and port; empty if that can't be told.

    Webhooks commonly carry a token in their path or query; a user and a password are no part of an origin (RFC 6454 section 4) either.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        return ""
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _port(url: httpx.URL) -> int:
    return _PORTS[url.scheme] if url.port is None else url.port
