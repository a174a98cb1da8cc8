"""Variables of the environment that hold secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_SECRET = re.compile(
    r"(?:^|_)(?:KEY|ACCESS_KEY_ID|TOKEN|PAT|PASSPHRASE|CREDENTIAL)S?$|API_?KEY|SECRET|PASSWORD|PASSWD", re.IGNORECASE
)
_OPEN = re.compile(r"PUBLIC|PUBLISHABLE", re.IGNORECASE)

_SHORTEST = 8
"""Characters. A shorter value would be found where it is none."""

_PLACEHOLDERS = frozenset(
    {
        "changeme",
        "disabled",
        "dummy-key",
        "lm-studio",
        "no-key-required",
        "not-a-key",
        "not-needed",
        "password",
        "placeholder",
        "redacted",
        "required",
        "sk-no-key-required",
        "undefined",
    }
)
"""What people put where a program wants a key and a server does not."""


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """The names of the variables that hold secrets, by value."""
    return {
        value: name
        for name, raw in sorted(environment.items(), reverse=True)
        if _SECRET.search(name) and not _OPEN.search(name) and _may_be_secret(value := raw.strip())
    }


def _may_be_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and value.lower() not in _PLACEHOLDERS and not _is_path(value)


def _is_path(value: str) -> bool:
    """Whether it names a file, or where one may be. Base64 may begin with a slash, too."""
    first = os.path.expanduser(value.split(os.pathsep, maxsplit=1)[0])
    if not os.path.isabs(first) and not value.startswith(("./", "../")):
        return False
    folder = os.path.dirname(first)
    try:
        return os.path.exists(first) or (folder != os.path.dirname(folder) and os.path.exists(folder))
    except ValueError:  # It holds a NUL, or is too long for a path.
        return False
