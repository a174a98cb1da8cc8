"""The package as a whole: what it exports, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import playhead


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `code`."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


HEAVY = (
    "httpx2",
    "httpx",
    "h11",
    "yaml",
    "rich",
    "argparse",
    "pydantic",
    "asyncio",
    "ssl",
    "email",
    "importlib.metadata",
)


def test_importing_playhead_loads_no_http_client_no_yaml_and_no_cli_library() -> None:
    loaded = modules_after("import playhead")
    assert loaded & set(HEAVY) == set()


def test_making_an_agent_loads_no_http_client_and_no_yaml() -> None:
    code = """
import playhead as ph

@ph.tool
def add(a: int, b: int) -> int:
    return a + b

ph.Agent("openrouter:m", tools=[add], api_key="k")
"""
    assert modules_after(code) & {"httpx2", "h11", "yaml", "rich", "argparse", "pydantic"} == set()


def test_replaying_a_native_tape_loads_no_http_client_and_no_yaml() -> None:
    code = """
import playhead as ph
try:
    ph.Agent("openrouter:m").run_sync("go", tape=ph.Tape(), mode="replay")
except ph.Divergence:
    pass
"""
    assert modules_after(code) & {"httpx2", "h11", "yaml", "rich", "argparse", "pydantic"} == set()


def test_the_public_names_are_these() -> None:
    assert playhead.__all__ == [
        "__version__",
        "Agent",
        "Approval",
        "ApprovalNeeded",
        "Approvals",
        "Approve",
        "Attempt",
        "AttemptFailed",
        "AttemptMade",
        "BrokenCall",
        "Budget",
        "Cache",
        "Cancel",
        "Citation",
        "CodecError",
        "Compacted",
        "Compaction",
        "ConfigError",
        "Context",
        "Decision",
        "DecodeError",
        "Deny",
        "Dialect",
        "Divergence",
        "EncodeError",
        "Event",
        "Fault",
        "Faults",
        "HandedOff",
        "Handoff",
        "Hooks",
        "Interaction",
        "InvalidArguments",
        "InvalidOutput",
        "Ledger",
        "LimitExceeded",
        "Limits",
        "MediaPart",
        "Message",
        "MessageEnd",
        "MessageStart",
        "MissingDependency",
        "MissingKey",
        "Model",
        "ModelResponse",
        "Nested",
        "NextStep",
        "Opaque",
        "OpenTape",
        "Output",
        "OutputError",
        "OutputPartial",
        "PartDelta",
        "PartEnd",
        "PartStart",
        "PlayheadError",
        "Progress",
        "Provider",
        "ProviderError",
        "ProviderTool",
        "RERUN",
        "RandomFaults",
        "Reading",
        "Reasoning",
        "ReasoningPart",
        "Redaction",
        "RefusalPart",
        "Rendered",
        "Retry",
        "Route",
        "Run",
        "RunError",
        "RunInfo",
        "RunResult",
        "RunState",
        "Session",
        "Settings",
        "Skip",
        "Source",
        "Step",
        "StepLimit",
        "StopRun",
        "StreamReset",
        "SyncRun",
        "Tape",
        "TapeError",
        "TapeFormatError",
        "TapeLocked",
        "TapeNotFound",
        "TextPart",
        "Timeouts",
        "Tool",
        "ToolCallPart",
        "ToolDefinitionError",
        "ToolEnd",
        "ToolInDoubt",
        "ToolProgress",
        "ToolResultPart",
        "ToolRun",
        "ToolSpec",
        "ToolStart",
        "Toolset",
        "TransportError",
        "TruncatedStream",
        "Turn",
        "Undecided",
        "Usage",
        "block_network",
        "conversation",
        "fan_out",
        "fan_out_sync",
        "handoff",
        "lane",
        "ledger_of",
        "load_tape",
        "open_tape",
        "render",
        "save_tape",
        "system",
        "tool",
        "user",
    ]


@pytest.mark.parametrize("name", playhead.__all__)
def test_every_public_name_is_there_and_says_what_it_is(name: str) -> None:
    value = getattr(playhead, name)
    if isinstance(value, type):
        assert value.__doc__


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Tapes'"):
        _ = playhead.Tapes
    assert set(playhead.__all__) <= set(dir(playhead))


def test_the_tree_of_errors_is_its_docstring() -> None:
    from playhead import errors

    listed = [
        line.split()[1]
        for line in (errors.__doc__ or "").splitlines()
        if line.lstrip()[:2] in ("* ", "x ", "+ ", "- ")
    ]
    defined = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PlayheadError)
    ]
    assert sorted(listed) == sorted(defined)
    for line in (errors.__doc__ or "").splitlines():
        if line.startswith(("  x ", "    + ", "      - ")):
            assert issubclass(getattr(errors, line.split()[1]), errors.PlayheadError)
