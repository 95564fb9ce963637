"""A real Chromium, which the browser tests drive: installed, or else installed from Debian's packages, as its libraries are many."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.servers import tools
from tests.servers.cache import Missing

_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
_PACKAGES: Final = ("chromium", "fonts-dejavu-core", "fonts-liberation")
"""The fonts, because without any a page is measured and shown without a letter."""
_VERSION_SECONDS: Final = 60


def fetch() -> Path:
    """The program.

    Raises:
        Missing: it is not here, and can't be installed.
    """
    if (found := _installed()) is not None:
        return found
    if os.geteuid() != 0:
        raise Missing(f"no {', '.join(_PROGRAMS)}; install it, on Debian with `apt-get install {' '.join(_PACKAGES)}`")
    try:
        _install()
    except Missing:  # as on a machine that has never asked what there is
        tools.run("apt-get", "update")
        _install()
    if (found := _installed()) is None:
        raise Missing("Debian's package chromium is installed, and its program does not run")
    return found


def _install() -> None:
    options = ("--assume-yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300")
    tools.run("apt-get", "install", *options, *_PACKAGES, DEBIAN_FRONTEND="noninteractive")


def _installed() -> Path | None:
    """The first program that runs: some systems have a script of that name that only says how to get one."""
    return next((Path(found) for program in _PROGRAMS if (found := shutil.which(program)) is not None and _runs(found)), None)


def _runs(program: str) -> bool:
    try:
        return subprocess.run([program, "--version"], capture_output=True, timeout=_VERSION_SECONDS, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
