"""`playhead serve` and `playhead record` as processes: what they print, what they answer, and how they end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

import chatwire
import playhead as ph
from playhead.cli import main
from playhead.http import Request, Response
from playhead.serve.http import ThreadedServer
from playhead.tape.effects import Interaction, Tape
from playhead.tape.writer import lock
from playhead.transport.memory import respond

ASKED = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAMED = {**ASKED, "stream": True}
KEY = "sk-or-v1-" + "0123456789abcdef" * 4
NO_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Running:
    """A command that serves.

    Args:
        most: bytes that a file may have that it writes.

    Attributes:
        url: where it can be reached.
        out: what it printed by now.
    """

    def __init__(self, *argv: str, folder: Path, most: int | None = None) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "error", "NO_PROXY": "*"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "playhead", *argv, "--port", "0"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=None if most is None else lambda: _no_file_longer_than(most),
        )
        self.out = ""
        self.url = self._until(r"(http://127\.0\.0\.1:\d+)(?!.*->)", "Ctrl-C")

    def _until(self, pattern: str, last: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.out += line
            if last in line:
                break
        found = re.findall(pattern, self.out)
        if not found:
            self.process.kill()
            raise AssertionError(self.out + "".join(self.process.communicate(timeout=20)))
        return found[-1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal: the exit code, and all that was printed."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, self.out + out, err


def _no_file_longer_than(most: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def running(*argv: str, folder: Path, most: int | None = None) -> Generator[Running]:
    made = Running(*argv, folder=folder, most=most)
    with made.process:
        try:
            yield made
        finally:
            if made.process.poll() is None:
                made.process.kill()


def ask(url: str, body: Any = ASKED, path: str = "/v1/chat/completions") -> tuple[int, bytes]:
    headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    try:
        with NO_PROXIES.open(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def provider(request: Request) -> Response:
    """A provider that answers chat completions."""
    asked = json.loads(request.body)
    if asked.get("stream"):
        return respond(200, chatwire.stream("it is three"), chatwire.SSE)
    return respond(200, json.dumps(chatwire.message("hello")).encode(), chatwire.JSON)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A tape with two interactions."""
    calls = [
        Interaction(
            request=Request("POST", "https://api.test/v1/chat/completions", (), json.dumps(body).encode()),
            status=200,
            headers=headers,
            chunks=chunks,
        )
        for body, headers, chunks in (
            (ASKED, chatwire.JSON, (json.dumps(chatwire.message("hello")).encode(),)),
            (STREAMED, chatwire.SSE, tuple(chatwire.stream("it is three"))),
        )
    ]
    path = tmp_path / "run.jsonl"
    ph.save_tape(Tape(tuple(calls)), path)
    return path


def without_times(text: str) -> str:
    return re.sub(r"\b[\d.]+ m?s\b", "T", text)


def test_serve_prints_a_line_for_each_request_and_what_was_not_played(tape: Path, tmp_path: Path) -> None:
    with running("serve", tape.name, folder=tmp_path) as it:
        assert json.loads(ask(it.url)[1])["choices"][0]["message"]["content"] == "hello"
        assert ask(it.url, {**ASKED, "model": "n"})[0] == 422
        code, out, err = it.end()
    assert (code, err) == (0, "")
    lines = without_times(out).splitlines()
    assert lines[:3] == [
        f"serving 2 interactions of run.jsonl at {it.url}",
        f"  OPENAI_BASE_URL={it.url}/v1",
        "Any key will do. Ctrl-C ends it.",
    ]
    assert lines[3] == "POST /v1/chat/completions -> 200  run.jsonl#0  T"
    assert lines[4] == "POST /v1/chat/completions -> 422  T  (changed)"
    assert lines[-3:] == [
        "1 interaction not played:",
        "  run.jsonl#1 POST https://api.test/v1/chat/completions",
        "1 request not on the tape",
    ]


