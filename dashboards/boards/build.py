"""The built files: what is in each, and which are not as they should be."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from dashboards.boards.alert import rules
from dashboards.boards.alerts import ALERTS
from dashboards.boards.keys_board import KEYS
from dashboards.boards.platform_board import PLATFORM
from dashboards.boards.saved_objects import TenantObjects
from dashboards.boards.tenant_board import TENANT

BOARDS: Final = (PLATFORM, KEYS, TENANT)
RULES: Final = PurePosixPath("prometheus/alerts.yml")
GRAFANA: Final = PurePosixPath("grafana/boards")
SAVED_OBJECTS: Final = PurePosixPath("opensearch/saved-objects")
EXAMPLE: Final = "example"
"""The tenant whose saved objects are made where none is named: so that people see what they look like, and a change of them."""
_MADE: Final = "# Made by `tenantry dashboards build`: change what it is made from, in dashboards/boards/, and build it anew.\n"


def files(tenants: Iterable[str], index_of: Callable[[str], str], docs: str = "") -> dict[PurePosixPath, str]:
    """What belongs where, below one directory.

    Args:
        tenants: whose saved objects are made.
        index_of: the alias by which a tenant's events are searched.
        docs: the URL under which the project's `docs/` is published, for the links of alerts to their runbooks.
    """
    made = {RULES: _MADE + rules(ALERTS, docs)}
    for board in BOARDS:
        made[GRAFANA / f"{board.uid}.json"] = json.dumps(board.render(), indent=2, ensure_ascii=False) + "\n"
    for tenant in tenants:
        made[SAVED_OBJECTS / f"{tenant}.ndjson"] = TenantObjects(tenant, index_of(tenant)).ndjson()
    return made


def stale(made: Mapping[PurePosixPath, str], directory: Path) -> list[Path]:
    """The files that are missing below the directory, or are not as made."""
    return [directory / name for name, text in made.items() if not _holds(directory / name, text)]


def write(made: Mapping[PurePosixPath, str], directory: Path) -> list[Path]:
    """Writes those that are stale, and answers which.

    Raises:
        OSError: one can't be written.
    """
    found = stale(made, directory)
    for path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[PurePosixPath(path.relative_to(directory))], encoding="utf-8")
    return found


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False
