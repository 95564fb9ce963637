"""The custodian: carries out what is asked of a tenant's key ring, on any number of nodes at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Final

import msgspec
import structlog

from dashboards.metrics import KEY_EVENTS, SIGN_FAILURES, SIGN_SECONDS, TOKENS_SIGNED
from keyvault import commands, dual_control, events, orders
from keyvault.approval import Approval
from keyvault.due import due
from keyvault.errors import KeyStoreError, NoActiveKey
from keyvault.keeper import Keeper
from keyvault.key_store import KeyStore
from keyvault.plan import Outcome, Plan
from keyvault.policy import Policy
from keyvault.ring import Ring
from keyvault.signing import SignedToken, sign_tokens
from services.access.persons import is_left
from services.access.tokens import Tokens
from services.errors import Invalid
from services.keys.rings import Rings, control_event, key_event
from services.keys.seen_commands import Commands
from services.keys.usage import UsageCounter
from services.tenants.tenant import Tenants
from streams.control_log import ControlEvent, ControlLog
from streams.errors import LogUnavailable
from streams.event_log import CONTROL, EventLog
from streams.scope import TenantScope

_log = structlog.get_logger(__name__)
SCHEDULER: Final = "tenantry"

Planning = Callable[[Ring, int], Plan]
Check = Callable[[Ring, int], None]
"""Looks at the ring that is decided on, and the time: raises if that is not what somebody has seen who gives an order."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command came to.

    Attributes:
        kid: the key that it is about, if any.
        warning: whom it may break, in words for people, or None.
        ring: the ring after it.
        approval: what it asked for, gave or withdrew, if it takes a second person.
    """

    outcome: Outcome
    kid: str | None
    warning: str | None
    ring: Ring
    approval: Approval | None = None


class Custodian:
    """Plans on the newest ring, has the key store do its part, and appends the events if nobody else changed the ring meanwhile."""

    def __init__(
        self,
        log: EventLog,
        control: ControlLog,
        rings: Rings,
        seen: Commands,
        tenants: Tenants,
        tokens: Tokens,
        store: KeyStore,
        now: Callable[[], int],
        usage: UsageCounter | None = None,
    ) -> None:
        self._log = log
        self._control = control
        self._rings = rings
        self._seen = seen
        self._tenants = tenants
        self._tokens = tokens
        self._keeper = Keeper(store, now=now)
        self._store = store
        self._now = now
        self._usage = usage

    async def settle(self, scope: TenantScope) -> None:
        """Does what is due now. What the key store can't do now stays due."""
        ring = self._rings.of(scope.tenant)
        if self._tenants.exists(scope.tenant) and due(ring, ring.policy, self._now()):
            await self.carry_out(scope, lambda ring, now: commands.scheduled(ring, ring.policy, now), by=SCHEDULER)

    async def settle_or_leave(self, scope: TenantScope) -> None:
        """Does what is due after a change that is in the log. What can't be done now stays due, and the scheduler goes on with it."""
        try:
            await self.settle(scope)
        except (KeyStoreError, LogUnavailable) as error:
            _log.warning("settling_postponed", tenant=scope.tenant, error=str(error))

    async def follow_up(self, scope: TenantScope, done: Done) -> Done:
        """Does what a command has made due, if it is one that leaves something, or was given again; answers with the ring after that."""
        if done.outcome not in {Outcome.COMPROMISED, Outcome.POLICY_CHANGED, Outcome.UNCHANGED}:
            return done
        await self.settle_or_leave(scope)
        return replace(done, ring=self._rings.of(scope.tenant))

    async def rotate(
        self, scope: TenantScope, *, activate: bool, reason: str | None, by: str, command: str | None, check: Check | None = None
    ) -> Done:
        """Prepares the next key, or activates the one that is ready; see `keyvault.commands.rotate`.

        Of several at once, one rotates, and the others answer what it came to.
        """
        active = self._rings.of(scope.tenant).active
        order = orders.Rotate(activate=activate, reason=reason, instead_of=active.kid if active is not None else None)
        return await self._order(scope, order, by, command, f"rotate {activate}", check)

    async def activate(
        self, scope: TenantScope, kid: str, *, reason: str | None, by: str, command: str | None, check: Check | None = None
    ) -> Done:
        """Lets a standby sign; see `keyvault.commands.activate`."""
        return await self._order(scope, orders.ActivateKey(kid=kid, reason=reason), by, command, f"activate {kid}", check)

    async def compromise(
        self, scope: TenantScope, kid: str, *, reason: str, by: str, command: str | None, check: Check | None = None
    ) -> Done:
        """Takes a key out of the JWKS at once, and then does what that makes due; see `keyvault.commands.compromise`."""
        done = await self._order(scope, orders.CompromiseKey(kid=kid, reason=reason), by, command, f"compromise {kid}", check)
        return await self.follow_up(scope, done)

    async def destroy(self, scope: TenantScope, kid: str, *, by: str, command: str | None) -> Done:
        """Destroys a key in the key store; see `keyvault.commands.destroy`."""
        return await self._order(scope, orders.DestroyKey(kid=kid), by, command, f"destroy {kid}")

    async def past(self, scope: TenantScope, at: int) -> Ring:
        """The ring as it was at a time (epoch milliseconds)."""
        found: list[events.KeyEvent] = []
        start = 0
        while records := await self._log.read(CONTROL, key=scope.tenant, start=start, limit=1000):
            start = records[-1].offset + 1
            decoded = (key_event(msgspec.json.decode(record.value, type=ControlEvent)) for record in records)
            found += [event for event in decoded if event is not None]
        return Ring.at(found, at)

    async def change_policy(self, scope: TenantScope, policy: Policy, *, by: str, command: str | None) -> Done:
        """Sets another policy, and does what it makes due; see `keyvault.commands.change_policy`."""
        done = await self._order(scope, orders.ChangePolicy(policy=policy), by, command, f"policy {policy.render()}")
        return await self.follow_up(scope, done)

    async def sign(self, scope: TenantScope, claims: Sequence[object], issuer: str) -> list[SignedToken]:
        """A JWT for each of these claims, in their order, all signed by the active key, or none; see `keyvault.signing.sign_tokens`."""
        started = perf_counter()
        while True:
            ring = self._rings.of(scope.tenant)
            try:
                signed = await sign_tokens(self._store, scope, ring, claims, issuer=issuer, now=self._now())
            except (KeyStoreError, NoActiveKey):
                SIGN_FAILURES.inc()
                raise
            after = self._rings.of(scope.tenant)
            if any(after.find(kid).compromised_at is not None for kid in {one.kid for one in signed}):
                continue  # reported while the key store signed: nobody may get these tokens
            # From here on they are given out.
            SIGN_SECONDS.observe(perf_counter() - started)
            TOKENS_SIGNED.inc(len(signed))
            if self._usage is not None:
                for one in signed:
                    self._usage.count(scope, one.kid, one.claims, one.expires_at)
            return signed

    async def carry_out(
        self,
        scope: TenantScope,
        planning: Planning,
        *,
        by: str,
        command: str | None = None,
        fingerprint: str = "",
        order: orders.Order | None = None,
    ) -> Done:
        """Carries out what is planned on the newest ring.

        Args:
            scope: the tenant.
            planning: makes the plan; asked again when somebody else was faster.
            by: the principal.
            command: the `Idempotency-Key`, if there is one: then it is done once.
            fingerprint: names what is asked for, so that the same `command` can't stand for something else.
            order: what is asked for, if it may have been left pending.
        """
        if command is not None and not 0 < len(command) <= 255:
            raise Invalid("Idempotency-Key must have 1 to 255 characters")
        done: Done | None = None

        async def decide() -> Sequence[ControlEvent]:
            nonlocal done
            ring, now = self._rings.of(scope.tenant), self._now()
            if command is not None and self._seen.check(scope.tenant, command, fingerprint):
                outcome, pending = Outcome.UNCHANGED, None
                if order is not None:
                    outcome, pending = dual_control.again(ring, now, order, asker_is_left=partial(self._asker_is_left, now))
                done = Done(outcome, ring.active.kid if ring.active is not None else None, None, ring, pending)
                return []
            plan = planning(ring, now)
            decided = await self._keeper.carry_out(scope, ring, plan)
            after = ring
            for event in decided:
                after = after.apply(event)
            prepared = (event.kid for event in decided if isinstance(event, events.KeyPrepared))
            approval = after.approvals.find(plan.approval) if plan.approval is not None else None
            done = Done(plan.outcome, plan.kid or next(prepared, None), plan.warning, after, approval)
            stamp = f"{fingerprint}\n{command}" if command is not None else None
            return [control_event(event, by, stamp) for event in decided]

        appended = await self._control.commit(scope.tenant, decide)
        assert done is not None, "commit decides"
        for event in appended:
            KEY_EVENTS.labels(event.type).inc()
        return done

    async def _order(
        self, scope: TenantScope, order: orders.Order, by: str, command: str | None, fingerprint: str, check: Check | None = None
    ) -> Done:
        """Carries the order out, or asks for a second person's approval, as the policy wants it; see `keyvault.dual_control`."""
        identifier = f"a{secrets.token_hex(8)}"

        def plan(ring: Ring, now: int) -> Plan:
            # Here, not when the order comes: what this node knew then may be old, or change before the order is decided on.
            if check is not None:
                check(ring, now)
            left = partial(self._asker_is_left, now)
            return dual_control.decide(ring, now, order, by=by, identifier=identifier, asker_is_left=left)

        return await self.carry_out(scope, plan, by=by, command=command, fingerprint=fingerprint, order=order)

    def _asker_is_left(self, now: int, approval: Approval) -> bool:
        return is_left(self._tokens, approval.asked_by, now)
