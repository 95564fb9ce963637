"""One alert of Prometheus, and the file of rules (https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

import yaml

Severity = Literal["critical", "warning"]
RUNBOOKS: Final = "docs/operating.md"
"""Where it is written what to do: a heading there for each alert."""
_WIDTH: Final = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """What is watched, and what people are told.

    A test walks the texts: they hold no labels but those of bounded sets, so nothing that a tenant or an event says gets into an alert.

    Attributes:
        name: CamelCase, beginning with Tenantry; it is the heading of its runbook.
        expr: PromQL; it is firing for each series that this finds.
        lasting: for how long it must find it, as `15m`.
        severity: `critical`: somebody must act now; `warning`: today.
        summary: one line, with Prometheus' templates, as `{{ $labels.reason }}`.
        description: what it means for whom.
    """

    name: str
    expr: str
    lasting: str
    severity: Severity
    summary: str
    description: str

    @property
    def anchor(self) -> str:
        """The anchor of its heading."""
        return self.name.lower()

    def rule(self, docs: str) -> dict[str, Any]:
        """The rule as Prometheus reads it.

        Args:
            docs: the URL under which the project's `docs/` is published, or nothing: then the runbook is named by its path.
        """
        runbook = f"{docs.rstrip('/')}/{RUNBOOKS.removeprefix('docs/')}" if docs else RUNBOOKS
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {"summary": self.summary, "description": self.description, "runbook_url": f"{runbook}#{self.anchor}"},
        }


def rules(alerts: Iterable[Alert], docs: str = "") -> str:
    """The file of rules, in YAML."""
    found = {"groups": [{"name": "tenantry", "rules": [alert.rule(docs) for alert in alerts]}]}
    return yaml.safe_dump(found, sort_keys=False, width=_WIDTH, allow_unicode=True)