@pytest.mark.parametrize(("bodies", "code"), [((ASKED, STREAMED), 0), ((ASKED,), 1), ((ASKED, STREAMED, ASKED), 1)])
def test_with_strict_the_exit_code_says_whether_all_was_played_and_nothing_else_asked(
    bodies: tuple[Any, ...], code: int, tape: Path, tmp_path: Path
) -> None:
    with running("serve", tape.name, "--strict", folder=tmp_path) as it:
        for body in bodies:
            ask(it.url, body)
        assert it.end(signal.SIGINT)[0] == code


def test_serve_has_faults_repeat_and_drift(tape: Path, tmp_path: Path) -> None:
    with running("serve", str(tmp_path), "--fault", "503@call=1", "--repeat", "--drift", folder=tmp_path) as it:
        statuses = [ask(it.url)[0], ask(it.url)[0], ask(it.url)[0], ask(it.url, {**STREAMED, "model": "n"})[0]]
        assert statuses == [503, 200, 200, 200]
        code, out, _ = it.end()
    assert code == 0
    assert "-> 503  T  (fault: 503)" in without_times(out)
    assert "(drift: model: " in out
    assert "every interaction was played" in out


def test_what_record_recorded_serve_serves(tmp_path: Path) -> None:
    with ThreadedServer(provider) as real, running("record", "--to", f"{real.url}/api/v1", folder=tmp_path) as it:
        assert f"OPENAI_BASE_URL={it.url}/api/v1" in it.out
        heard = [ask(it.url), ask(it.url, STREAMED)]
        code, out, err = it.end()
    assert (code, err) == (0, "")
    (tape,) = tmp_path.glob("recorded-*Z.jsonl")
    assert re.search(
        r"POST /api/v1/chat/completions -> 200  m  10 tokens in, 5 out  \$0.001  T\n", without_times(out)
    )
    assert without_times(out).splitlines()[-3:] == [
        f"{tape.name}: 2 interactions",
        "2 requests sent, 20 tokens in, 10 out, $0.002",
        f"To serve it: playhead serve {tape.name}",
    ]
    assert KEY.encode() not in tape.read_bytes()
    assert [call.ended for call in ph.load_tape(tape).interactions] == ["complete", "complete"]
    with running("serve", tape.name, "--strict", folder=tmp_path) as it:
        assert [ask(it.url), ask(it.url, STREAMED)] == heard
        assert it.end()[0] == 0


def test_a_signal_in_the_middle_of_an_answer_leaves_what_came(tmp_path: Path) -> None:
    import asyncio

    async def endless(request: Request) -> Response:
        async def pieces() -> Any:
            yield b"first"
            await asyncio.Event().wait()

        return Response(200, (("Content-Type", "text/plain"),), pieces())

    with (
        ThreadedServer(endless) as real,
        running("record", "--to", real.url, "--tape", "t.yaml", folder=tmp_path) as it,
    ):
        host, port = it.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"first" not in received:
                received += client.recv(65536)
            code, _, err = it.end()
            with contextlib.suppress(ConnectionError):
                assert b"0\r\n\r\n" not in client.recv(65536)
    assert (code, err) == (0, "")
    (call,) = ph.load_tape(tmp_path / "t.yaml").interactions
    assert (call.ended, call.body) == ("interrupted", b"first")
    assert not (tmp_path / "t.yaml.part").exists()


def test_record_does_not_replace_a_tape_unless_it_is_told_to(tmp_path: Path) -> None:
    tape = tmp_path / "t.jsonl"
    with ThreadedServer(provider) as real:
        again = ("record", "--to", real.url, "--tape", str(tape))
        for options, bodies, interactions in (
            ((), (ASKED,), 1),
            (("--mode", "resume"), (ASKED, STREAMED), 2),  # The first is played, the second is new.
            (("--force",), (STREAMED,), 1),
        ):
            with running(*again, *options, folder=tmp_path) as it:
                for body in bodies:
                    ask(it.url, body)
                code, out, _ = it.end()
            assert (code, out.count("(from the tape)")) == (0, int("resume" in options))
            recorded = tape.read_bytes()
            assert len(ph.load_tape(tape).interactions) == interactions
            assert main([*again, "--port", "0"]) == 1
            assert tape.read_bytes() == recorded


