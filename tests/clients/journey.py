"""A tenant's keys on their way, and relying parties along: rotations by the schedule, then a compromise. What each party says is judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import jwt

from keyvault.policy import Policy
from tests.clients.party import Party
from tests.processes import Service

AUDIENCE: Final = "web-app"
_CALM: Final = {"rotation_period": "PT1H"}
_POLL_SECONDS: Final = 0.2
_LONGEST_SECONDS: Final = 240.0
"""How long a part of the journey may take before it counts as stuck. A bound, and no measure."""


@dataclass(frozen=True)
class Token:
    """A signed one; `expires_at` is epoch milliseconds."""

    text: str = field(repr=False)
    kid: str
    expires_at: int


class Journey:
    """Of one tenant. In every step a fresh token is signed, and each party is shown it and the last token of every key before it.

    Args:
        here: the service.
        tenant: exists, and has this policy.
        policy: as the API has it.

    Attributes:
        takeover: how long after the compromise the key that takes over began to sign, in milliseconds.
    """

    def __init__(self, here: Service, tenant: str, policy: Mapping[str, Any]) -> None:
        self.tenant = tenant
        self.policy = Policy.parse(policy)
        self.parties: Sequence[Party] = ()
        self.takeover = 0
        self._here = here
        self._body = policy
        self._keys: dict[str, dict[str, Any]] = {}
        self._promised: dict[str, int] = {}
        self._last: dict[str, Token] = {}
        self._active = ""
        self._bad = ""
        self._compromised_at = 0
        self._successor = ""

    async def begin(self) -> None:
        """Everybody meets the first key."""
        await self._step()

    async def rotate(self) -> None:
        """Goes on until the schedule has let the next key sign, not before the time that the API had told."""
        before = self._active
        await self._until(lambda: self._active not in {before, ""} and self._active in self._last)
        promised = self._promised.get(self._active, 0)  # on a machine that stands still, a standby may come and go unseen
        assert _milliseconds(self._keys[self._active]["activated_at"]) >= promised

    async def compromise(self) -> None:
        """Reports the active key, and goes on until every party refuses its tokens, and accepts those of the key that takes over."""
        # From now on the schedule changes nothing by itself, so that all that follows comes from the compromise.
        answer = await self._here.ask("PUT", self._path("keys/policy"), json={**self._body, **_CALM})
        assert answer.status_code == 200, answer.text
        await self._step()
        bad = self._active
        answer = await self._here.post(self._path(f"keys/{bad}/compromise"), {"reason": "a test"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["active"] not in {bad, None}, "the standby signs at once"
        published = (await self._here.get(f"/t/{self.tenant}/jwks.json")).json()
        assert bad not in {key["kid"] for key in published["keys"]}
        await self._look()
        [self._successor] = (kid for kid, key in self._keys.items() if key["state"] == "pre-activation")
        self._compromised_at = _milliseconds(self._keys[bad]["compromised_at"])
        self._bad = bad
        await self._until(lambda: all(party.over for party in self.parties))
        await self._look()  # the key that took over may have done so since they were last looked at
        self.takeover = _milliseconds(self._keys[self._successor]["activated_at"]) - self._compromised_at
        assert self.takeover >= self.policy.jwks_max_age + self.policy.clock_skew

    async def _until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(_LONGEST_SECONDS):
            while not done():
                await asyncio.sleep(_POLL_SECONDS)  # in other processes
                await self._step()

    async def _step(self) -> None:
        await self._look()
        answer = await self._here.post(self._path("tokens/sign"), {"claims": {"sub": "user", "aud": AUDIENCE}})
        assert answer.status_code == 200, answer.text
        text = answer.json()["token"]
        expires_at = jwt.decode(text, options={"verify_signature": False})["exp"] * 1000
        kid = jwt.get_unverified_header(text)["kid"]
        self._last[kid] = Token(text, kid, expires_at)
        await asyncio.gather(*(self._ask(party) for party in self.parties))

    async def _look(self) -> None:
        answer = await self._here.get(self._path("keys"))
        assert answer.status_code == 200, answer.text
        self._keys = {key["kid"]: key for key in answer.json()["keys"]}
        self._active = next((kid for kid, key in self._keys.items() if key["state"] == "active"), "")
        self._promised |= {kid: _milliseconds(told) for kid, key in self._keys.items() if (told := key.get("activates_at")) is not None}

    async def _ask(self, party: Party) -> None:
        """The newest key's token first, as it is that of whoever is in a hurry."""
        said = {}
        for token in reversed(list(self._last.values())):
            asked_at = _now()
            answer = await party.verdict(token.text)
            if _now() < token.expires_at:
                said[token.kid] = answer == "ok"
                self._judge(party, token, asked_at, answer)
        party.over = said.get(self._successor, False) and not said.get(self._bad, True)

    def _judge(self, party: Party, token: Token, asked_at: int, said: str) -> None:
        whose = f"{self.tenant}: {party.name}"
        accepted = said == "ok"
        party.accepted += accepted
        if token.kid == self._bad:
            self._judge_bad(party, asked_at, said)
        elif accepted:
            party.met_successor = party.met_successor or token.kid == self._successor
        else:
            # In a planned rotation nobody refuses; in an emergency those who just fetched may not fetch again so soon.
            assert self._bad, f"{whose} refused a token that has not expired: {said}"
            active_since = self._keys[token.kid].get("activated_at")
            since = max(0, asked_at - _milliseconds(active_since)) if active_since is not None else 0
            party.refused_for = max(party.refused_for, since)
            assert party.predicted.refused_for is not None
            assert since < party.predicted.refused_for, f"{whose} refused a good token {since} ms after its key had begun to sign: {said}"

    def _judge_bad(self, party: Party, asked_at: int, said: str) -> None:
        since = asked_at - self._compromised_at
        if said != "ok":
            party.refusal = said
            return
        party.exposed_for = since
        bound = party.predicted.exposed_for
        assert bound is not None
        # The prediction holds provided that tokens of the key that takes over come in.
        assert since < bound or not party.met_successor, f"{self.tenant}: {party.name} accepted a bad token after {since} ms, not {bound}"

    def _path(self, rest: str) -> str:
        return f"/v1/tenants/{self.tenant}/{rest}"


def _now() -> int:
    return time.time_ns() // 1_000_000


def _milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
