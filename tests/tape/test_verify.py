"""`verify` finds a planted secret wherever it stands on a tape, and says what of a tape is not as it was recorded."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conftest import SHARED
from playhead import Interaction, Tape, TapeNotFound, ToolRun, load_tape
from playhead.http import Request
from playhead.tape.files import save_tape
from playhead.tape.secrets import Redaction
from playhead.tape.verify import Report, verify

KEY = "sk-or" + "-v1-" + "0f1e2d3c" * 8
PEM = "-----BEGIN PRIVATE " + "KEY-----\n" + "aB3xY7kQ9mZ2pL5t\n" * 4 + "-----END PRIVATE KEY-----\n"
EXAMPLE = Path(__file__).parents[2] / "examples" / "tapes" / "sum.jsonl"
JSON = ("Content-Type", "application/json")
SHAPES = Redaction(env=False)
FOUND = "an OpenRouter key (sk-o...)"

CALL = Interaction(
    request=Request("POST", "https://x.test/v1", (JSON,), b'{"a": 1}'), status=200, headers=(JSON,), chunks=(b"{}",)
)
RUN = ToolRun(lane="root/0.read", call_id="c1", name="read", arguments="{}", result="done")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def said(tmp_path: Path, tape: Tape, name: str = "t.jsonl") -> list[str]:
    save_tape(tape, tmp_path / name)
    return [str(problem) for problem in look(tmp_path / name).problems]


def look(path: Path) -> Report:
    return verify(path, redaction=SHAPES)


def call(**changes: Any) -> Interaction:
    return msgspec.structs.replace(CALL, **changes)


def request(url: str = CALL.request.url, *headers: tuple[str, str], body: bytes = b"") -> Request:
    return Request("POST", url, headers, body)


PLANTED: dict[str, tuple[Any, str]] = {
    "request body": (
        call(request=request(body=b'{"k": "' + KEY.encode())),
        f"effect 0, request body, byte 7: {FOUND}",
    ),
    "response body": (
        call(chunks=(b'{"k": "' + KEY[:9].encode(), KEY[9:].encode())),
        f"effect 0, response body, byte 7: {FOUND}",
    ),
    "URL": (call(request=request(f"https://x.test/{KEY}")), f"effect 0, URL, byte 15: {FOUND}"),
    "parameter": (
        call(request=request("https://x.test/?a=b&api_key=hunter2")),
        "effect 0, URL: a parameter that is named like a key (api_key)",
    ),
    "user": (call(request=request("https://me:hunter2@x.test/")), "effect 0, URL: a user or a password"),
    "header": (
        call(request=request("https://x.test/", ("x-api-key", "hunter2"))),
        "effect 0, request header x-api-key: a header that holds a secret",
    ),
    "cookie": (
        call(headers=(JSON, ("Set-Cookie", "sid=1a2b3c; HttpOnly"))),
        "effect 0, response header Set-Cookie: a header that holds a secret",
    ),
    "bearer": (
        call(request=request("https://x.test/", ("Authorization", f"Bearer {KEY}"))),
        f"effect 0, request header Authorization, byte 7: {FOUND}",
    ),
    "error": (call(ended="failed", error={"kind": "connect", "message": KEY}), f"effect 0, error, byte 29: {FOUND}"),
    "arguments": (msgspec.structs.replace(RUN, arguments=KEY), f"effect 0, arguments of read, byte 0: {FOUND}"),
    "result": (msgspec.structs.replace(RUN, result=f"a\n{KEY}"), f"effect 0, result of read, byte 2: {FOUND}"),
    "private key": (msgspec.structs.replace(RUN, result=PEM), "effect 0, result of read, byte 0: a private key"),
    "media": (
        msgspec.structs.replace(RUN, media=({"text": KEY},)),
        f"effect 0, text of the media of read, byte 0: {FOUND}",
    ),
    "name in media": (msgspec.structs.replace(RUN, media=({KEY: 1},)), f"effect 0, media of read, byte 0: {FOUND}"),
    "URL of media": (
        msgspec.structs.replace(
            RUN, media=({"media_type": "image/png", "url": "https://x.test/?api_token=hunter2"},)
        ),
        "effect 0, url of the media of read: a parameter that is named like a key (api_token)",
    ),
    "document": (
        msgspec.structs.replace(RUN, media=({"media_type": "text/plain", "data": b64(f"the key {KEY}")},)),
        f"effect 0, data of the media of read, byte 8: {FOUND}",
    ),
    "data URL": (
        msgspec.structs.replace(RUN, media=({"url": f"data:text/plain;base64,{b64(KEY)}"},)),
        f"effect 0, url of the media of read, byte 0: {FOUND}",
    ),
    "head of a data URL": (
        msgspec.structs.replace(RUN, media=({"url": f"data:text/plain;name={KEY};base64,"},)),
        f"effect 0, url of the media of read, byte 21: {FOUND}",
    ),
    "key in a parameter": (
        call(request=request(f"https://x.test/?token={KEY}")),
        "effect 0, URL: a parameter that is named like a key (token)",
    ),
    "fragment": (
        call(request=request("https://x.test/#access_token=hunter2")),
        "effect 0, URL: a parameter that is named like a key (access_token)",
    ),
    "value that looks like a key": (
        call(request=request("https://x.test/?key=aB3xY7kQ9mZ2pL5t")),
        "effect 0, URL: a parameter that is named like a key (key)",
    ),
    "URL that is none": (
        call(request=request("http://[x.test/?a=hunter2")),
        "effect 0, URL: something behind an address that cannot be read",
    ),
}


@pytest.mark.parametrize("place", PLANTED)
@pytest.mark.parametrize("ending", [".jsonl", ".yaml", ".har"])
def test_a_planted_secret_is_told_once_with_its_place(place: str, ending: str, tmp_path: Path) -> None:
    effect, wanted = PLANTED[place]
    problems = said(tmp_path, Tape((effect,)), f"t{ending}")
    assert problems == [wanted]
    assert KEY[4:14] not in "".join(problems)
    assert said(tmp_path, Tape((CALL, RUN)), f"clean{ending}") == []


@pytest.mark.parametrize("place", PLANTED)
def test_what_a_recording_takes_out_is_what_is_told_and_nothing_is_told_of_the_rest(
    place: str, tmp_path: Path
) -> None:
    effect = PLANTED[place][0]
    if isinstance(effect, ToolRun):
        safe: Any = msgspec.structs.replace(
            effect,
            arguments=SHAPES.text(effect.arguments),
            result=SHAPES.text(effect.result),
            media=SHAPES.plain(effect.media),
        )
    else:
        safe = msgspec.structs.replace(
            effect,
            request=SHAPES.request(effect.request),
            headers=SHAPES.kept_headers(effect.headers),
            chunks=(SHAPES.body(effect.body),),
            error=SHAPES.plain(effect.error),
        )
    assert safe != effect
    assert said(tmp_path, Tape((safe,))) == []


def test_a_user_of_one_letter_hides_nothing_that_stands_elsewhere(tmp_path: Path) -> None:
    save_tape(Tape((call(request=request("https://s:k@x.test/?api_key=s")),)), tmp_path / "t.jsonl")
    with (tmp_path / "t.jsonl").open("a") as file:
        file.write(json.dumps({"type": "later", "n": 0, "k": KEY}) + "\n")
    assert FOUND in str(look(tmp_path / "t.jsonl").problems[-1])


def test_what_may_be_asked_for_by_a_key_is_no_problem(tmp_path: Path) -> None:
    media = {"media_type": "image/png", "data": b64("x" * 99), "url": "https://x.test/?key=alpha#part-2"}
    run = msgspec.structs.replace(RUN, media=(media,))
    asked = call(request=request("https://x.test/?key=alpha&page_token=aB3xY7kQ9mZ2pL5taB3xY7kQ"))
    assert said(tmp_path, Tape((asked, run))) == []


def test_headers_that_only_look_like_secrets_are_left_alone(tmp_path: Path) -> None:
    harmless = (
        ("Authorization", "Bearer REDACTED"),
        ("X-Api-Key", "***"),
        ("Cookie", "[FILTERED]"),
        ("x-token", "<your token>"),
        ("Access-Control-Allow-Credentials", "true"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("CF-RAY", "8c1a2b3c4d5e6f70-AMS"),
        ("WWW-Authenticate", "Basic realm=x"),
    )
    assert said(tmp_path, Tape((call(request=request("https://x.test/?key=REDACTED", *harmless)),))) == []


def test_a_key_spelled_over_several_events_is_found_in_whatever_format(tmp_path: Path) -> None:
    pieces = [KEY[n : n + 5] for n in range(0, len(KEY), 5)]
    events = [{"type": "delta", "delta": {"parts": [{"text": piece}]}} for piece in pieces]
    chunks = tuple(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    wanted = f"effect 0, 'delta.parts[0].text' of the response, byte 0: {FOUND}"
    assert said(tmp_path, Tape((call(chunks=chunks),))) == [wanted]


def test_what_the_decoder_says_is_looked_at_too(tmp_path: Path) -> None:
    save_tape(Tape((CALL,)), tmp_path / "t.jsonl")
    report = verify(tmp_path / "t.jsonl", redaction=SHAPES, texts=lambda _: [("text", f"it is {KEY}")])
    assert [str(problem) for problem in report.problems] == [f"effect 0, text of the response, byte 6: {FOUND}"]


def test_what_stands_in_the_file_and_in_no_field_is_found(tmp_path: Path) -> None:
    lines = EXAMPLE.read_bytes().splitlines(keepends=True)
    lines.insert(3, b'{"type":"later","n":0,"k":"' + KEY.encode() + b'"}\n')
    (tmp_path / "t.jsonl").write_bytes(b"".join(lines))
    assert [str(problem) for problem in look(tmp_path / "t.jsonl").problems] == [
        f"line 4 of the file, byte 27: {FOUND}"
    ]


def test_a_file_that_is_no_tape_is_searched_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text(f"{KEY}\n")
    structure, secret = look(tmp_path / "t.jsonl").problems
    assert (structure.kind, secret.kind) == ("structure", "secret")
    assert "is not a Playhead tape" in structure.what
    assert KEY[4:14] not in structure.what


def test_a_secret_in_the_tapes_own_facts_is_found(tmp_path: Path) -> None:
    tape = load_tape(EXAMPLE)
    (problem,) = said(tmp_path, replace(tape, meta=tape.meta | {"note": KEY}))
    assert problem.startswith("meta, byte ")


def test_the_values_of_the_environment_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_TOKEN", 'acme "0123456789"')
    save_tape(Tape((msgspec.structs.replace(RUN, result='it is acme "0123456789".'),)), tmp_path / "t.jsonl")
    (problem,) = verify(tmp_path / "t.jsonl").problems
    assert str(problem) == "effect 0, result of read, byte 6: the value of ACME_TOKEN"


def test_a_changed_body_a_torn_line_and_a_broken_one_are_problems(tmp_path: Path) -> None:
    file, data = tmp_path / "t.jsonl", EXAMPLE.read_bytes()
    file.write_bytes(data.replace(b'"finish_reason', b'"finish_Reason', 1))
    (problem,) = look(file).problems
    assert (problem.kind, problem.what) == ("hash", "the body of effect 0 is not the one that was recorded")

    file.write_bytes(data[:-5])
    (problem,) = look(file).problems
    assert problem.kind == "structure"
    assert "was not written whole" in problem.what

    file.write_bytes(data.replace(b'{"type":"call.head","n":0', b'{"type":"call.head","n":7', 1))
    (problem,) = look(file).problems
    assert problem.kind == "structure"
    assert "is broken in line 3" in problem.what


def test_an_effect_without_an_end_and_a_number_that_is_missing_are_notes(tmp_path: Path) -> None:
    tape = Tape((CALL, msgspec.structs.replace(RUN, ended="interrupted")), numbers=(0, 2))
    save_tape(tape, tmp_path / "t.jsonl")
    report = look(tmp_path / "t.jsonl")
    assert report.ok
    assert report.effects == 2
    assert [note.partition(":")[0] for note in report.notes] == [
        "effect 2 (root/0.read) has no end",
        "the effects are not numbered without a gap",
    ]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TapeNotFound):
        verify(tmp_path / "none.jsonl")


def test_nothing_is_wrong_with_recordings_of_real_traffic() -> None:
    cassettes = sorted(SHARED.rglob("*.yaml"))
    if not cassettes:
        pytest.skip("the recordings beside the repository are not here")
    for file in (*cassettes, EXAMPLE):
        assert look(file).problems == (), file
