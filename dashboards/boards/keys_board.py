"""The board of keys: is every tenant signed for, do rotations keep up, does the key store answer."""

from __future__ import annotations

from typing import Final

from dashboards.boards import promql
from dashboards.boards.alerts import SIGN_LIMIT_SECONDS
from dashboards.boards.grafana import Board, Panel, Row, expression
from dashboards.metrics import (
    KEY_EVENTS,
    NOTICES,
    ROTATIONS_DUE,
    SIGN_FAILURES,
    SIGN_SECONDS,
    TOKENS_SIGNED,
    WITHOUT_ACTIVE_KEY,
    WITHOUT_PUBLISHED_KEY,
)
from keyvault.metrics import KEY_STORE_DOWN, KEY_STORE_SPARED, VAULT_BATCH_MESSAGES, VAULT_FAILURES, VAULT_REQUEST_SECONDS

_SHARES: Final = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))


def _stat(title: str, about: str, promql_now: str) -> Panel:
    return Panel(title=title, about=about, queries=[expression(promql_now, now=True)], kind="stat", alarming=1, width=6, height=4)


STATE: Final = Row(
    title="State",
    panels=[
        _stat("Without an active key", "Tenants for whom no key signs", promql.worst(WITHOUT_ACTIVE_KEY)),
        _stat("With an empty JWKS", "Tenants of whom no token can be verified", promql.worst(WITHOUT_PUBLISHED_KEY)),
        _stat("Rotations due", "Tenants whose key ring needs something that is not done yet", promql.worst(ROTATIONS_DUE)),
        _stat("Tokens not signed, last hour", "The key store or the key was away", promql.increase(SIGN_FAILURES, "1h")),
    ],
)

RINGS: Final = Row(
    title="Key rings",
    panels=[
        Panel(
            title="What happened to keys",
            about="In a day, by kind: each rotation prepares, activates, deactivates and at last destroys one",
            queries=[expression(promql.increase(KEY_EVENTS, "1d", "type"), "{{type}}", now=True)],
            kind="bargauge",
            width=12,
        ),
        Panel(
            title="Rotations due",
            about="During a wave it is above 0 now and then; what stays there is late",
            queries=[expression(promql.worst(ROTATIONS_DUE), "due")],
            width=12,
        ),
    ],
)

SIGNING: Final = Row(
    title="Signing",
    panels=[
        Panel(
            title="Tokens",
            about="Tokens signed, and requests refused since the key store or the key was away, a second",
            queries=[expression(promql.per_second(TOKENS_SIGNED), "signed"), expression(promql.per_second(SIGN_FAILURES), "refused")],
            unit="reqps",
            width=12,
        ),
        Panel(
            title="Time to sign",
            about="The tokens of one request, with the key store's part",
            queries=[expression(promql.quantile(share, SIGN_SECONDS), name) for share, name in _SHARES],
            unit="s",
            alarming=SIGN_LIMIT_SECONDS,
            width=12,
        ),
    ],
)

VAULT: Final = Row(
    title="Vault",
    panels=[
        Panel(
            title="Requests",
            about="To Vault, a second, by what they are for",
            queries=[expression(promql.observed(VAULT_REQUEST_SECONDS, "operation"), "{{operation}}")],
            unit="reqps",
            width=6,
        ),
        Panel(
            title="Time of a request",
            about="What one in twenty exceeds",
            queries=[expression(promql.quantile(0.95, VAULT_REQUEST_SECONDS, "operation"), "{{operation}}")],
            unit="s",
            width=6,
        ),
        Panel(
            title="Failures",
            about="Requests a second that Vault did not answer as asked, by reason",
            queries=[expression(promql.per_second(VAULT_FAILURES, "reason"), "{{reason}}")],
            width=6,
        ),
        Panel(
            title="Tokens of one request",
            about="How many tokens, in the mean, are signed together: the more are asked for at once, the more",
            queries=[expression(promql.mean(VAULT_BATCH_MESSAGES), "mean")],
            width=6,
        ),
    ],
)

SPARED: Final = Row(
    title="A key store that is down",
    panels=[
        Panel(
            title="Down",
            about="1 while a node asks the key store only now and then, since it did not answer",
            queries=[expression(promql.worst(KEY_STORE_DOWN), "down")],
            width=12,
        ),
        Panel(
            title="Spared",
            about="Calls a second that were refused at once meanwhile",
            queries=[expression(promql.per_second(KEY_STORE_SPARED), "spared")],
            width=12,
        ),
    ],
)

TOLD: Final = Row(
    title="Notices",
    panels=[
        Panel(
            title="Notices to relying parties",
            about="Attempts a second, by what they came to",
            queries=[expression(promql.per_second(NOTICES, "result"), "{{result}}")],
            width=24,
        ),
    ],
)

KEYS: Final = Board(
    uid="tenantry-keys",
    title="Tenantry: keys",
    about="Is every tenant signed for, do rotations keep up, does the key store answer.",
    rows=[STATE, RINGS, SIGNING, VAULT, SPARED, TOLD],
)