def test_what_record_was_told_to_replace_stays_where_nothing_was_asked(tape: Path, tmp_path: Path) -> None:
    before = tape.read_bytes()
    with running("record", "--to", "http://127.0.0.1:9", "--tape", tape.name, "--force", folder=tmp_path) as it:
        assert it.end()[1].endswith("nothing was recorded\n")
    assert tape.read_bytes() == before


def error_in(answer: tuple[int, bytes]) -> str:
    return json.loads(answer[1])["error"]["message"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files")
@pytest.mark.parametrize("most", [5000, 5500, 6000, 6500])
def test_what_no_longer_fits_on_the_disk_is_not_sent_and_is_told_to_all(most: int, tmp_path: Path) -> None:
    sent: list[Request] = []

    async def counted(request: Request) -> Response:
        sent.append(request)
        return await provider(request)

    with (
        ThreadedServer(counted) as real,
        running("record", "--to", real.url, "--tape", "t.jsonl", folder=tmp_path, most=most) as it,
    ):
        answers = []
        for n in range(12):
            with contextlib.suppress(
                OSError, HTTPException
            ):  # It is cut where the tape ends in the middle of an answer.
                answers.append(ask(it.url, {**ASKED, "user": f"number {n}"}))
        code, out, err = it.end()
    assert code == 1
    refused = [answer for answer in answers if answer[0] != 200]
    assert error_in(refused[-1]) == "the tape cannot be written: File too large. Nothing was sent to the provider."
    on_the_tape = ph.load_tape(tmp_path / "t.jsonl").interactions
    whole = [call for call in on_the_tape if call.ended == "complete"]
    assert [answer[1] for answer in answers if answer[0] == 200] == [call.body for call in whole]
    assert len(sent) <= len(whole) + 1  # The one in whose answer the tape ended.
    summary = without_times(out).splitlines()[-4:]
    assert summary[0] == f"t.jsonl: {len(on_the_tape)} interaction{'s' * (len(on_the_tape) != 1)}"
    assert summary[1] == f"{12 - len(whole)} requests not recorded"
    assert summary[2].startswith(f"{len(sent)} request{'s' * (len(sent) != 1)} sent")
    assert "(500: tape 't.jsonl' cannot be written: File too large." in out
    assert re.fullmatch(r"(warning: t\.jsonl: .*\n)*", err)


def test_a_tape_that_cannot_be_written_any_more_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with ThreadedServer(provider) as real:
        with running("record", "--to", real.url, "--tape", "folder/t.jsonl", folder=tmp_path) as it:
            folder.rmdir()
            status, body = ask(it.url)
            code, out, err = it.end()
        connections = real.connections
    assert (code, status, connections, err) == (1, 500, 0, "")
    assert error_in((status, body)).startswith(
        "the tape cannot be written: No such file or directory. Nothing was sent"
    )
    assert "folder" not in body.decode()
    assert out.splitlines()[-2:] == ["nothing was recorded", "1 request not recorded"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no limit on the size of files")
def test_a_tape_is_not_replaced_by_a_recording_that_lacks_something(tape: Path, tmp_path: Path) -> None:
    before = tape.read_bytes()
    with (
        ThreadedServer(provider) as real,
        running("record", "--to", real.url, "--tape", tape.name, "--force", folder=tmp_path, most=6000) as it,
    ):
        for n in range(12):
            with contextlib.suppress(OSError, HTTPException):
                ask(it.url, {**ASKED, "user": f"number {n}"})
        code, out, _ = it.end()
    assert code == 1
    assert "Tape 'run.jsonl' is as it was; the new recording stands in 'run.jsonl.part'" in out
    assert "To serve it" not in out
    assert tape.read_bytes() == before


def test_a_change_of_protocol_is_not_counted_as_sent_and_the_tape_lacks_it(tmp_path: Path) -> None:
    with running("record", "--to", "http://127.0.0.1:9", "--tape", "t.jsonl", folder=tmp_path) as it:
        request = urllib.request.Request(f"{it.url}/v1/realtime", headers={"Upgrade": "websocket"})
        with pytest.raises(urllib.error.HTTPError, match="501") as caught:
            NO_PROXIES.open(request, timeout=10)
        caught.value.close()
        code, out, _ = it.end()
    assert code == 1
    assert out.splitlines()[-2:] == ["nothing was recorded", "1 request not recorded"]
    assert list(tmp_path.iterdir()) == []


def test_a_provider_that_is_not_there_is_on_the_tape_and_to_is_what_to_check(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with running("record", "--to", f"http://127.0.0.1:{port}", "--tape", "t.jsonl", folder=tmp_path) as it:
        status, body = ask(it.url)
        code, out, _ = it.end()
    assert (code, status) == (0, 502)
    for said in (body.decode(), out):
        assert "Check --to and the network." in said
        assert "base_url" not in said
    assert without_times(out).splitlines()[-3:] == [
        "t.jsonl: 1 interaction",
        "0 requests sent",
        "To serve it: playhead serve t.jsonl",
    ]


@pytest.mark.parametrize("name", ["none/t.jsonl", "run.jsonl/t.jsonl", "pipe"])
def test_a_tape_that_cannot_be_written_is_told_before_anything_is_asked(
    name: str, tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if name == "pipe":
        name = "pipe.jsonl"
        os.mkfifo(name)
    before = sorted(tmp_path.rglob("*"))
    assert main(["record", "--to", "http://127.0.0.1:9", "--tape", name, "--port", "0"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert name in said.err
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="nothing is closed to the superuser")
@pytest.mark.parametrize("options", [(), ("--force",), ("--mode", "resume")])
def test_a_tape_or_folder_that_is_read_only_is_told_before_anything_is_asked(
    options: tuple[str, ...], tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tape if options else tmp_path / "new.jsonl"
    tape.chmod(0o444)
    tmp_path.chmod(0o555)
    try:
        assert main(["record", "--to", "http://127.0.0.1:9", "--tape", str(path), "--port", "0", *options]) == 1
    finally:
        tmp_path.chmod(0o755)
    assert "cannot be written: Permission denied" in capsys.readouterr().err


def test_a_tape_that_somebody_else_writes_is_told_before_anything_is_asked(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = ["record", "--to", "http://127.0.0.1:9", "--tape", str(tape), "--port", "0", "--mode", "resume"]
    with tape.open("ab") as held:
        lock(held.fileno(), tape)
        assert main(again) == 1
    assert "is being written by another run" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--port", "99999"), "--port is a number from 0 to 65535 (0 takes a free one), not 99999"),
        (("--port", "-1"), "--port is a number from 0 to 65535 (0 takes a free one), not -1"),
        (
            ("--host", "300.1.1.1"),
            "--host is an address or a name of this machine, such as 127.0.0.1 or localhost, not '300.1.1.1': ",
        ),
        (
            ("--host", "a" * 70),
            f"--host is an address or a name of this machine, such as 127.0.0.1 or localhost, not '{'a' * 70}': ",
        ),
    ],
)
def test_what_is_no_address_to_listen_on_is_told(
    options: tuple[str, ...], expected: str, tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", str(tape), "--port", "0", *options]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"playhead: {expected}")
    assert "Unknown error" not in said
    assert ".." not in said


def test_a_port_that_is_taken_is_told(tape: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", str(tape), "--port", str(taken.getsockname()[1])]) == 1
    assert "--port" in capsys.readouterr().err


def test_an_address_that_others_reach_is_warned_of(tape: Path, tmp_path: Path) -> None:
    with running("serve", tape.name, "--host", "0.0.0.0", folder=tmp_path) as it:
        assert ask(it.url)[0] == 200
        _, _, err = it.end()
    assert "reached by others" in err


def test_a_fault_that_is_none_is_told_before_anything_is_served(
    tape: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["serve", str(tape), "--fault", "nonsense"])
    assert "'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "argv",
    [
        ["serve", "none.jsonl"],
        ["record", "--to", "nowhere"],
        ["record", "--to", "https://api.test/v1?key=1", "--tape", "t.jsonl"],
    ],
)
def test_what_cannot_be_served_is_told_before_anything_is(
    argv: list[str], tape: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(tape) if part == "RUN" else part for part in argv]) == 1
    assert capsys.readouterr().err.startswith("playhead: ")
    assert [path.name for path in tmp_path.iterdir()] == ["run.jsonl"]
