"""Rendering: a view model and its surroundings become HTML."""

from __future__ import annotations

from typing import ClassVar, Final, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined

from dashboards.console import assets, frame, platform_frame, text, times
from dashboards.console.frame import Frame
from dashboards.console.told import told


class Page(Protocol):
    """What every view model has: the template that shows it, and the page's title."""

    template: ClassVar[str]

    @property
    def title(self) -> str:
        """Of the page."""
        ...


def render(page: Page, around: Frame) -> str:
    """The page as HTML."""
    return _ENVIRONMENT.get_template(page.template).render(page=page, frame=around)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,  # whatever the template's name is
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "isolated": text.isolated,
        "visible": text.visible,
        "told": told,
        "utc": times.utc,
        "age": times.age,
        "stamp": times.stamp,
    }
    environment.globals |= {
        "asset": assets.url,
        "log_path": frame.log_path,
        "keys_path": frame.keys_path,
        "compromise_path": frame.compromise_path,
        "activate_path": frame.activate_path,
        "history_path": frame.history_path,
        "parties_path": frame.parties_path,
        "party_path": frame.party_path,
        "tokens_path": frame.tokens_path,
        "platform_path": platform_frame.platform_path,
        "platform_sections": platform_frame.SECTIONS,
        "dead_letters": platform_frame.DEAD_LETTERS,
        "replay_path": platform_frame.REPLAY,
        "health_path": platform_frame.HEALTH,
        "brand_path": frame.brand_path,
        "home": frame.HOME,
        "sign_in": frame.SIGN_IN,
        "sign_out": frame.SIGN_OUT,
    }
    return environment


_ENVIRONMENT: Final = _environment()
