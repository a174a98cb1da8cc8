"""Many runs at once in one process, over real sockets; `make scale` runs many more and reports what they cost."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from typing import Any

import playhead as ph


def _many_runs() -> Any:
    """The script, which is no module of the tests."""
    path = Path(__file__).parent.parent / "scale" / "many_runs.py"
    found = importlib.util.spec_from_file_location("many_runs", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["many_runs"] = module  # Its dataclass looks there.
    found.loader.exec_module(module)
    return module


def test_a_hundred_streams_at_once_all_finish_and_none_waits_for_the_others() -> None:
    many_runs = _many_runs()
    with many_runs.server(50, 0.02) as model:
        seen, results = asyncio.run(many_runs.all_at_once(ph.Agent(model, retry=False), 100))
    whole = " ".join(str(n) for n in range(50)) + " "
    assert [each.text for each in seen] == [whole] * 100
    assert {result.usage.output_tokens for result in results} == {50}
    assert many_runs.fair(seen, 10), "a run was through before another had its tenth chunk"
