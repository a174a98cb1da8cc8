"""
Secrets in bodies, tool arguments and tool results: found, and taken out before anything reaches the disk.

Headers and URLs are the matter of `..redact`. Here is the rest: known shapes of keys, the values of variables that
hold secrets, and what the user names.
"""

from ..redact import REDACTED
from ._hits import Finding
from ._leaves import Leaf, changed
from ._redaction import Redaction
from ._scrubber import Scrubber

__all__ = ["REDACTED", "Finding", "Leaf", "Redaction", "Scrubber", "changed", "findings"]


def findings(data: bytes) -> list[Finding]:
    """The secrets in `data` that can be told without being told what to look for: known shapes, and the values of the
    environment's variables."""
    return Redaction().findings(data)
