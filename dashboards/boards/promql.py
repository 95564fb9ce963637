"""PromQL (https://prometheus.io/docs/prometheus/latest/querying/basics/), written with the metrics themselves instead of their names."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

GRAFANA_WINDOW: Final = "$__rate_interval"
"""What Grafana replaces by a window that holds at least four scrapes, and suits the width of the picture."""
JOBS: Final = "tenantry.*"
"""What the jobs of Prometheus are called that scrape Tenantry: tenantry-api, tenantry-worker (deploy/prometheus/prometheus.yml)."""
UP: Final = f'up{{job=~"{JOBS}"}}'

Metric = Counter | Gauge | Histogram


def series(metric: Metric) -> str:
    """The name of the metric's series, without the suffixes of a histogram."""
    [described] = metric.describe()
    return f"{described.name}_total" if described.type == "counter" else described.name


def per_second(counter: Counter, *by: str, window: str = GRAFANA_WINDOW, only: str = "") -> str:
    """How often a second, over all processes; `only` selects by labels, as `result="failed"`."""
    return f"{_summed(by)}(rate({series(counter)}{_selector(only)}[{window}]))"


def increase(counter: Counter, window: str, *by: str, only: str = "") -> str:
    """How often within the window, over all processes."""
    return f"{_summed(by)}(increase({series(counter)}{_selector(only)}[{window}]))"


def observed(histogram: Histogram, *by: str, window: str = GRAFANA_WINDOW, only: str = "") -> str:
    """How often a second something was measured."""
    return f"{_summed(by)}(rate({series(histogram)}_count{_selector(only)}[{window}]))"


def quantile(which: float, histogram: Histogram, *by: str, window: str = GRAFANA_WINDOW) -> str:
    """The value under which this share of what was measured is, over all processes."""
    return f"histogram_quantile({which}, {_summed(('le', *by))}(rate({series(histogram)}_bucket[{window}])))"


def mean(histogram: Histogram, window: str = GRAFANA_WINDOW) -> str:
    """The mean of what was measured, over all processes."""
    name = series(histogram)
    return f"sum(rate({name}_sum[{window}])) / sum(rate({name}_count[{window}]))"


def worst(gauge: Gauge, *by: str) -> str:
    """The highest value that any process tells. Each node follows the whole log, so they tell the same, and a sum would count twice."""
    return f"max by ({', '.join(by)}) ({series(gauge)})" if by else f"max({series(gauge)})"


def total(gauge: Gauge) -> str:
    """The sum of what the processes tell, each of itself."""
    return f"sum({series(gauge)})"


def _summed(by: tuple[str, ...]) -> str:
    return f"sum by ({', '.join(by)}) " if by else "sum"


def _selector(only: str) -> str:
    return f"{{{only}}}" if only else ""
