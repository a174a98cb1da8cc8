"""What tests share: where the recordings beside the repository are, and what is expected of them."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from playhead.providers import find_provider, provider_names

settings.register_profile(
    "ci", derandomize=True, max_examples=300
)  # There a failure must be of the change, not of the day.
settings.register_profile("deep", max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))

SHARED = Path(__file__).parents[2] / "shared" / "tapes"
"""Recorded traffic of real providers. It lies beside the repository, and is no part of it."""


@cache
def expected() -> dict[str, Any]:
    """What each recorded response says, worked out independently; empty where the recordings are not there."""
    file = SHARED / "expected.json"
    return json.loads(file.read_text()) if file.exists() else {}


def shared_tape(name: str) -> Path:
    """A recording; the test is skipped where there is none."""
    if not (SHARED / name).exists():
        pytest.skip(f"the recordings beside the repository are not here ({name})")
    return SHARED / name


@cache
def environment_names() -> tuple[str, ...]:
    """What providers look for in the environment."""
    providers = [find_provider(name) for name in provider_names()]
    names = [name for it in providers for name in (*it.key_names, *(n for ns in it.variables.values() for n in ns))]
    return (*(name for name in names if not name.startswith("=")), "PLAYHEAD_COMPAT_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may find a real key, or somebody's own address, in the environment."""
    for name in environment_names():
        monkeypatch.delenv(name, raising=False)
