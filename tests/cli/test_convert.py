"""`playhead convert`: what it says of what other programs will not find in the new file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import playhead as ph
from playhead.cli import main
from playhead.http import Request
from playhead.tape.effects import Interaction, Tape, ToolRun
from playhead.tape.files import load_tape, save_tape

REQUEST = Request("POST", "http://a.example/v1", (("Accept", "*/*"), ("Content-Type", "text/plain")), b"hi")
WHOLE = Interaction(request=REQUEST, status=200, reason="OK", chunks=(b"hello",), head_s=0.25)
STREAMED = Interaction(
    request=REQUEST, lane="root/0.ask", status=200, chunks=(b"a", b"b"), times=(0.1, 0.2), started_s=1.0
)
FAILED = Interaction(request=REQUEST, ended="failed", error={"kind": "connect", "message": "refused"})
TOOL = ToolRun(lane="root/0.add", call_id="c", name="add", result="3")


def said(capsys: pytest.CaptureFixture[str], tape: Tape, target: Path, *options: str) -> str:
    """What converting says on standard error, once it is sure that nothing is lost for Playhead."""
    source = target.with_name("source.jsonl")
    save_tape(tape, source)
    assert main(["convert", str(source), str(target), "--force", *options]) == 0
    assert load_tape(target) == load_tape(source)
    return capsys.readouterr().err


def test_what_a_format_has_fields_for_is_not_worth_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, Tape((WHOLE,)), tmp_path / "t.yaml") == ""


CALLS = "1 interaction without an answer, how 1 interaction ended, "
PIECES = "the pieces of 2 bodies, when the pieces of 2 bodies came, "
REST = "the lane of 2 interactions, facts about the tape (id)"


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("t.yaml", f"2 tool runs, {CALLS}{PIECES}the times of 2 interactions, {REST}"),
        ("t.json", f"2 tool runs, {CALLS}{PIECES}the times of 3 interactions, {REST}"),
        ("t.har", f"2 tool runs, {PIECES}the times of 4 interactions, {REST}"),
    ],
)
def test_what_only_playhead_will_find_is_counted_in_one_line(
    target: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tape = Tape((TOOL, WHOLE, STREAMED, FAILED, STREAMED, TOOL), {"id": "t1"})
    expected = f"kept under keys of Playhead's own, which other programs skip: {says}\n"
    assert said(capsys, tape, tmp_path / target) == expected


def test_what_a_file_cannot_hold_is_called_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers with gaps, as forks have them, count from 0 again."""
    tape = Tape((WHOLE, WHOLE), numbers=(0, 2))
    assert said(capsys, tape, tmp_path / "t.yaml") == "lost, since go-vcr cannot hold it: the tape's numbers\n"
    assert said(capsys, tape, tmp_path / "t.jsonl") == ""


def test_a_tape_that_a_format_cannot_hold_at_all_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = tmp_path / "t.jsonl", tmp_path / "t.json"
    save_tape(Tape((Interaction(request=REQUEST, status=200, chunks=(b"\xff",)),)), source)
    assert main(["convert", str(source), str(target)]) == 1
    assert "a cassette in JSON cannot hold a body that is not text" in capsys.readouterr().err
    assert not target.exists()


KEY = "sk-proj-" + "aB3xY7kQ9mZ2" * 4
HEADERS = (("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"))
LEAKY = Tape(
    (
        Interaction(
            request=Request(
                "POST", "http://a.example/v1?key=f0a1b2c3d4e5f607182", HEADERS, f'{{"k":"{KEY}"}}'.encode()
            ),
            status=200,
            headers=(("Content-Type", "text/plain"),),
            chunks=(b"it is ", KEY[:20].encode(), KEY[20:].encode() + b", ", b"you know"),
            times=(0.1, 0.2, 0.3, 0.4),
            foreign={"note": KEY},
        ),
        ToolRun(lane="root/0.tell", call_id="c", name="tell", arguments=f'"{KEY}"', result=f"told {KEY}"),
        WHOLE,
    )
)


@pytest.mark.parametrize("target", ["t.jsonl", "t.yaml", "t.har"])
def test_secrets_are_taken_out_and_counted(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, new = tmp_path / "source.jsonl", tmp_path / target
    save_tape(LEAKY, source)
    assert main(["convert", str(source), str(new)]) == 0
    err = capsys.readouterr().err
    assert "left out, since they may hold secrets, the headers: Authorization\n" in err
    taken = "taken out, as secrets: an OpenAI key (5 times), a parameter that is named like a key (key)\n"
    assert taken in err
    assert KEY[10:] not in err + new.read_text()
    assert main(["verify", str(new)]) == 0
    call, run, other = load_tape(new).effects
    assert isinstance(call, Interaction)
    assert isinstance(run, ToolRun)
    assert call.body == b"it is REDACTED, you know"
    assert call.times is not None
    assert len(call.times) == len(call.chunks) > 1
    assert (run.arguments, run.result, other) == ('"REDACTED"', "told REDACTED", WHOLE)


def test_the_cookies_of_a_browser_are_taken_out_with_their_headers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, new = tmp_path / "a.har", tmp_path / "b.har"
    save_tape(Tape((WHOLE,)), source)
    log = json.loads(source.read_bytes())
    cookies = [{"name": "sid", "value": "s3cret"}]
    log["log"]["entries"][0]["request"] |= {"cookies": cookies}
    log["log"]["entries"][0]["response"] |= {
        "cookies": cookies,
        "headers": [{"name": "Set-Cookie", "value": "s3cret"}],
    }
    source.write_text(json.dumps(log))
    assert main(["convert", str(source), str(new)]) == 0
    assert "Set-Cookie" in capsys.readouterr().err
    assert b"s3cret" not in new.read_bytes()


def test_secrets_are_kept_where_somebody_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, new = tmp_path / "a.jsonl", tmp_path / "b.yaml"
    save_tape(LEAKY, source)
    assert main(["convert", str(source), str(new), "--keep-secrets"]) == 0
    says = f"warning: nothing was taken out: what {source} holds of secrets, {new} holds, too"
    assert says in (err := capsys.readouterr().err)
    assert "taken out, as" not in err
    assert load_tape(new) == LEAKY


def test_a_tape_becomes_a_cassette_of_go_vcrs_version_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tape, target = Tape((TOOL, WHOLE)), tmp_path / "t.yaml"
    says = said(capsys, tape, target, "--to", "go-vcr-v1")
    assert says == "kept under keys of Playhead's own, which other programs skip: 1 tool run\n"
    assert target.read_bytes().startswith(b"---\nversion: 1\n")
    again = ph.load_tape(target)
    assert (again.format, again.version) == ("go-vcr-v1", 1)
