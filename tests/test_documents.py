"""The documents: what they show is run, what they point to is there, and what they say of the data is true."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import chatwire
import playhead as ph
from playhead.agent import outlets
from playhead.cli import main
from playhead.cli._arguments import parser
from playhead.http import Request, Response
from playhead.serve.demo import answer
from playhead.tape.formats import govcr, native
from playhead.transcript import summary
from playhead.transport.memory import MemoryTransport, respond
from playhead.wire import openai_chat, wire_for_path

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
EXAMPLE_PRINTS: dict[str, tuple[str, ...]] = {
    "sum_agent": ("The function results are 5 and 6.", "2 steps, 351 tokens in, 58 out"),
    "stream_events": ("multiply gave '6', from the tape",),
    "own_provider": ("5", "tokens came from the server's cache"),
    "typed_output": (
        "{'name': 'Green soup', 'minutes': 15}",
        "`minutes`: expected an integer",
        "Green soup: 15 minutes",
    ),
    "steering": ("You plan trips for Ana. Today is", "step 1, planner-small: book", "stopped: tool book was called"),
    "tools_in_full": ("download: day 3 of 3, 100%", "did not end within 0.2 s", "Recife: warm and dry", "chart.png"),
    "background_work": (
        "The build is still under way",
        "user: Result of build",
        "assistant: The build of main is done",
    ),
    "limits_and_money": ("of $0.0005 are used up. The next call was not made", "3 attempts", "7 messages"),
    "retry_and_fallback": (
        "[rate_limit of compat:busy",
        "does not count",
        "High water is at 6:12",
        "at least $0.0000",
    ),
    "cancel": (" [cancelled]", "['user', 'assistant']", "A keeper counted ships"),
    "approvals": (
        "The run ends: approval",
        "root/1.delete: delete",
        "old.log is deleted",
        "not approved: I still need it",
    ),
    "agents_as_tools": ("The Nile is more than twice as long", "root/1.researcher: 1 calls"),
    "handoff": ("[front desk hands on to billing]", "billing: Your last invoice is number 1017"),
    "fan_out": ("root/0: The Nile", "root/1: The Danube", "root/2: The Amazon"),
    "session": (
        "[taken back: No flight before ten, please]",
        "the tape knows: ['Hello, I am Ana'",
        "'Where do I go?']",
    ),
    "compaction": ("[7 messages are now 4: Ana plans", "To Recife, for three days"),
    "mcp_tools": ('shop_price{"item":"tea","grams":250} -> 7.5', "We have 12 bags of tea"),
    "observability": ("compat:watched was asked, on the tape", "spans: chat watched, execute_tool look_up"),
}
"""What every example says, besides other things."""
EXAMPLE_TESTS = {"test_with_tape": "2 passed", "test_with_script": "4 passed"}
EXAMPLE_SERVERS = {"stand_in", "shop_server"}
TAPES = sorted((EXAMPLES / "tapes").glob("*.jsonl"))
KEYS = (
    *("OPENROUTER_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "LOCAL_API_KEY"),
    *("PLAYHEAD_COMPAT_API_KEY", "GOOGLE_CLOUD_PROJECT"),
)

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    Attributes:
        line: where its text begins, from 1.
        language: what stands behind the fence.
        skipped: why it is not run, where the comment before it says so.
    """

    document: Path
    line: int
    language: str
    text: str
    skipped: str

    @property
    def place(self) -> str:
        return f"{self.document.name}:{self.line}"


_FENCED = re.compile(r"(?:<!-- not run: (.+?) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [
        Block(document, text.count("\n", 0, found.start(3)) + 1, found[2], found[3], found[1] or "")
        for found in _FENCED.finditer(text)
    ]


