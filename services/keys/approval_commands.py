"""What a second person does: approves what another one has asked for, or has it withdrawn."""

from __future__ import annotations

from functools import partial

from keyvault import dual_control
from keyvault.approval import Approval, ApprovalState
from keyvault.errors import ApprovalClosed
from keyvault.orders import CompromiseKey, DestroyKey, Order
from keyvault.plan import Outcome, Plan
from keyvault.ring import Ring
from services.access.persons import is_left, same_person
from services.access.principal import Principal
from services.access.scopes import Scope
from services.access.tokens import Tokens
from services.errors import Forbidden
from services.keys.custodian import Custodian, Done
from streams.scope import TenantScope


def scope_of(order: Order) -> Scope:
    """What one needs to ask for this, and so to approve it."""
    return Scope.KEYS_REVOKE if isinstance(order, CompromiseKey | DestroyKey) else Scope.KEYS_ROTATE


def held(by: Principal) -> Scope:
    """The scope by which somebody enters who may be able to approve; which one it takes depends on the order, and is looked at then."""
    return Scope.KEYS_REVOKE if Scope.KEYS_REVOKE in by.scopes else Scope.KEYS_ROTATE


class ApprovalCommands:
    """Decides on approvals. Two people are needed at the moment when the order is carried out, each with the scope that it takes.

    Of two that approve at once, one does, and the other is told so; likewise of one who approves and one who withdraws, on any nodes.
    """

    def __init__(self, custodian: Custodian, tokens: Tokens) -> None:
        self._custodian = custodian
        self._tokens = tokens

    async def approve(self, scope: TenantScope, identifier: str, *, by: Principal, command: str | None) -> Done:
        """Gives the approval, and carries out what it is for, in one append.

        What the key store does comes first, as always: if somebody else is faster by just that moment, a key may be destroyed there that
        the log still has. That is harmless, since only keys can be destroyed that no event makes sign again.

        Raises:
            UnknownApproval: there is none with this id, for this tenant.
            Forbidden: the principal lacks the scope that the order takes.
            ApprovalClosed: it was given or withdrawn, has expired, makes no sense any more (then it is withdrawn), or whoever asked for it
                can't ask for it any more.
            SecondPersonNeeded: the principal may be the person who asked.
            KeyStoreError: the key store can't do its part now; the approval stays pending.
        """

        def plan(ring: Ring, now: int) -> Plan:
            approval = ring.approvals.find(identifier)
            _check_scope(approval.order, by)
            planned = dual_control.approve(ring, now, identifier, by=by.id, same_person=partial(same_person, self._tokens))
            if not is_left(self._tokens, approval.asked_by, now):
                raise ApprovalClosed(dual_control.asker_is_gone(approval))
            return planned

        done = await self._custodian.carry_out(scope, plan, by=by.id, command=command, fingerprint=f"approve {identifier}")
        if done.outcome is Outcome.WITHDRAWN:
            raise ApprovalClosed(f"approval {identifier!r} makes no sense any more, so it was withdrawn: {done.warning}")
        if done.outcome is Outcome.UNCHANGED and (known := done.ring.approvals.find(identifier)).closed is ApprovalState.WITHDRAWN:
            # The same command again, which was answered so before.
            raise ApprovalClosed(f"approval {identifier!r} was withdrawn: {known.why}")
        return await self._custodian.follow_up(scope, done)

    async def withdraw(self, scope: TenantScope, identifier: str, *, reason: str | None, by: Principal, command: str | None) -> Done:
        """Takes back what was asked for, or refuses to approve it: both end it.

        Raises:
            UnknownApproval: there is none with this id, for this tenant.
            Forbidden: the principal lacks the scope that the order takes.
            ApprovalClosed: it was given or withdrawn, or has expired.
        """

        def plan(ring: Ring, now: int) -> Plan:
            _check_scope(ring.approvals.find(identifier).order, by)
            return dual_control.withdraw(ring, now, identifier, by=by.id, reason=reason)

        return await self._custodian.carry_out(scope, plan, by=by.id, command=command, fingerprint=f"withdraw {identifier}")

    def objection(self, approval: Approval, by: Principal, now: int) -> str | None:
        """Why this principal can't give this approval now, in words; None if it can."""
        if approval.state(now) is not ApprovalState.PENDING:
            return "It is not pending any more."
        if scope_of(approval.order) not in by.scopes:
            return f"Approving it takes a token with the scope {scope_of(approval.order).value}."
        if same_person(self._tokens, approval.asked_by, by.id):
            return "You asked for it, or your token and the one that did are of one person: somebody else has to approve."
        if not is_left(self._tokens, approval.asked_by, now):
            return "The token that asked for it was revoked or has expired: withdraw it, and ask anew."
        return None


def _check_scope(order: Order, by: Principal) -> None:
    if (needed := scope_of(order)) not in by.scopes:
        has = ", ".join(sorted(by.scopes)) or "none"
        raise Forbidden(f"to approve or withdraw this takes a token with the scope {needed.value}; {by.name!r} has {has}")
