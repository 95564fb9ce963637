"""What an operator allows to be called besides the public Internet."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Self

from services.errors import SettingsError
from services.outbound.addresses import Address, Network

_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowed:
    """Networks and hosts that may be called whatever they are, and without TLS, too.

    Attributes:
        networks: addresses.
        names: host names, in lower case; each by itself, without those below it.
    """

    networks: tuple[Network, ...] = ()
    names: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the setting: networks, addresses and host names, separated by commas.

        Raises:
            SettingsError: names what is neither.
        """
        networks: list[Network] = []
        names: set[str] = set()
        for entry in filter(None, (part.strip().lower() for part in text.split(","))):
            try:
                networks.append(ip_network(entry))
            except ValueError as error:
                name = entry.rstrip(".")
                # What ends in a number is meant to be an address.
                if not _NAME.fullmatch(name) or name.rpartition(".")[2].isdigit():
                    raise SettingsError(
                        f"TENANTRY_OUTBOUND_ALLOW: {entry!r} is neither a network, as 10.1.0.0/16, nor a host name ({error})"
                    ) from None
                names.add(name)
        return cls(tuple(networks), frozenset(names))

    def has(self, host: str, address: Address) -> bool:
        """Whether the address may be called, under this name of its host."""
        return host.lower().rstrip(".") in self.names or any(address in network for network in self.networks)
