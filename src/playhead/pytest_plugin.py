"""
The pytest plugin, registered by the package: a fixture `tape`, named after the test, and a fixture `block_network`.

    def test_sum(tape):
        result = agent.run_sync("Add 2 and 3")     # on the tape that is open around it
        assert "5" in result.text

    --playhead=auto      a test without a tape records one, the others are played (the default)
    --playhead=replay    tests are only played: nothing goes out
    --playhead=record    all tapes are recorded anew
    --playhead=resume    what is there is played, what is new goes out and is recorded
    --playhead=off       everything goes out, nothing is recorded

Each test has a file of its own, so that tests may run in any order and side by side.

With `playhead_block_network = true` in the configuration nothing goes out of a test, unless its tape is recorded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .tape.effects import Effect
    from .tape.opened import OpenTape

_MODES = ("auto", "replay", "record", "resume", "off")
_UNPLAYED = ("report", "error", "ignore")
_OPTIONS = ("mode", "path", "unplayed", "on_divergence", "in_doubt", "speed", "cut", "redact", "faults", "network")
_TAPE: pytest.StashKey[OpenTape] = pytest.StashKey()
_PASSED: pytest.StashKey[list[bool]] = pytest.StashKey()
_PROPERTY = "playhead_unplayed"
_SECTION = "playhead"
_LONGEST_NAME = 200
"""Bytes of a file's name before its ending."""