def prose(document: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCED.sub("", document.read_text(encoding="utf-8"))


async def stand_in(request: Request) -> Response:
    """What answers in place of all providers: the demo's recording, and a word to whoever has none of its tools."""
    path = urlsplit(request.url).path
    wire = wire_for_path(path)
    assert wire is not None
    asked = wire.decode_request(request.body, path, None)
    if {"add", "multiply"} <= {tool.name for tool in asked.tools}:
        return await answer(request, None)
    events = openai_chat.Decoder(None)
    said = events.feed(json.dumps(chatwire.message("Olá!")).encode()) + events.close()
    encoder = wire.Encoder(asked.stream)
    return respond(200, b"".join(encoder.send(event) for event in said))


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where somebody reads the documents: beside a copy of the examples, with keys, and without a network."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outlets, "_network", lambda *_: MemoryTransport(stand_in))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in KEYS:
        monkeypatch.setenv(name, "not-a-key")
    return tmp_path


@documents
def test_every_python_block_runs_and_prints_what_the_document_says(
    document: Path, reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType(f"{document.stem}_document")  # Dataclasses look for the module that they are in.
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = module.__dict__
    found = blocks(document)
    for n, block in enumerate(found):
        if block.language != "python":
            continue
        # Line feeds before the text make the lines of a traceback those of the document.
        code = compile("\n" * (block.line - 1) + block.text, str(document), "exec")
        if block.skipped:
            continue
        before = set(names)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
            for name in sorted(set(names) - before):
                if name.startswith("test_"):
                    names[name]()
        if found[n + 1 :] and (following := found[n + 1]).language == "text":
            assert printed.getvalue() == following.text, following.place


@documents
def test_every_command_of_a_console_block_prints_what_the_document_says(document: Path, reader: Path) -> None:
    for block in blocks(document):
        if block.language != "console" or block.skipped:
            continue
        code = 0
        for command, expected in commands(block):
            if command == "echo $?":
                printed = f"{code}\n"
            else:
                program, *arguments = shlex.split(command)
                assert program == "playhead", f"{block.place}: only playhead is run; mark the block as not run"
                code, printed = run(arguments)
            assert without_times(printed) == without_times(expected), f"{block.place}: {command}"


def commands(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a console block, and what each is said to print."""
    for piece in block.text.removeprefix("$ ").split("\n$ "):
        command, _, expected = piece.partition("\n")
        yield command, expected if expected.endswith("\n") or not expected else f"{expected}\n"


def run(arguments: list[str]) -> tuple[int, str]:
    """The exit code of a command, and what a terminal shows of it."""
    printed = io.StringIO()
    sys.modules.pop("sum_agent", None)
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = main(arguments)
        except SystemExit as stop:
            code = int(stop.code or 0)
    return code, printed.getvalue()


def without_times(text: str) -> str:
    """Times are another's on another machine."""
    return re.sub(r"\b[\d.]+ m?s\b", "T", text)


@pytest.mark.parametrize("name", EXAMPLE_PRINTS)
def test_every_example_runs_offline_and_leaves_its_tape_as_it_is(name: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    done = example(tmp_path, "-c", OFFLINE.format(name=name))
    assert done.returncode == 0, done.stderr
    assert not [text for text in EXAMPLE_PRINTS[name] if text not in done.stdout], done.stdout
    assert done.stderr == ""
    left = {path.name: path.read_bytes() for path in (tmp_path / "examples" / "tapes").iterdir()}
    assert left == {path.name: path.read_bytes() for path in (EXAMPLES / "tapes").iterdir()}


def test_an_example_is_recorded_anew_where_its_tape_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For real: over sockets, against the stand-in's server."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    shipped = example(tmp_path, "handoff.py").stdout
    tape = tmp_path / "examples" / "tapes" / "handoff.jsonl"
    tape.unlink()
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    server = importlib.import_module("stand_in").server()
    try:
        server.__enter__()
    except OSError:
        pytest.skip("somebody else listens at the stand-in's address")
    try:
        done = example(tmp_path, "handoff.py")
    finally:
        server.__exit__()
    assert (done.returncode, done.stdout) == (0, shipped), done.stderr
    assert len(ph.load_tape(tape).interactions) == 3


@pytest.mark.parametrize("name", EXAMPLE_TESTS)
def test_the_examples_own_tests_pass(name: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    done = example(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{name}.py")
    assert done.returncode == 0, done.stdout
    assert EXAMPLE_TESTS[name] in done.stdout


def test_no_example_is_forgotten() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*EXAMPLE_PRINTS, *EXAMPLE_TESTS, *EXAMPLE_SERVERS}
    named = "".join((ROOT / path).read_text(encoding="utf-8") for path in ("README.md", "docs/agents.md"))
    assert all(f"examples/{path.name})" in named for path in EXAMPLES.glob("*.py"))
    played = {path.stem.removesuffix("_waiting") for path in TAPES}
    assert played - {"sum"} == {*EXAMPLE_PRINTS} - {"sum_agent", "stream_events"}


@pytest.mark.parametrize("tape", TAPES, ids=lambda path: path.stem)
def test_every_tape_of_the_examples_can_be_shown_played_and_verified(tape: Path) -> None:
    for command in (["verify", str(tape)], ["show", str(tape)], ["replay", str(tape), "--pace", "instant"]):
        code, printed = run(command)
        assert code == 0, printed


@pytest.mark.parametrize("tape", TAPES, ids=lambda path: path.stem)
def test_every_tape_of_the_examples_says_who_answered(tape: Path) -> None:
    for call in ph.load_tape(tape).interactions:
        said = dict(call.headers)["playhead-recorded"]
        # A real small model, or the script.
        assert "Qwen2.5-Coder-0.5B-Instruct" in said or "no model: answers from a script" in said


OFFLINE = """\
import runpy, sys
import playhead as ph
with ph.block_network(loopback=sys.platform == "win32"):  # There, asyncio's own pipes are connections.
    runpy.run_path("{name}.py", run_name="__main__")
"""


def example(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy of the examples, with no key, and with a proxy that nobody listens at for a network."""
    environment = {name: value for name, value in os.environ.items() if name not in KEYS}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
    environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
    environment |= {"NO_PROXY": "127.0.0.1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder / "examples",
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_the_pages_made_from_data_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("docs_build", ROOT / "docs" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    for path, text in build.PAGES.items():
        assert path.read_text(encoding="utf-8") == text(), f"{path.name} is not up to date: run `make docs`"


def test_the_example_of_the_tape_format_is_a_tape_and_says_the_same_in_both_formats() -> None:
    shown = {block.language: block.text.encode() for block in blocks(ROOT / "docs" / "tape-format.md")}
    tape = native.load(shown["jsonl"], "tape-format.md")
    assert tape.warnings == ()
    assert native.dump(tape).splitlines()[0] == shown["jsonl"].splitlines()[0]
    assert {effect.ended for effect in tape.effects} == {"complete"}
    cassette = govcr.FORMAT.load(shown["yaml"], "tape-format.md")
    assert cassette.warnings == ()
    assert cassette == ph.Tape(tape.effects[:2], tape.meta)


def test_the_contract_of_show_json_names_every_field_and_no_other() -> None:
    tape = ph.load_tape(EXAMPLES / "tapes" / "sum.jsonl")
    failed = ph.Interaction(request=Request("POST", "http://x.test/v1/chat/completions", (), b"{}"), ended="failed")
    read = ph.Reading(lane="root", name="clock", value=1.5)
    shown = summary(ph.Tape((*tape.effects, failed, read), tape.meta))
    page = (ROOT / "docs" / "show-json.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\| `([\w.\[\]]+)` \| (?:string|integer|number|boolean|object|array|any) \|", page, re.MULTILINE
    )
    assert set(fields(shown)) == set(rows)


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The paths of all fields, down to what is the provider's or the model's own."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item, f"{path}[]")
    elif isinstance(value, dict) and not path.endswith(("raw", "arguments")):
        for name, item in value.items():
            here = f"{path}.{name}" if path else name
            yield here
            yield from fields(item, here)


def test_the_page_of_the_command_line_has_every_command_and_option() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    (commands,) = (it for it in parser()._actions if isinstance(it, argparse._SubParsersAction))
    for name, command in commands.choices.items():
        assert f"\n## {name}\n" in page
        assert f"playhead {name}" in page
        for option in command._actions:
            if option.help != argparse.SUPPRESS:
                assert all(text in page for text in option.option_strings if text.startswith("--")), option


@documents
def test_every_link_inside_the_repository_leads_somewhere(document: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", prose(document)):
        file = document.parent / target if target else document
        assert file.exists(), f"{document.name} points to {target}, which is not there"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", prose(file), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings]


@pytest.mark.parametrize(
    "path", [*DOCUMENTS, *EXAMPLES.glob("*.py"), *EXAMPLES.rglob("*.jsonl")], ids=lambda path: path.name
)
def test_no_document_holds_a_path_of_a_machine_or_a_key(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(home|Users|tmp|work|root|var|opt|usr|mnt|private)/", text)
    assert not re.search(r"[A-Z]:\\", text)
    assert not re.search(r"\bsk-[A-Za-z0-9-]{8}|Bearer [A-Za-z0-9]", text)


def test_the_changelog_has_this_version() -> None:
    assert f"## [{ph.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
