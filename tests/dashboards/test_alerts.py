"""Each alert fires when it should and stays quiet when it should, as Prometheus' own `promtool test rules` says; and its text is safe."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from dashboards.boards import promql
from dashboards.boards.alert import Alert, rules
from dashboards.boards.alerts import ALERTS
from dashboards.metrics import NOTICES, ROTATIONS_DUE, SIGN_FAILURES, SIGN_SECONDS, WITHOUT_ACTIVE_KEY, WITHOUT_PUBLISHED_KEY
from keyvault.metrics import VAULT_FAILURES
from streams.metrics import BACKLOGS, DEAD_LETTERS_TOTAL, PROCESSOR_LAG, PROCESSOR_RETRIES, PROCESSORS_RUNNING
from tests.servers import prometheus
from tests.servers.fixtures import made

ROOT: Final = Path(__file__).parents[2]
BOUNDED: Final = {"job", "instance", "processor", "reason"}
"""Labels of alerts: Prometheus' own configuration, and what Tenantry's code lists. None holds what a tenant or an event says."""
_API: Final = 'job="tenantry-api", instance="api:8080"'
_WORKER: Final = 'job="tenantry-worker", instance="worker-{number}:9100"'


def one(metric: promql.Metric, values: str, labels: str = "", suffix: str = "") -> dict[str, str]:
    """A series of the API's process, a value a minute (`0+1x60`: from 0, one more each minute, sixty times)."""
    return {"series": f"{promql.series(metric)}{suffix}{{{_API}{', ' if labels else ''}{labels}}}", "values": values}


def up(labels: str, values: str) -> dict[str, str]:
    return {"series": f"up{{{labels}}}", "values": values}


@dataclass(frozen=True)
class Case:
    """What one alert is shown.

    Attributes:
        sick: series in which it fires at `at`, once, with these labels and this summary.
        well: series in which it does not, at any minute.
    """

    sick: list[dict[str, str]]
    summary: str
    well: list[dict[str, str]]
    labels: dict[str, str] = field(default_factory=dict)
    at: str = "60m"


def worker(number: int, values: str) -> dict[str, str]:
    return up(_WORKER.format(number=number), values)


CASES: Final = {
    "TenantryProcessDown": Case(
        sick=[up(_API, "1x30 0x60")],
        summary="tenantry-api at api:8080 does not answer",
        labels={"job": "tenantry-api", "instance": "api:8080"},
        well=[up(_API, "1x20 0 0 0 1x60"), up('job="prometheus", instance="127.0.0.1:9090"', "0x90")],
    ),
    "TenantryWorkerMissing": Case(
        sick=[worker(1, "1x90"), worker(2, "1x40 _x50")],  # compose's DNS forgets a container that has ended
        summary="1 workers run, and there were more within the last hour",
        well=[worker(1, "1x90"), worker(2, "1x90")],
    ),
    "TenantryNobodyProcesses": Case(
        sick=[one(PROCESSORS_RUNNING, "0x90")],
        summary="No process routes and indexes",
        well=[
            one(PROCESSORS_RUNNING, "0x90"),
            {"series": f"{promql.series(PROCESSORS_RUNNING)}{{{_WORKER.format(number=1)}}}", "values": "3x90"},
        ],
    ),
    "TenantryLag": Case(
        sick=[one(PROCESSOR_LAG, "0+10000x90", 'processor="index"'), one(PROCESSOR_LAG, "0x90", 'processor="router"')],
        summary="The processor index is 600000 records behind",
        labels={"processor": "index"},
        well=[one(PROCESSOR_LAG, "0x20 500000 400000 300000 0x60", 'processor="index"')],
    ),
    "TenantryProcessorRetries": Case(
        sick=[one(PROCESSOR_RETRIES, "0+6x90", 'processor="index"'), one(PROCESSOR_RETRIES, "0x90", 'processor="router"')],
        summary="The processor index tries again and again",
        labels={"processor": "index"},
        well=[one(PROCESSOR_RETRIES, "0x20 3x70", 'processor="index"')],
    ),
    "TenantryBacklogs": Case(
        sick=[one(BACKLOGS, "0x10 2x80")],
        summary="The indexes of 2 tenants are behind the log",
        well=[one(BACKLOGS, "0x10 2x20 0x60")],
    ),
    "TenantryDeadLetters": Case(
        sick=[one(DEAD_LETTERS_TOTAL, "0+1x90", 'reason="not_json"'), one(DEAD_LETTERS_TOTAL, "0x90", 'reason="too_large"')],
        summary="Dead letters keep coming: not_json",
        labels={"reason": "not_json"},
        well=[one(DEAD_LETTERS_TOTAL, "0x20 500x70", 'reason="not_json"')],
    ),
    "TenantryRotationOverdue": Case(
        sick=[one(ROTATIONS_DUE, "0x30 3x60")],
        summary="The key rings of 3 tenants need something that is not done",
        well=[one(ROTATIONS_DUE, "0x9 1 0x9 1 2 0x9 1 0x60")],  # as a wave does
    ),
    "TenantryNoActiveKey": Case(
        sick=[one(WITHOUT_ACTIVE_KEY, "0x50 1x40")],
        summary="No key signs for 1 tenants",
        well=[one(WITHOUT_ACTIVE_KEY, "0x50 1 0x40")],
    ),
    "TenantryJwksEmpty": Case(
        sick=[one(WITHOUT_PUBLISHED_KEY, "0x50 1x40")],
        summary="The JWKS of 1 tenants has no key",
        well=[one(WITHOUT_PUBLISHED_KEY, "0x50 1 0x40")],
    ),
    "TenantryKeyStoreAway": Case(
        sick=[one(VAULT_FAILURES, "0x30 0+4x60", 'reason="sealed"'), one(VAULT_FAILURES, "0x90", 'reason="timeout"')],
        summary="The key store does not answer as asked: sealed",
        labels={"reason": "sealed"},
        well=[one(VAULT_FAILURES, "0x30 2x60", 'reason="timeout"')],
    ),
    "TenantrySigningFails": Case(
        sick=[one(SIGN_FAILURES, "0x30 0+4x60")],
        summary="Tokens are refused for five minutes",
        well=[one(SIGN_FAILURES, "0x30 2x60")],
    ),
    "TenantrySigningSlow": Case(
        sick=[one(SIGN_SECONDS, "0+1x90", f'le="{le}"', "_bucket") for le in ("2.5", "+Inf")]
        + [one(SIGN_SECONDS, "0x90", f'le="{le}"', "_bucket") for le in ("0.5", "1.0")],
        summary="One token in twenty takes longer than half a second to sign",
        well=[one(SIGN_SECONDS, "0+100x90", f'le="{le}"', "_bucket") for le in ("0.01", "0.5", "1.0", "+Inf")],
    ),
    "TenantryNoticesFailing": Case(
        sick=[one(NOTICES, "0+2x90", 'result="failed"'), one(NOTICES, "0+1x90", 'result="delivered"')],
        summary="More notices to relying parties fail than arrive",
        at="90m",
        well=[one(NOTICES, "0+1x90", 'result="failed"'), one(NOTICES, "0+2x90", 'result="delivered"')],
    ),
}