_MARKER = (
    "playhead(mode=None, path=None, unplayed=None, on_divergence='strict', ...): how the `tape` fixture opens its "
    "tape. path: a file beside the test's own; unplayed: 'report', 'error' or 'ignore'; network=True: the test may "
    "go out, whatever `playhead_block_network` says; else as playhead.open_tape"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options on pytest's command line and in its configuration."""
    group = parser.getgroup("playhead", "recorded runs of agents")
    group.addoption(
        "--playhead",
        choices=_MODES,
        default=None,
        help="what tests do with their tapes: auto (record where there is none, else play; the default), replay "
        "(nothing goes out), record (anew), resume, or off",
    )
    group.addoption(
        "--playhead-unplayed",
        choices=_UNPLAYED,
        default=None,
        help="effects on a tape that a test did not ask for: report them (the default), error, or ignore",
    )
    parser.addini("playhead", "the default of --playhead", default="auto")
    parser.addini("playhead_unplayed", "the default of --playhead-unplayed", default="report")
    parser.addini("playhead_tapes", "the folder of the tapes, beside the file of the tests", default="tapes")
    parser.addini(
        "playhead_block_network",
        "whether nothing goes out of a test, unless its tape is recorded",
        type="bool",
        default=False,
    )
    parser.addini("playhead_ending", "the ending of new tapes, which says their format", default=".jsonl")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and refuse a setting that does not exist."""
    config.addinivalue_line("markers", _MARKER)
    _setting(config, "playhead", _MODES)
    _setting(config, "playhead_unplayed", _UNPLAYED)
    if config.getini("playhead_block_network"):
        config.pluginmanager.register(_BlockedTests(), "playhead-block-network")


class _BlockedTests:
    """Takes the network from the tests of a project that asks for it."""

    @pytest.fixture(autouse=True)
    def _playhead_block_network(self, request: pytest.FixtureRequest) -> Generator[None]:
        if _may_go_out(request):
            yield
            return
        from .testing import block_network

        with block_network():
            yield


@pytest.fixture
def block_network() -> Generator[None]:
    """Nothing goes out of the test: whoever opens a connection to another machine gets `NetworkBlocked`."""
    from .testing import block_network

    with block_network():
        yield


@pytest.fixture
def tape(request: pytest.FixtureRequest) -> Generator[OpenTape]:
    """An open tape, named after the test: agents and clients in the test use it where they are given no other.

    It is `tapes/MODULE/TEST.jsonl` beside the file of the test. A test that does not pass does not replace a tape
    that was there, and makes none where there was none: its recording stands in `TEST.jsonl.part`, and goes on the
    next time. The marker `playhead` has options.
    """
    from .tape.open import open_tape

    options = _options(request)
    options.pop("network", None)
    wanted: str = options.pop("unplayed", None) or _setting(request.config, "playhead_unplayed", _UNPLAYED)
    mode: Any = _mode(request, options)
    file = _file(request, options.pop("path", None))
    if mode not in ("replay", "off"):
        file.parent.mkdir(parents=True, exist_ok=True)
    opened = open_tape(file, mode, **options)
    is_new = not file.exists() or not file.stat().st_size
    node: pytest.Item = request.node
    node.stash[_TAPE] = opened
    reports: list[bool] = []
    node.stash[_PASSED] = reports
    opened.__enter__()
    passed = False
    try:
        yield opened
        passed = bool(reports) and all(reports)
    finally:
        error = None if passed else _NotPassed()
        try:
            opened.__exit__(type(error) if error else None, error, None)
        except BaseException:
            passed = False
            raise
        finally:
            if is_new and not passed:
                _set_aside(file)
    if passed and wanted != "ignore" and (left := _unplayed(opened)):
        if wanted == "error":
            pytest.fail(
                f"tape {opened.name!r} holds what the test did not ask for:\n" + "\n".join(left), pytrace=False
            )
        node.user_properties.append((_PROPERTY, [opened.name, *left]))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test passed; show a failed test's tape, and in what the run diverged from it."""
    report = yield
    if call.when == "call":  # A skipped test has not passed, nor has one that failed as it was expected to.
        item.stash.setdefault(_PASSED, []).append(report.passed)
    if report.failed:
        opened = item.stash.get(_TAPE, None)
        if opened is not None:
            report.sections.append((_SECTION, _told(opened)))
    if call.when == "teardown":
        # Reports of one test share a list; what the fixture added last would be missing in the one that travels.
        report.user_properties = list(item.user_properties)
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Tell what tapes hold that no test asked for."""
    lines: list[str] = []
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "teardown":
                for name, value in report.user_properties:
                    if name == _PROPERTY:
                        lines += [f"{report.nodeid}: {value[0]}", *(f"  {line}" for line in value[1:])]
    if lines:
        terminalreporter.section("playhead: recorded, and not asked for", sep="-", yellow=True)
        for line in lines:
            terminalreporter.line(line)


class _NotPassed(Exception):
    """Stands for what ended a test, of which a fixture sees nothing."""


def _setting(config: pytest.Config, name: str, allowed: tuple[str, ...]) -> str:
    value = config.getoption(f"--{name.replace('_', '-')}") or config.getini(name)
    if value not in allowed:
        raise pytest.UsageError(f"{name} is one of {', '.join(allowed)}, not {value!r}")
    return str(value)


def _mode(request: pytest.FixtureRequest, options: dict[str, Any]) -> str:
    """How a test's tape is opened; it is taken out of the options."""
    return str(options.pop("mode", None) or _setting(request.config, "playhead", _MODES))


def _may_go_out(request: pytest.FixtureRequest) -> bool:
    """Whether a test says so, or has a tape on which something new may come."""
    options = _options(request)
    if options.get("network"):
        return True
    if "tape" not in request.fixturenames:
        return False
    mode = _mode(request, options)
    if mode == "auto":
        return not _file(request, options.get("path")).exists()
    return mode != "replay"


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Those of the markers, the nearest first."""
    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("playhead"):
        unknown = [*map(repr, marker.args), *sorted(marker.kwargs.keys() - set(_OPTIONS))]
        if unknown:
            what = ", ".join(unknown)
            raise pytest.UsageError(f"the marker playhead has no option {what}; it has: {', '.join(_OPTIONS)}")
        options = {**marker.kwargs, **options}
    return options


def _file(request: pytest.FixtureRequest, path: str | None) -> Path:
    here: Path = request.node.path
    if path is not None:
        return here.parent / path
    folder = here.parent / str(request.config.getini("playhead_tapes")) / here.stem
    classes = (node.name for node in request.node.listchain() if isinstance(node, pytest.Class))
    return folder / (_file_name([*classes, request.node.name]) + str(request.config.getini("playhead_ending")))


def _file_name(parts: list[str]) -> str:
    """A name for the tape of a test, from its own and its classes' names: another one for each test, also where files
    are told apart by no more than their letters, in whatever case."""
    name = ".".join(parts)
    cleaned = re.sub(r"[^\w.,=+-]+", "_", name).strip("_")
    simple = cleaned == name.lower() and not any("." in part for part in parts)
    if simple and len(cleaned.encode()) <= _LONGEST_NAME:
        return cleaned
    mark = hashlib.sha256("::".join(parts).encode()).hexdigest()[:8]
    return cleaned.encode()[: _LONGEST_NAME - len(mark) - 1].decode(errors="ignore") + f"-{mark}"


def _set_aside(file: Path) -> None:
    """Make of a new tape what an interrupted recording leaves: a test that never passed goes on with it."""
    from .tape.files import load_tape, put_in_place
    from .tape.formats import is_native, native

    if not file.exists():
        return
    journal = file.with_name(f"{file.name}.part")
    if is_native(file):
        file.replace(journal)
    else:
        put_in_place(native.dump(load_tape(file)), journal)
        file.unlink()


def _told(opened: OpenTape) -> str:
    lines = [f"tape {opened.name}, mode {opened.mode}"]
    lines += [str(error) for error in dict.fromkeys(opened.divergences)]
    lines += opened.drifts
    return "\n".join(lines)


def _unplayed(opened: OpenTape) -> list[str]:
    return [_line(effect) for effect in opened.unplayed()]


def _line(effect: Effect) -> str:
    from .tape.effects import Interaction, Reading
    from .tape.redact import safe_url

    if isinstance(effect, Interaction):
        return f"{effect.request.method} {safe_url(effect.request.url)} in lane {effect.lane}"
    if isinstance(effect, Reading):
        return f"the reading {effect.name!r} in lane {effect.lane}"
    return f"{effect.name}({effect.arguments}) in lane {effect.lane}"
