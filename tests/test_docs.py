"""What the documents name is what the program has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from typer.main import get_command
from typer.testing import CliRunner

from dashboards.console import columns, neighbours
from dashboards.console.times import words
from keyvault.caching import LIBRARIES, Caching
from keyvault.policy import Policy
from services.access.scopes import Scope
from services.api.event_tail import HEARTBEAT_SECONDS
from services.cli import app
from services.cli.apply import _KEYS
from services.events import export, live_tails
from services.settings import Settings
from streams.fields import FIELDS, MAX_TERM_CHARACTERS
from streams.log_kafka.topics import RETENTION_MS
from tests.routes import is_route

ROOT = Path(__file__).parents[1]
ISSUER = re.compile(r"/t/[^/]+")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])


def test_the_query_languages_table_is_the_declared_fields() -> None:
    page = (ROOT / "docs" / "query-language.md").read_text()
    rows = [
        f"| `{field.name}` | {field.type.value} | {'yes' if field.words else ''} | {field.meaning} |".replace("|  |", "| |")
        for field in FIELDS
    ]
    table = page[page.index("| field |") :]
    assert [line for line in table.splitlines() if line.startswith("| `")] == rows
    assert f"{MAX_TERM_CHARACTERS:,}" in page


def test_the_settings_page_has_every_setting_as_it_is() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    for name, field in Settings.model_fields.items():
        default = "" if field.default in {None, ""} else f"`{int(field.default) if isinstance(field.default, bool) else field.default}`"
        assert f"| `TENANTRY_{name.upper()}` | {default} | {field.description} |".replace("|  |", "| |") in page


def test_the_rotation_page_has_every_setting_of_a_policy_with_its_default() -> None:
    page = (ROOT / "docs" / "rotation.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| `([A-Z0-9]+|\[\])` \|", page, re.MULTILINE))
    assert rows == {name: str(value) for name, value in Policy().render().items()}


def test_the_rotation_page_has_every_library_with_its_rules() -> None:
    page = (ROOT / "docs" / "rotation.md").read_text()
    rows = [
        f"| `{name}`: {library.title} | {_kept(library.caching)} | {_fetches(library.caching)} |" for name, library in LIBRARIES.items()
    ]
    assert re.findall(r"^\| `[a-z-]+`: .*\|$", page, re.MULTILINE) == rows


def _kept(caching: Caching) -> str:
    return ("for ever" if caching.lifetime is None else words(caching.lifetime)) + (", each key by itself" if caching.per_key else "")


def _fetches(caching: Caching) -> str:
    if not caching.refetches:
        return "no"
    return f"not more than every {words(caching.cooldown)}" if caching.cooldown else "yes"


def test_the_pages_of_tail_and_export_have_their_limits() -> None:
    for name, what, limits in (("tail", "streams", live_tails), ("export", "exports", export)):
        page = (ROOT / "docs" / f"{name}.md").read_text()
        assert f"{limits.PER_TENANT} {what} a tenant and {limits.IN_ALL} in all" in page
    assert f"nothing for {HEARTBEAT_SECONDS:.0f} seconds" in (ROOT / "docs" / "tail.md").read_text()


def test_the_page_of_the_console_has_its_limits() -> None:
    page = (ROOT / "docs" / "console.md").read_text()
    assert f"at most {columns.MOST} beside the time" in page
    assert f"the {neighbours.EACH} events before and after it" in page
    script = (ROOT / "dashboards" / "console" / "static" / "live.js").read_text()
    [most] = re.findall(r"const MOST = (\d+);", script)
    assert f"The newest {most} of what has arrived" in page


def test_the_page_of_operating_has_every_scope_and_how_long_topics_are_kept() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    rows = "".join(re.findall(r"^\| `[a-z]+:[a-z]+` \| .* \|$", page, re.MULTILINE))
    assert re.findall(r"^\| `([a-z]+:[a-z]+)` \|", page, re.MULTILINE) == [scope.value for scope in Scope]
    assert "approve or withdraw" in rows
    days = {stream: ms // 86_400_000 for stream, ms in RETENTION_MS.items() if ms > 0}
    for stream, kept in days.items():
        assert re.search(rf"{kept} days, \*\*.*\*\*: `retention\.ms` of `PREFIX\.{stream}`", page)


def test_the_file_of_a_tenant_is_one_that_apply_takes() -> None:
    page = (ROOT / "docs" / "operating.md").read_text()
    [example] = re.findall(r"```yaml\n(display_name: .*?)```", page, re.DOTALL)
    tenant = yaml.safe_load(example)
    assert set(tenant) == set(re.findall(r"^\| `([a-z_]+)` \| .* \| (?:it|they|must)", page, re.MULTILINE)) == _KEYS
    assert Policy.parse(tenant["keys"]).render().items() >= tenant["keys"].items()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_is_there_with_its_options(page: Path) -> None:
    program: Any = get_command(app)
    for name, below, options in _commands(page):
        command = program
        for one in (name, below):
            if one and hasattr(command, "commands"):
                assert one in command.commands, f"{page}: tenantry {name} {below}"
                command = command.commands[one]
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        known |= {"-h", "--help", "--install-completion", "--show-completion"}
        assert set(options) <= known, f"{page}: tenantry {name} {below}"


def _commands(page: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Each command that the page names, with the one below it, if there is one, and its options."""
    lines = "\n".join(_code(page)).replace("\\\n", " ")
    for name, below, rest in re.findall(r"\btenantry ([a-z][a-z-]*)((?: [a-z][a-z-]*)?)([^|;&#\n`]*)", lines):
        yield name, below.strip(), re.findall(r"(?<=\s)--?[a-z][a-z-]*", rest)


