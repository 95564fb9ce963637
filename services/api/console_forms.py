"""Forms of the console as the API's bodies, so that both have the same limits and refuse the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from dashboards.console.party_form import UNITS, Amount, CheckForm, PartyForm
from keyvault.durations import render_duration
from keyvault.relying_party import RelyingParty
from services.api.relying_parties import CheckBody, RelyingPartyBody, party_of
from services.errors import Invalid

_LONGEST_MS: Final = 100 * 366 * UNITS["days"]
_Body = TypeVar("_Body", bound=BaseModel)


def checked(body: type[_Body], values: Mapping[str, Any]) -> _Body:
    """The values as such a body.

    Raises:
        Invalid: something about them is wrong; names the field.
    """
    try:
        return body.model_validate(dict(values))
    except ValidationError as error:
        # What was typed may be a secret, so only where and what it is.
        wrong = (
            f"{'.'.join(map(str, item['loc'])) or 'form'}: {item['msg']}" for item in error.errors(include_input=False, include_url=False)
        )
        raise Invalid("; ".join(wrong)) from None


def party_from(form: PartyForm, identifier: str, before: RelyingParty | None = None) -> RelyingParty:
    """The relying party that the form describes.

    Args:
        form: as it was sent.
        identifier: its id.
        before: as it is registered, if it is: of what the form keeps.

    Raises:
        Invalid: something about it is wrong.
    """
    kept = before.webhook if before is not None else None
    webhook = {"keep": kept, "none": None}.get(form.webhook_choice, form.webhook or None)
    values = {
        "name": form.name,
        "contact": form.contact or None,
        "library": form.library or None,
        "cached_for": _iso("cached_for", form.cached_for),
        "own_url": form.own_url,
        "webhook": webhook,
    }
    return party_of(identifier, checked(RelyingPartyBody, values))


def check_from(form: CheckForm) -> CheckBody:
    """The question that the form asks.

    Raises:
        Invalid: something about it is wrong.
    """
    values = {
        "library": form.library or None,
        "cached_for": _iso("cached_for", form.cached_for),
        "never_expires": form.never_expires,
        "refetches": {"yes": True, "no": False}.get(form.refetches),
        "cooldown": _iso("cooldown", form.cooldown),
    }
    return checked(CheckBody, values)


def _iso(name: str, amount: Amount) -> str | None:
    if not amount.number:
        return None
    try:
        ms = round(float(amount.number) * UNITS[amount.unit])
    except (ValueError, OverflowError, KeyError):
        ms = -1
    if not 0 <= ms <= _LONGEST_MS:
        raise Invalid(f"{name}: must be a number of {', '.join(UNITS)}, at most a hundred years; leave it empty for none")
    return render_duration(ms)
