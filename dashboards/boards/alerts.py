"""The alerts: what an operator must know of without looking. What to do about each is in docs/operating.md."""

from __future__ import annotations

from typing import Final

from dashboards.boards import promql
from dashboards.boards.alert import Alert
from dashboards.metrics import NOTICES, ROTATIONS_DUE, SIGN_FAILURES, SIGN_SECONDS, WITHOUT_ACTIVE_KEY, WITHOUT_PUBLISHED_KEY
from keyvault.metrics import VAULT_FAILURES
from streams.metrics import BACKLOGS, DEAD_LETTERS_TOTAL, PROCESSOR_LAG, PROCESSOR_RETRIES, PROCESSORS_RUNNING

LAG_RECORDS: Final = 100_000
"""From how many records on a processor is behind. A record of `idp-events` is one event or thousands, one of `tenant-log` a segment."""
SIGN_LIMIT_SECONDS: Final = 0.5
_NOTHING: Final = "or vector(0)"
_TAKEN: Final = 'result="delivered"'
_NOT_TAKEN: Final = 'result!="delivered"'
_WORKERS: Final = 'count(up{job="tenantry-worker"} == 1)'

ALERTS: Final = (
    Alert(
        name="TenantryProcessDown",
        expr=f"{promql.UP} == 0",
        lasting="5m",
        severity="critical",
        summary="{{ $labels.job }} at {{ $labels.instance }} does not answer",
        description="Prometheus gets no metrics from this process: it has ended, hangs, or can't be reached.",
    ),
    Alert(
        name="TenantryWorkerMissing",
        expr=f"({_WORKERS} {_NOTHING}) < max_over_time({_WORKERS}[1h:1m])",
        lasting="10m",
        severity="warning",
        summary='{{ printf "%.0f" $value }} workers run, and there were more within the last hour',
        description="The others do its work. If it was taken away on purpose, this ends within an hour.",
    ),
    Alert(
        name="TenantryNobodyProcesses",
        expr=f"({promql.total(PROCESSORS_RUNNING)} {_NOTHING}) == 0",
        lasting="5m",
        severity="critical",
        summary="No process routes and indexes",
        description="Events are accepted and kept, and reach no tenant's log until a worker runs.",
    ),
    Alert(
        name="TenantryLag",
        expr=f"{promql.worst(PROCESSOR_LAG, 'processor')} > {LAG_RECORDS}",
        lasting="15m",
        severity="warning",
        summary='The processor {{ $labels.processor }} is {{ printf "%.0f" $value }} records behind',
        description="Tenants find their newest events late. Nothing is lost.",
    ),
    Alert(
        name="TenantryProcessorRetries",
        expr=f"{promql.increase(PROCESSOR_RETRIES, '10m', 'processor')} > 0",
        lasting="15m",
        severity="critical",
        summary="The processor {{ $labels.processor }} tries again and again",
        description="What it writes to, or reads from, refuses or is away; what is behind it waits.",
    ),
    Alert(
        name="TenantryBacklogs",
        expr=f"{promql.worst(BACKLOGS)} > 0",
        lasting="30m",
        severity="warning",
        summary='The indexes of {{ printf "%.0f" $value }} tenants are behind the log',
        description="These tenants find their newest events late; the others are not held up.",
    ),
    Alert(
        name="TenantryDeadLetters",
        expr=f"{promql.increase(DEAD_LETTERS_TOTAL, '15m', 'reason')} > 0",
        lasting="15m",
        severity="warning",
        summary="Dead letters keep coming: {{ $labels.reason }}",
        description="Events that can't be placed are kept, and come back with `tenantry replay --dead-letters` when the cause is mended.",
    ),
    Alert(
        name="TenantryRotationOverdue",
        expr=f"{promql.worst(ROTATIONS_DUE)} > 0",
        lasting="15m",
        severity="critical",
        summary='The key rings of {{ printf "%.0f" $value }} tenants need something that is not done',
        description="A rotation, a standby or the end of a key is late, by more than a retry takes.",
    ),
    Alert(
        name="TenantryNoActiveKey",
        expr=f"{promql.worst(WITHOUT_ACTIVE_KEY)} > 0",
        lasting="2m",
        severity="critical",
        summary='No key signs for {{ printf "%.0f" $value }} tenants',
        description="Their identity providers get 503 for every token. Keys that were published before still verify.",
    ),
    Alert(
        name="TenantryJwksEmpty",
        expr=f"{promql.worst(WITHOUT_PUBLISHED_KEY)} > 0",
        lasting="2m",
        severity="critical",
        summary='The JWKS of {{ printf "%.0f" $value }} tenants has no key',
        description="No token of these tenants verifies at relying parties that fetch it now.",
    ),
    Alert(
        name="TenantryKeyStoreAway",
        expr=f"{promql.increase(VAULT_FAILURES, '5m', 'reason')} > 0",
        lasting="5m",
        severity="critical",
        summary="The key store does not answer as asked: {{ $labels.reason }}",
        description="Tokens can't be signed, and keys not rotated, until it does. JWKS are served from memory meanwhile.",
    ),
    Alert(
        name="TenantrySigningFails",
        expr=f"{promql.increase(SIGN_FAILURES, '5m')} > 0",
        lasting="5m",
        severity="critical",
        summary="Tokens are refused for five minutes",
        description="The key store is away, or keys are missing; identity providers get errors for their tokens.",
    ),
    Alert(
        name="TenantrySigningSlow",
        expr=f"{promql.quantile(0.95, SIGN_SECONDS, window='10m')} > {SIGN_LIMIT_SECONDS}",
        lasting="10m",
        severity="warning",
        summary="One token in twenty takes longer than half a second to sign",
        description="The key store is slow, or asked for more than it can do; people wait when they sign in.",
    ),
    Alert(
        name="TenantryNoticesFailing",
        expr=f"{promql.increase(NOTICES, '1h', only=_NOT_TAKEN)} > {promql.increase(NOTICES, '1h', only=_TAKEN)}",
        lasting="30m",
        severity="warning",
        summary="More notices to relying parties fail than arrive",
        description="Relying parties are not told of key changes. One that is away can cause this alone; each tenant's log says which.",
    ),
)
