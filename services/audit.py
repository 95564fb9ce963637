"""Audit: who did what with a tenant's log and keys is itself an event in that tenant's log (`event.provider: tenantry`)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from services.access.principal import Principal
from services.outbound.target import origin
from streams.control_log import ControlEvent
from streams.event import Event, iso
from streams.event_log import CONTROL, Batch, EventLog, NewRecord, Record
from streams.processors.processor import Processor
from streams.raw_event import OWN
from streams.scope import TenantScope
from streams.segment import Encoded, segments

PROVIDER: Final = "tenantry"
_SECRET_DATA: Final = frozenset({"hash", "jwk", "image"})
"""What a control event holds that is of no use to readers of the log."""

_NO_NEWS: Final = frozenset({"notice_claimed"})
"""What the nodes say to each other."""

_OF_ALL: Final = frozenset({"sources_declared", "domains_declared"})
_CATEGORIES: Final = (
    *((prefix, "iam") for prefix in ("token_", "tenant_")),
    *((prefix, "configuration") for prefix in ("key_", "policy_", "relying_party_", "notice_", "approval_", "brand_", "domains_")),
)
_FAILURES: Final = frozenset({"notice_failed", "notice_abandoned"})

_encoder = msgspec.json.Encoder()


class Audit:
    """Writes what was asked, searched, exported: what leaves no trace in the control log."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    async def record(
        self, scope: TenantScope, action: str, by: Principal, now: int, *, details: Mapping[str, Any], ip: str | None = None
    ) -> None:
        """Appends the event; when this returns, it is in the log.

        Args:
            scope: the tenant.
            action: what was done, in the past tense, as `events_searched`.
            by: who did it.
            now: epoch milliseconds.
            details: with what; becomes `idp`.
            ip: from which address.

        Raises:
            LogUnavailable: it is not known to be written, so what it tells of must not be answered.
        """
        encoded = _event(scope.tenant, f"{OWN}{uuid.uuid4().hex}", action, by.id, by.name, now, details, ip)
        await self._log.append(segments(scope, [encoded]))


class AuditProcessor(Processor):
    """Copies what the control log says about a tenant into that tenant's log, each event once."""

    name: ClassVar[str] = "audit"
    stream: ClassVar[str] = CONTROL

    async def process(self, batch: Batch) -> Sequence[NewRecord]:
        """The batch's events as segments of their tenants."""
        outputs: list[NewRecord] = []
        for record in batch.records:
            event = msgspec.json.decode(record.value, type=ControlEvent)
            # The sources of all tenants are one aggregate, and so are the domains, so each event of them names its tenant.
            tenant = event.data.get("owner") if event.type in _OF_ALL else record.key
            if tenant is not None and not tenant.startswith("@") and event.type not in _NO_NEWS:
                outputs += segments(TenantScope(tenant), [_from_control(record, event, tenant)])
        return outputs


def _from_control(record: Record, event: ControlEvent, tenant: str) -> Encoded:
    details = {name: value for name, value in event.data.items() if name not in _SECRET_DATA}
    party = details.get("relying_party")  # some events have only its id
    if isinstance(party, dict) and (webhook := party.get("webhook")):
        # Whoever may read the log may not thereby write to the webhook: a token in its path or query stays out.
        details["relying_party"] = party | {"webhook": origin(webhook)}
    # The id is the record's place, so that a batch that comes again changes nothing.
    event_id = f"{OWN}{record.stream}-{record.partition}-{record.offset}"
    return _event(tenant, event_id, event.type, event.by, None, event.at, details, None, reason=_reason(event))


def _reason(event: ControlEvent) -> str | None:
    """Why somebody did it, if the event says so: a compromise and a withdrawal do, and an activation that was forced."""
    reason = event.data.get("reason") or event.data.get("forced")
    return reason if isinstance(reason, str) else None


def _event(
    tenant: str,
    event_id: str,
    action: str,
    user_id: str,
    user_name: str | None,
    now: int,
    details: Mapping[str, Any],
    ip: str | None,
    *,
    reason: str | None = None,
) -> Encoded:
    event = Event(
        timestamp=iso(now),
        id=event_id,
        action=action,
        category=next((category for prefix, category in _CATEGORIES if action.startswith(prefix)), "database"),
        outcome="failure" if action in _FAILURES else "success",
        provider=PROVIDER,
        dataset="tenantry.audit",
        ingested=iso(now),
        tenant=tenant,
        reason=reason,
        user_id=user_id,
        user_name=user_name,
        source_ip=ip,
        idp=msgspec.Raw(_encoder.encode(details)),
    )
    return Encoded(event_id, now, _encoder.encode(event))