def test_every_alert_has_a_case() -> None:
    assert list(CASES) == [alert.name for alert in ALERTS]


@pytest.fixture(scope="module")
def promtool() -> Path:
    return made(prometheus.fetch, "prometheus") / "promtool"


def ran(*command: object) -> str:
    """What the command says; it must succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_it_fires_when_it_should_and_is_quiet_when_it_should(alert: Alert, promtool: Path, tmp_path: Path) -> None:
    case = CASES[alert.name]
    annotations = {**alert.rule("")["annotations"], "summary": case.summary}
    fired = {"exp_labels": {"severity": alert.severity, **case.labels}, "exp_annotations": annotations}
    quiet = [{"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": []} for minute in range(0, 91, 3)]
    tests: list[dict[str, Any]] = [
        {
            "interval": "1m",
            "input_series": case.sick,
            "alert_rule_test": [
                {"eval_time": "1m", "alertname": alert.name, "exp_alerts": []},
                {"eval_time": case.at, "alertname": alert.name, "exp_alerts": [fired]},
            ],
        },
        {"interval": "1m", "input_series": case.well, "alert_rule_test": quiet},
    ]
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ROOT / "deploy/prometheus/alerts.yml")], "tests": tests}))
    assert "SUCCESS" in ran(promtool, "test", "rules", file)


def test_prometheus_takes_the_configuration_of_compose(promtool: Path) -> None:
    assert "alerts.yml" in ran(promtool, "check", "config", ROOT / "deploy/prometheus/prometheus.yml")


def test_the_texts_hold_nothing_that_a_tenant_or_an_event_says() -> None:
    for alert in ALERTS:
        templates = re.findall(r"\{\{(.*?)\}\}", f"{alert.summary} {alert.description}")
        for template in templates:
            assert re.fullmatch(r' (\$labels\.\w+|printf "%\.0f" \$value) ', template), alert.name
            assert set(re.findall(r"\$labels\.(\w+)", template)) <= BOUNDED, alert.name


def test_every_alert_has_its_runbook() -> None:
    headings = re.findall(r"^#+ (Tenantry\w+)$", (ROOT / "docs/operating.md").read_text(), re.MULTILINE)
    assert headings == [alert.name for alert in ALERTS]


def test_runbooks_are_where_the_documentation_is_published() -> None:
    [group] = yaml.safe_load(rules(ALERTS, "https://docs.example/tenantry/"))["groups"]
    assert group["rules"][0]["annotations"]["runbook_url"] == "https://docs.example/tenantry/operating.md#tenantryprocessdown"
