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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import chatwire
import playhead as ph
from playhead.agent import agent as agent_module
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
SCRIPTS = ("sum_agent", "stream_events", "own_provider")
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
    monkeypatch.setattr(agent_module, "_network", lambda _: MemoryTransport(stand_in))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in KEYS:
        monkeypatch.setenv(name, "not-a-key")
    return tmp_path


@documents
def test_every_python_block_runs_and_prints_what_the_document_says(document: Path, reader: Path) -> None:
    names: dict[str, Any] = {"__name__": document.stem}
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


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_example_runs_offline_and_leaves_its_tape_as_it_is(name: str, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    done = example(tmp_path, f"{name}.py")
    assert done.returncode == 0, done.stderr
    assert "5" in done.stdout
    assert done.stderr == ""
    for tape in (EXAMPLES / "tapes").iterdir():
        assert (tmp_path / "examples" / "tapes" / tape.name).read_bytes() == tape.read_bytes()


def test_the_examples_own_test_passes(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    done = example(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_with_tape.py")
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout


def test_no_example_is_forgotten() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*SCRIPTS, "test_with_tape"}
    named = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"(examples/{path.name})" in named for path in EXAMPLES.glob("*.py"))


def example(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a copy of the examples, with no key, and with a proxy that nobody listens at for a network."""
    environment = {name: value for name, value in os.environ.items() if name not in KEYS}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
    environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
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
    shown = summary(ph.Tape((*tape.effects, failed), tape.meta))
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
