"""`tenantry apply`: tenants as code, one YAML file each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer
import yaml

from services.cli.app import Json
from services.cli.approvals import told_to_wait
from services.cli.client import Client, path_of
from services.cli.output import out, plural, print_json, printable
from services.errors import Invalid, ServiceError
from services.settings import Settings
from streams.errors import InvalidTenantId
from streams.scope import check_tenant_id

_KEYS: Final = frozenset({"display_name", "sources", "issuer", "keys"})


class Step(NamedTuple):
    """One request that brings a tenant to what its file says, and why."""

    file: Path
    tenant: str
    what: str
    path: str
    body: dict[str, Any]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(apply)


def apply(
    directory: Annotated[Path, typer.Argument(help="A folder with a file TENANT.yaml for each tenant.", exists=True, file_okay=False)],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    json: Json = False,
) -> None:
    """Makes the tenants be as the files say, and says what changed; doing it again changes nothing.

    A file holds display_name, sources, issuer and keys (the rotation policy), as the API takes them. Tenants without a file stay.
    """
    client = Client(Settings())
    present = {one["id"]: one for one in client.pages("/v1/tenants", {"limit": 1000}, name="tenants", most=None)}
    wanted = {path: _read(path) for path in sorted(directory.glob("*.yaml"))}
    steps = [step for path, desired in wanted.items() for step in _plan(client, path, desired, present.get(path.stem))]
    answers = [_applied(client, step) if not dry_run else {} for step in steps]
    warnings = [answer.get("warnings", []) for answer in answers]
    waiting = [answer if answer.get("outcome") == "pending" else None for answer in answers]
    if json:
        print_json(
            [
                {"tenant": step.tenant, "change": step.what, "applied": not dry_run and waits is None}
                | ({"approval": waits["id"]} if waits is not None else {})
                | ({"warnings": warned} if warned else {})
                for step, waits, warned in zip(steps, waiting, warnings, strict=True)
            ]
        )
    else:
        for step, waits, warned in zip(steps, waiting, warnings, strict=True):
            out.print(f"{step.tenant}: {step.what}", soft_wrap=True)
            if waits is not None:
                out.print(printable(told_to_wait(step.tenant, waits)), soft_wrap=True)
            for warning in warned:
                out.print(printable(f"{step.tenant}: warning: {warning}"), soft_wrap=True)
        files, changes = (f"{len(found)} {plural(len(found), noun)}" for found, noun in ((wanted, "file"), (steps, "change")))
        out.print(f"{files}, {changes}{' to make' if dry_run else ''}")


def _applied(client: Client, step: Step) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = client.ask("PUT", step.path, json=step.body)
    except ServiceError as error:
        raise ServiceError(f"{step.file}: {error}; what comes before it is applied, and applying all of it again is safe") from error
    return answer


def _plan(client: Client, file: Path, desired: dict[str, Any], present: dict[str, Any] | None) -> list[Step]:
    tenant = file.stem
    body = {name: value for name, value in desired.items() if name != "keys"}
    steps = []
    if present is None:
        steps.append(Step(file, tenant, "create", path_of(tenant), body))
    elif changed := [name for name, value in body.items() if present[name] != value]:
        steps.append(Step(file, tenant, f"change {', '.join(changed)}", path_of(tenant), body))
    policy = desired.get("keys")
    if policy is not None:
        path = path_of(tenant, "keys", "policy")
        current = client.ask("GET", path) if present is not None else {}
        if changed := [name for name, value in policy.items() if current.get(name) != value]:
            steps.append(Step(file, tenant, f"set the key policy's {', '.join(changed)}", path, policy))
    return steps


def _read(path: Path) -> dict[str, Any]:
    try:
        check_tenant_id(path.stem)
        found = yaml.safe_load(path.read_text())
    except InvalidTenantId as error:
        raise Invalid(f"{path} is named after no tenant: {error}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise Invalid(f"{path} can't be read: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("display_name"), str):
        raise Invalid(f"{path} must hold an object with at least display_name")
    unknown = set(found) - _KEYS
    if unknown:
        raise Invalid(f"{path}: unknown {', '.join(sorted(map(str, unknown)))}; there are {', '.join(sorted(_KEYS))}")
    if not isinstance(found.get("keys", {}), dict):
        raise Invalid(f"{path}: keys must be an object, as {{algorithm: ES256, rotation_period: P30D}}")
    return found