def _code(page: Path) -> list[str]:
    """What the page shows as code."""
    return re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_a_page_names_is_there(page: Path) -> None:
    known = {f"TENANTRY_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bTENANTRY_[A-Z_]+\b", page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_route_that_a_page_names_is_there(page: Path) -> None:
    paths = r"((?:/(?:v1|t)/|/console\b)[^\s`'\"|()…;,<>?\\]*+(?!…)|/(?:healthz|readyz|metrics)(?![\w./]))"
    for code in _code(page):
        for methods, path in re.findall(rf"((?:\b(?:GET|PUT|POST|DELETE)[ |]?)*){paths}", code):
            for method in methods.replace("|", " ").split() or [""]:
                assert is_route(method, path) or ISSUER.fullmatch(path), f"{page}: {methods}{path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_metric_that_a_page_names_is_there(page: Path) -> None:
    assert _metrics(page.read_text()) <= _known_metrics() | _docker_names()


def test_a_metric_is_found_wherever_a_page_names_it() -> None:
    fenced = "```promql\nhistogram_quantile(0.99, rate(tenantry_bogus_seconds_bucket[5m]))\n```"
    named = _metrics(f'`rate(tenantry_bogus2_total[5m])`, {fenced}, `tenantry_tenants` and tenantry_published_total{{status="2xx"}}')
    assert named - _known_metrics() == {"tenantry_bogus2_total", "tenantry_bogus_seconds_bucket"}


def _metrics(text: str) -> set[str]:
    return set(re.findall(r"\btenantry_[a-z0-9_]+", text))


def _known_metrics() -> set[str]:
    """As Prometheus has them: a counter is its total, and a histogram is three."""
    suffixes = {"counter": ("_total",), "histogram": ("", "_bucket", "_sum", "_count")}
    return {f"{one.name}{suffix}" for one in REGISTRY.collect() for suffix in suffixes.get(one.type, ("",))}


def _docker_names() -> set[str]:
    """What Compose makes of the project's name, and is no metric: volumes and the network."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return {f"{compose['name']}_{name}" for name in (*compose["volumes"], "default")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_name_the_service_and_its_token_as_the_command_line_does(page: Path) -> None:
    assert re.findall(r"\$\{?(?:service|url|token|operator|auth)\b", "".join(_code(page)), re.IGNORECASE) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_is_there_with_the_heading(page: Path) -> None:
    for file, heading in re.findall(r"\]\(([^)#\s]*)(?:#([^)]+))?\)", page.read_text()):
        if "://" in file:
            continue
        target = page.parent / file if file else page
        assert target.exists(), f"{page}: {file}"
        assert not heading or heading in _headings(target), f"{page}: {file}#{heading}"


def _headings(page: Path) -> set[str]:
    """What links call the headings of the page."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_is_there(page: Path) -> None:
    assert [name for name in re.findall(r"`(tests/[\w/.]+)", page.read_text()) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("target", ["help", "run", "test", "test-all", "lint", "format", "bench"])
def test_the_makefile_says_what_each_target_does(target: str) -> None:
    assert re.search(rf"^{target}:.* ## \S", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_command_has_help() -> None:
    runner = CliRunner()
    for name in get_command(app).commands:  # type: ignore[attr-defined]
        result = runner.invoke(app, [name, "--help"])
        assert result.exit_code == 0
        assert len(result.output.splitlines()) > 5


def test_the_changelog_has_the_version() -> None:
    assert "[Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_locked_dependencies_have_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_picture_that_a_page_shows_is_there_and_light(page: Path) -> None:
    shown = [*re.findall(r'(?:src|srcset)="([^"]+)"', page.read_text()), *re.findall(r"!\[[^]]*\]\(([^)]+)\)", page.read_text())]
    for picture in shown:
        assert 0 < (page.parent / picture).stat().st_size < 150_000, picture


def test_every_picture_is_shown_somewhere() -> None:
    pages = "".join(page.read_text() for page in PAGES)
    assert [file.name for file in (ROOT / "docs" / "images").glob("*") if f"images/{file.name}" not in pages] == []
