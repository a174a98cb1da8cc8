"""Secrets are taken out before anything reaches the disk: wherever they stand, however the bytes are cut, and nothing
else with them."""

from __future__ import annotations

import base64
import json
import random
import string
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import SHARED
from playhead import ConfigError, Interaction, load_tape
from playhead.http import Request
from playhead.tape.canonical import digest
from playhead.tape.redact import safe_url, taken_from_url
from playhead.tape.secrets import REDACTED, Redaction, findings

HEX, MIX = "0f1e2d3c4b5a6978" * 8, "aB3xY7kQ9mZ2pL5t" * 12
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIE" + "\n".join([MIX[:64]] * 3) + "==\n-----END RSA PRIVATE KEY-----"

# In two pieces, so that no program that looks for keys finds one here.
KEYS = {
    "an OpenRouter key": "sk-or" + f"-v1-{HEX[:64]}",
    "an OpenAI key": "sk-pro" + f"j-{MIX[:40]}_-{MIX[:30]}",
    "an Anthropic key": "sk-an" + f"t-api03-{MIX[:80]}-AA",
    "an API key": "sk" + f"-{HEX[:32]}",
    "a Google API key": "AI" + f"za{MIX[:35]}",
    "a Groq key": "gs" + f"k_{MIX[:52]}",
    "an xAI key": "xa" + f"i-{MIX[:80]}",
    "a Hugging Face token": "h" + f"f_{MIX[:34]}",
    "a GitHub token": "gh" + f"p_{MIX[:36]}",
    "a GitLab token": "glp" + f"at-{MIX[:20]}",
    "a Slack token": "xo" + f"xb-123456789012-{MIX[:24]}",
    "an AWS access key id": "AK" + "IAQ3EGRUOH5Z7WPM4K",
    "a Stripe key": "sk_li" + f"ve_{MIX[:24]}",
    "an NVIDIA key": "nva" + f"pi-{MIX[:64]}",
    "a Perplexity key": "ppl" + f"x-{MIX[:48]}",
    "a Replicate token": "r" + f"8_{MIX[:37]}",
    "a Fireworks key": "f" + f"w_{MIX[:24]}",
    "an npm token": "np" + f"m_{MIX[:36]}",
    "a PyPI token": "py" + f"pi-AgEIcHlwaS5vcmc{MIX[:60]}",
    "a Google OAuth token": "ya" + f"29.{MIX[:60]}",
    "a JSON web token": "ey" + f"JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{MIX[:43]}",
    "a private key": PEM,
}
SHAPES = Redaction(env=False)
VALUE = 'p4ss "word"/ü&<+'
LITERAL = Redaction(shapes=False, env=False, values=(VALUE,))


def in_events(*payloads: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(payload).encode() + b"\n\n" for payload in payloads)


@pytest.mark.parametrize("kind", KEYS)
@pytest.mark.parametrize(
    ("before", "behind"),
    [("", ""), ("the key is ", "."), ("KEY=", "\n"), ('{"k":"', '"}'), ("(", ")"), ("é", "é"), ("a\n\t", " b")],
)
def test_a_key_is_found_wherever_it_stands(kind: str, before: str, behind: str) -> None:
    text = before + KEYS[kind] + behind
    assert SHAPES.text(text) == before + REDACTED + behind
    (found,) = SHAPES.findings(text.encode())
    assert (found.kind, found.start) == (kind, len(before.encode()))


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_behind_an_escape_is_found_in_json_and_in_json_inside_it(kind: str) -> None:
    value: Any = {"result": f"line\n{KEYS[kind]}\nline"}
    for _ in range(2):
        value = json.dumps(value)
        assert SHAPES.body(value.encode()).decode() == value.replace(*_escaped(KEYS[kind], value))


def _escaped(key: str, text: str) -> tuple[str, str]:
    forms = [key, key.replace("\n", "\\n"), key.replace("\n", "\\\\n")]
    return next(form for form in forms if form in text), REDACTED


def test_of_a_bearer_token_the_scheme_stays() -> None:
    token = f"{HEX[:20]}.{MIX[:9]}~+/=="
    assert SHAPES.text(f"Authorization: Bearer {token}\n") == f"Authorization: Bearer {REDACTED}\n"


@pytest.mark.parametrize(
    "text",
    [
        "a task-force-" + MIX[:30],
        "risk-" + HEX[:40],
        "class='sk-container-id-12 sk-toggleable__content-label'",
        "sk-or-v1-... is how an OpenRouter key begins, sk-ant- an Anthropic one, and AIza a Google one",
        "sk-or-v1-" + "x" * 64,
        "chatcmpl-" + MIX[:29],
        "call_" + MIX[:24],
        "toolu_01" + MIX[:22],
        "gen-1758886400-" + MIX[:20],
        "resp_" + HEX[:50],
        "msg_" + HEX[:50],
        "fc_" + HEX[:50],
        "rs_" + HEX[:50],
        "sha256:" + HEX[:64],
        "550e8400-e29b-41d4-a716-446655440000",
        "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 8).decode(),
        "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0YSIsImluZGV4IjowfQ==",
        "Bearer authentication-with-internationalization",
        'Authorization: Bearer $OPENROUTER_API_KEY, or "Bearer YOUR_API_KEY_GOES_HERE"',
        "the bearer of this letter 1234567890",
        "-----BEGIN CERTIFICATE-----\n" + MIX + "\n-----END CERTIFICATE-----",
        "a file with -----BEGIN PRIVATE KEY----- in its first line",
        "self_hosted_gitlab glpat- xoxb- npm_config_registry_of_the_whole_installation_here",
        "fw_version_of_the_router_3 hf_transfer hf_hub_download_with_retries r8_unorm",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert SHAPES.text(text) == text


@pytest.mark.parametrize("folder", [SHARED, Path(__file__).parents[2] / "examples"], ids=lambda path: path.name)
def test_no_recording_of_real_traffic_holds_what_looks_like_a_key(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    if not files:
        pytest.skip("the recordings beside the repository are not here")
    assert {str(file): found for file in files if (found := SHAPES.findings(file.read_bytes()))} == {}


FORMS = {
    "as it is": VALUE,
    "in JSON": json.dumps(VALUE)[1:-1],
    "in JSON with its own characters": json.dumps(VALUE, ensure_ascii=False)[1:-1],
    "in JSON as Go writes it": json.dumps(VALUE)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
    "in JSON inside JSON": json.dumps(json.dumps(VALUE)[1:-1])[1:-1],
    "in a URL": quote(VALUE, safe=""),
    "in a form": quote(VALUE, safe="").replace("%20", "+"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_value_is_found_in_every_form(form: str) -> None:
    assert LITERAL.text(f"a {FORMS[form]} b {FORMS[form]}") == f"a {REDACTED} b {REDACTED}"


@pytest.mark.parametrize("user", ["", "u", "us", "use", "user"])
def test_a_value_is_found_in_base64_wherever_it_begins(user: str) -> None:
    encoded = base64.b64encode(f"{user}:{VALUE}:".encode()).decode()
    left = LITERAL.text(f"Basic {encoded}")
    assert REDACTED in left
    assert all(piece not in left for piece in _pieces(encoded[8:-6], 4))


def test_half_of_a_value_where_the_body_broke_off_is_no_better_than_all_of_it() -> None:
    redaction = Redaction(env=False, values=("correct-horse-battery",))
    assert redaction.text("it is correct-horse-ba") == f"it is {REDACTED}"
    assert redaction.text("it is correct") == "it is correct"


def test_secrets_of_the_environment_are_known_by_the_names_of_their_variables() -> None:
    environment = {
        "ACME_API_KEY": "acme-0123456789",
        "DB_PASSWORD_FILE_COPY": "hunter2-hunter2",
        "AWS_SECRET_ACCESS_KEY": "/wJalrXUtnFEMI+K7MDENG",
        "DEPLOY_TOKEN": " tok-abcdefgh\n",
        "NOT_NEEDED_KEY": "not-needed",
        "SHORT_KEY": "abc1234",
        "GOOGLE_APPLICATION_CREDENTIALS": __file__,
        "MONKEY": "a-banana-a-day",
        "STRIPE_PUBLISHABLE_KEY": "pk-0123456789",
        "HOME_TOWN": "springfield",
    }
    secret = {"ACME_API_KEY", "DB_PASSWORD_FILE_COPY", "AWS_SECRET_ACCESS_KEY", "DEPLOY_TOKEN"}
    redaction = Redaction().opened(environment)
    for name, value in environment.items():
        text = f"<{value.strip()}>"
        assert redaction.text(text) == (f"<{REDACTED}>" if name in secret else text), name
    (found,) = redaction.findings(b"x acme-0123456789 y")
    assert str(found) == "the value of ACME_API_KEY"
    assert Redaction(env=False).opened(environment).text("<hunter2-hunter2>") == "<hunter2-hunter2>"


def test_the_environment_is_read_when_a_tape_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    early = Redaction().opened()
    monkeypatch.setenv("LATE_API_KEY", "late-0123456789")
    assert early.text("late-0123456789") == "late-0123456789"
    assert early.opened().text("late-0123456789") == REDACTED
    assert [found.kind for found in findings(b"late-0123456789")] == ["the value of LATE_API_KEY"]


DOCUMENT = """{"user" : "Ann", "n": 1.50, "empty": "", "none": null,
  "messages": [{"role": "user", "name":"ann\\u0022", "content": [ {"email":"a@b.c"} ]}, {"name": "bob"}],
  "metadata": {"a": {"token": 12}, "b": {"token": {"deep": [1, "}", 2]}}, "c.d": true, "em\\u0061il": "x@y.z"} }"""


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("$.user", ['"Ann"']),
        ("user", ['"Ann"']),
        ("$['user']", ['"Ann"']),
        ("n", ["1.50"]),
        ("empty", []),
        ("none", []),
        ("messages[*].name", ['"ann\\u0022"', '"bob"']),
        ("$.messages[1].name", ['"bob"']),
        ("$.messages[0].content", ['[ {"email":"a@b.c"} ]']),
        ("$..email", ['"a@b.c"', '"x@y.z"']),
        ("metadata.*.token", ["12", '{"deep": [1, "}", 2]}']),
        ('metadata["c.d"]', ["true"]),
        ("$..[0]", ['{"role": "user", "name":"ann\\u0022", "content": [ {"email":"a@b.c"} ]}', "[1,"]),
        ("$.nowhere.email", []),
        ("$.messages.name", []),
    ],
)
def test_a_path_names_values_and_everything_around_them_stays_as_it_is(path: str, gone: list[str]) -> None:
    wanted = DOCUMENT
    for value in gone:
        assert value in wanted
        comma = ("[", ",") if value == "[1," else ("", "")
        wanted = wanted.replace(value, f'{comma[0]}"{REDACTED}"{comma[1]}')
    redaction = Redaction(env=False, paths=(path,))
    assert redaction.body(DOCUMENT.encode(), "application/json").decode() == wanted
    json.loads(wanted)


def test_paths_reach_into_the_events_of_a_stream() -> None:
    redaction = Redaction(env=False, paths=("$.user", "choices[*].delta.content"))
    stream = b": ping\r\n\r\nevent: x\r\ndata: " + json.dumps({"user": "ann"}).encode() + b"\r\n\r\n"
    stream += b'data: {"choices": [{\ndata: "delta": {"content":\ndata: "hi"}}]}\n\ndata: [DONE]\n\n'
    assert redaction.body(stream) == stream.replace(b"ann", b"REDACTED").replace(b'"hi"', b'"REDACTED"')


def test_paths_reach_into_json_that_breaks_off_or_is_broken() -> None:
    redaction = Redaction(env=False, paths=("$..email", "$..keys"))
    assert redaction.body(b'{"a": {"email": "ann@exam') == b'{"a": {"email": "REDACTED'
    assert redaction.body(b'{"keys": [1, 2, {"x": "y') == b'{"keys": "REDACTED"'
    assert redaction.body(b'{"a": nope, "email": "x@y", }') == b'{"a": nope, "email": "REDACTED", }'
    assert redaction.body(b'{"email": "a"}\n{"email": "b"}\n') == b'{"email": "REDACTED"}\n{"email": "REDACTED"}\n'
    deep = b'{"a":' * 5000 + b'{"email": "x@y"}' + b"}" * 5000
    assert redaction.body(deep) == deep.replace(b"x@y", b"REDACTED")


def test_paths_leave_alone_what_is_no_json() -> None:
    redaction = Redaction(env=False, paths=("$..email",))
    for body, kind in (
        (b'the "email": "a@b"', "text/plain"),
        (b'\x00\x00{"email": "a@b"}', "application/vnd.amazon.eventstream"),
        (b'{"email": "a@b"}', "image/png"),
        (b"", None),
        (b" \n", None),
    ):
        assert redaction.body(body, kind) == body


def test_a_pattern_takes_all_of_it_or_the_group_that_is_named_so() -> None:
    redaction = Redaction(env=False, patterns=(r"cust_\d+", r"pin: (?P<secret>\w+)", "[äö]+"))
    text = "cust_123 and pin: 4711, ä\ncust_9ö"
    assert redaction.text(text) == f"{REDACTED} and pin: {REDACTED}, {REDACTED}\n{REDACTED}{REDACTED}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patterns": ("a(",)}, "regular expression"),
        ({"patterns": ("a*",)}, "demand a character"),
        ({"paths": ("$",)}, "names nothing"),
        ({"paths": ("$.a[?(@.b)]",)}, "[?(@.b)]"),
        ({"paths": ("$.a..",)}, "'..'"),
        ({"paths": ("a b",)}, "' b'"),
        ({"paths": ("a.[0]",)}, "'.[0]'"),
        ({"values": ("abc",)}, "value 1"),
        ({"values": ("acted REDACTED",)}, "value 1"),
        ({"values": "secret-value"}, "tuple"),
        ({"paths": "$.user"}, "tuple"),
    ],
)
def test_what_cannot_be_looked_for_is_said_at_once(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Redaction(**arguments)
    assert words in str(caught.value)
    assert "secret-value" not in str(caught.value)


def test_a_request_loses_what_is_secret_in_its_url_headers_and_body() -> None:
    key = KEYS["an OpenRouter key"]
    request = Request(
        "POST",
        f"https://u:p@x.test/{key}?api_key=abc&q=1",
        (("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"), ("X-Team", key), ("Date", "now")),
        json.dumps({"user": "ann", "key": key}).encode(),
    )
    redaction = Redaction(env=False, paths=("$.user",), headers=("x-team",), drop_headers=("Date",))
    made = redaction.request(request)
    assert made.url == f"https://x.test/{REDACTED}?api_key={REDACTED}&q=1"
    assert made.headers == (("Content-Type", "application/json"), ("X-Team", REDACTED))
    assert json.loads(made.body) == {"user": REDACTED, "key": REDACTED}
    assert redaction.request(made) == made


# URLs

RANDOM = MIX[:16]

NAMED_LIKE_A_KEY = [
    "access_key",
    "api_token",
    "auth_token",
    "refresh_token",
    "id_token",
    "session_token",
    "app_key",
    "secret_key",
    "private_key",
    "passwd",
    "awsaccesskeyid",
    "AWSAccessKeyId",
    "api_key",
    "apiKey",
    "API-KEY",
    "x-api-key",
    "api_key[]",
    "api_key_2",
    "user[password]",
    "password",
    "pwd",
    "client_secret",
    "access_token",
    "subscription-key",
    "Ocp-Apim-Subscription-Key",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "oauth_signature",
    "authorization",
    "passphrase",
    "%61pi_key",
]


@pytest.mark.parametrize("name", NAMED_LIKE_A_KEY)
def test_a_parameter_with_the_name_of_a_key_is_taken_out_whatever_it_is(name: str) -> None:
    for before in ("?", "?a=b&", "#", "?a=b#c=d&", "?a=1;", "#/home?", "?next=https://y.test/?"):
        url = f"https://x.test/{before}{name}="
        assert safe_url(url + "v&n=1") == f"{url}{REDACTED}&n=1"
    assert safe_url(f"https://x.test/?{name}=v;w&n=1") == f"https://x.test/?{name}={REDACTED}&n=1"
    assert len(taken_from_url(f"https://x.test/?{name}=v")) == 1


SAYS_LITTLE = (
    "key",
    "key[]",
    "keys[key]",
    "key[0]",
    "token",
    "sig",
    "signature",
    "auth",
    "code",
    "room_key",
    "TOKEN",
)
KEPT = [
    "alpha",
    "beta",
    "hunter2",
    "1234567890123456",
    "getUserProfileSettingsById",
    "getUserProfileV2",
    "report_2024_final_version.pdf",
    "folder/sub/file-2024-01-01.json",
    "2024-01-01T10:00:00.000%2B02:00",
    "user:1234:profile:settings",
    "AAAAAAAAAAAAAAAAAAAA",
    "openai/gpt-4o-mini-2024-07-18",
    "correct-horse-battery-staple",
    "com.example.app.MainActivity",
    "invoice_INV-2024-00012",
    "how+many+roads+must+a+man+walk+down",
    "%D0%BF%D1%80%D0%B8%D0%B2%D0%B5%D1%82-%D0%BC%D0%B8%D1%80",
]


@pytest.mark.parametrize("name", SAYS_LITTLE)
def test_what_a_name_says_little_about_is_kept_unless_it_looks_like_a_key(name: str) -> None:
    for value in ("", *KEPT):
        url = f"https://x.test/?{name}={value}&n=1#{name}={value}"
        assert safe_url(url) == url
        assert not taken_from_url(url)
    uuid = "550e8400-e29b-41d4-a716-446655440000"
    for value in (
        *KEYS.values(),
        RANDOM,
        MIX[:32],
        HEX[:16],
        uuid,
        quote(f"{RANDOM}+/{RANDOM}==", safe=""),
        f"a;{RANDOM}",
    ):
        if " " not in value and "\n" not in value:
            assert safe_url(f"https://x.test/?{name}={value}&n=1") == f"https://x.test/?{name}={REDACTED}&n=1"


@pytest.mark.parametrize(
    ("alphabet", "length", "at_least"),
    [
        (string.ascii_letters + string.digits, 16, 0.95),
        (string.ascii_letters + string.digits, 32, 0.99),
        (string.ascii_letters + string.digits + "-_", 16, 0.85),
        (string.ascii_letters + string.digits + "-_", 43, 0.99),
        (string.ascii_lowercase + string.digits, 32, 0.99),
        (string.ascii_uppercase + "234567", 32, 0.95),
        (string.hexdigits.lower(), 16, 0.99),
    ],
)
def test_what_was_drawn_at_random_looks_so(alphabet: str, length: int, at_least: float) -> None:
    draw = random.Random(7)
    urls = [f"?key={''.join(draw.choices(alphabet, k=length))}" for _ in range(2000)]
    assert sum(safe_url(url) != url for url in urls) >= at_least * len(urls)


@pytest.mark.parametrize(
    "name", ["page_token", "pageToken", "NextToken", "continuation-token", "ExclusiveStartKey", "q"]
)
def test_where_a_list_goes_on_is_no_secret_however_it_looks(name: str) -> None:
    url = f"https://x.test/?{name}={MIX[:40]}"
    assert safe_url(url) == url == SHAPES.url(url)
    assert SHAPES.url(f"https://x.test/?{name}={KEYS['a GitHub token']}") == f"https://x.test/?{name}={REDACTED}"


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("http://[::1/?key=v#w", "http://[::1/"),
        ("http://[::1/#w", "http://[::1/"),
        ("http://me:pw@[::1/a?b", "http://[::1/a"),
        ("http://me:p?w@[::1/a", "http://[::1/a"),
        ("https://me:half/half@x.test/a?b=c", "https://x.test/a"),
        ("https://me:pw@x.test/a?b=c", "https://x.test/a?b=c"),
        ("https://me@x.test:8080/a#b", "https://x.test:8080/a#b"),
        ("//[?api_key=v", "//["),
    ],
)
def test_users_and_passwords_go_and_all_behind_an_address_that_cannot_be_read(url: str, safe: str) -> None:
    assert safe_url(url) == safe
    assert taken_from_url(url)
    assert safe_url(safe) == safe
    assert not taken_from_url(safe)


@pytest.mark.parametrize(
    "url", ["https://x.test/#", "https://x.test/a#b", "/v1?a=b&&c", "https://x.test/?a=b;c&d?e=f", "#"]
)
def test_a_url_without_a_secret_is_kept_to_the_byte(url: str) -> None:
    assert safe_url(url) == url


@given(
    st.lists(
        st.sampled_from(
            [*"?#&;=/@:[]%", "https://", "key", "api_", "token", "alpha", RANDOM, VALUE[:9], REDACTED, "x.test"]
        ),
        max_size=12,
    )
)
def test_a_safe_url_stays_as_it_is(pieces: list[str]) -> None:
    url = "".join(pieces)
    safe = safe_url(url)
    assert safe_url(safe) == safe
    assert not taken_from_url(safe)
    recorded = SHAPES.url(url)
    assert SHAPES.url(recorded) == recorded


def test_two_keys_are_one_request_and_two_questions_are_two() -> None:
    redaction = Redaction().opened({"ACME_API_KEY": "acme-staple"})

    def asked(query: str) -> str:
        return digest(redaction.request(Request("GET", f"https://x.test/get?{query}")))

    assert asked("key=alpha") != asked("key=beta")
    assert asked("page_token=alpha") != asked("page_token=beta")
    google = [f"key=AI{'za' + MIX[n : n + 35]}" for n in range(2)]
    assert asked(google[0]) == asked(google[1]) == asked("key=acme-staple") == asked(f"key={REDACTED}")
    assert asked("key=acme-staple-2") == asked(f"key={REDACTED}")
    assert redaction.url("/get?key=acme-staple-2") == f"/get?key={REDACTED}"
    assert asked("api_key=alpha") == asked("api_key=beta")


def test_recorded_urls_without_secrets_count_as_they_stand() -> None:
    tapes = sorted(SHARED.rglob("*.yaml"))
    if not tapes:
        pytest.skip("the recordings beside the repository are not here")
    calls = [effect for tape in tapes for effect in load_tape(tape).effects if isinstance(effect, Interaction)]
    assert len(calls) > 100
    for url in {call.request.url for call in calls}:
        assert safe_url(url) == url == SHAPES.url(url)


# Plain data


def test_every_string_and_name_of_plain_data_is_looked_at() -> None:
    key = KEYS["an OpenRouter key"]
    data = {key: [f"a {key}", 1, 2.5, None, True, (key,)], "see": f"https://u:p@x.test/?key=alpha&api_key=v&k={key}"}
    made = SHAPES.plain(data)
    assert made == {
        REDACTED: [f"a {REDACTED}", 1, 2.5, None, True, (REDACTED,)],
        "see": f"https://x.test/?key=alpha&api_key={REDACTED}&k={REDACTED}",
    }
    assert key in data
    assert SHAPES.plain("see https://x.test/?api_key=v") == "see https://x.test/?api_key=v"
    assert SHAPES.plain({"url": "/a?api_key=v w"}) == {"url": f"/a?api_key={REDACTED}"}


def test_of_media_the_bytes_are_looked_at_and_stay_base64() -> None:
    key = KEYS["an OpenRouter key"]
    redaction = Redaction(env=False, values=("abcd",), patterns=(r"[0-9A-Za-z]{6}!",), paths=("$.user",))

    def media(data: bytes, media_type: str, **more: str) -> dict[str, str]:
        return {"kind": "media", "media_type": media_type, "data": base64.b64encode(data).decode()} | more

    assert redaction.plain((media(f"k {key}".encode(), "text/plain", filename=f"{key}.txt"),)) == (
        media(f"k {REDACTED}".encode(), "text/plain", filename=f"{REDACTED}.txt"),
    )
    assert redaction.plain(media(b'{"user": "ann"}', "application/json")) == media(
        b'{"user": "REDACTED"}', "application/json"
    )
    assert redaction.plain(media(b'{"user": "ann"}', "image/png")) == media(b'{"user": "ann"}', "image/png")
    assert redaction.plain(media(b"", "x", filename="abcdabcd"))["filename"] == REDACTED * 2
    image = base64.b64decode("abcd" * 8)
    assert redaction.plain(media(image, "image/png")) == media(image, "image/png")
    inline = f"data:text/plain;charset=utf-8;base64,{media(key.encode(), '')['data']}"
    assert redaction.url(inline) == f"data:text/plain;charset=utf-8;base64,{media(REDACTED.encode(), '')['data']}"
    assert redaction.url(f"data:image/png;base64,{media(image, '')['data']}").endswith("abcdabcd")
    assert redaction.url(f"data:text/plain;n={key};base64,") == f"data:text/plain;n={REDACTED};base64,"


def test_what_only_stands_where_media_stand_is_read_as_text() -> None:
    redaction = Redaction(env=False, values=("hunter2hunter2xx",))
    for item in (
        {"data": "hunter2hunter2xx"},
        {"media_type": "x", "data": "hunter2hunter2xx!"},
        {"media_type": 1, "data": ["hunter2hunter2xx"]},
    ):
        assert "hunter2" not in str(redaction.plain(item))


def test_neither_a_finding_nor_a_redaction_shows_a_secret() -> None:
    for key in KEYS.values():
        (found,) = SHAPES.findings(key.encode())
        assert len(found.begins) <= 4
        assert key[4:12] not in repr(found) + str(found)
    redaction = LITERAL.opened()
    assert VALUE not in repr(redaction)
    assert VALUE not in repr(redaction.findings(VALUE.encode()))


# However the bytes are cut.

ORDINARY = st.sampled_from(
    [
        "hello ",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " ",
        '"',
        "\\n",
        "\\",
        "data: ",
        'data: {"user": "ann", "a": 1}\n\n',
        'data: {"user":\ndata: "ann"}\r\n\r\n',
        '{"user": "ann"}',
        '{"a": [',
        "]}",
        "[DONE]",
        ": ping\n\n",
        "s",
        "sk",
        "sk-",
        "sk-ant-",
        "task-",
        "A",
        "AIza",
        "eyJ",
        "eyJabc.",
        "Bearer ",
        "bearer",
        "gh",
        "--",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "cust_1",
        "cust_",
        "p4ss ",
        "1",
        "x",
        "é",
        "REDACTED",
        "RED",
    ]
) | st.text(string.printable + "äß€", max_size=8)
SECRET = st.sampled_from(
    [*KEYS.values(), f"Bearer {HEX[:24]}", *FORMS.values(), base64.b64encode(VALUE.encode()).decode()]
)
TEXTS = st.lists(ORDINARY | SECRET, max_size=10).map("".join)
BODIES = TEXTS.map(str.encode) | st.tuples(TEXTS.map(str.encode), st.binary(max_size=8)).map(b"".join)
WAYS = {
    "shapes": SHAPES,
    "values": LITERAL,
    "patterns": Redaction(env=False, patterns=(r"cust_\d+", r"p4ss(?P<secret> \S+)"), values=(VALUE,)),
    "paths": Redaction(env=False, paths=("$.user", "$..a"), values=(VALUE,)),
    "all": Redaction(env=False, paths=("$..user",), patterns=(r"cust_\d+", "ED"), values=(VALUE,)),
    "nothing": Redaction(shapes=False, env=False),
}
ways = pytest.mark.parametrize("way", WAYS)


def scrub(redaction: Redaction, pieces: list[bytes], content_type: str | None = None) -> list[bytes]:
    scrubber = redaction.stream(content_type)
    return [*(scrubber.feed(piece) for piece in pieces), scrubber.end()]


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[start:end] for start, end in pairwise(ends)]


@ways
@given(BODIES, st.lists(st.integers(0, 2000), max_size=12))
def test_the_same_comes_out_however_the_bytes_are_cut(way: str, data: bytes, places: list[int]) -> None:
    redaction = WAYS[way]
    assert b"".join(scrub(redaction, cut(data, places))) == redaction.body(data)


def test_a_token_before_which_its_scheme_stands_is_not_cut_from_it() -> None:
    text = f"Bearer s{KEYS['an API key']}{PEM}"
    assert scrub(SHAPES, [text.encode()]) == [b"", b"Bearer REDACTED"]


@ways
@settings(max_examples=30)
@given(BODIES)
def test_the_same_comes_out_byte_by_byte(way: str, data: bytes) -> None:
    redaction = WAYS[way]
    assert b"".join(scrub(redaction, [data[n : n + 1] for n in range(len(data))])) == redaction.body(data)


@given(TEXTS, st.sampled_from([*KEYS.values(), VALUE]), TEXTS, st.lists(st.integers(0, 2000), max_size=12))
def test_at_no_time_a_piece_of_a_secret_is_out(before: str, secret: str, behind: str, places: list[int]) -> None:
    known = _pieces(before + behind + REDACTED, 8)
    redaction, out = WAYS["values"] if secret == VALUE else SHAPES, b""
    for piece in scrub(redaction, cut(f"{before} {secret} {behind}".encode(), places)):
        out += piece
        written = out.decode("utf-8", "replace")
        assert not [part for part in _pieces(secret, 8) if part in written and part not in known]


def _pieces(text: str, length: int) -> set[str]:
    return {text[n : n + length] for n in range(len(text) - length + 1)}


def taken_out_once(redaction: Redaction, data: bytes) -> None:
    once = redaction.body(data)
    assert redaction.body(once) == once
    assert redaction.findings(once) == []


@pytest.mark.parametrize("way", [way for way, redaction in WAYS.items() if not redaction.paths])
@given(BODIES)
def test_what_was_taken_out_is_not_taken_out_again(way: str, data: bytes) -> None:
    taken_out_once(WAYS[way], data)


@ways
@given(
    st.lists(st.dictionaries(st.sampled_from(["user", "a", "b"]), TEXTS | st.lists(TEXTS) | st.none()), min_size=1)
)
def test_nor_is_it_at_places_of_json(way: str, values: list[Any]) -> None:
    taken_out_once(WAYS[way], in_events(*values))
    taken_out_once(WAYS[way], json.dumps(values, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    "redaction",
    [Redaction(env=False, values=(VALUE,)), Redaction(env=False, patterns=("cust_1",)), Redaction(paths=("$.user",))],
    ids=["plain", "patterns", "paths"],
)
def test_events_without_secrets_pass_at_once_and_as_they_came(redaction: Redaction) -> None:
    scrubber = redaction.stream("text/event-stream")
    for n, word in enumerate(["I ", "am ", "task-", "sk", "A", "Bearer ", "p4ss "]):
        event = in_events({"id": f"gen-{n}", "choices": [{"index": 0, "delta": {"content": word}}]})
        assert scrubber.feed(event) == event
        assert not scrubber.holds
    assert scrubber.end() == b""


def test_only_what_may_be_the_beginning_of_a_secret_waits() -> None:
    scrubber = SHAPES.stream()
    assert scrubber.feed(b"the key is sk-or") == b"the key is "
    assert scrubber.feed(b"bit") == b""
    assert scrubber.feed(b", i.e. a") == b"sk-orbit, i.e. a"
    assert scrubber.feed(b"sk-or-v1)") == b"sk-or-v1)"
    assert scrubber.holds is False


def test_a_recorded_stream_comes_out_as_it_is() -> None:
    tape = load_tape(Path(__file__).parents[2] / "examples" / "tapes" / "sum.jsonl")
    for call in tape.interactions:
        chunks = list(call.chunks)
        assert scrub(Redaction(), chunks, "text/event-stream") == [*chunks, b""]


def test_a_long_secret_in_small_pieces_is_not_looked_at_from_its_beginning_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0
    hits = Redaction.hits

    def counted(self: Redaction, data: bytes, *args: Any, **more: Any) -> Any:
        nonlocal looked_at
        looked_at += len(data)
        return hits(self, data, *args, **more)

    monkeypatch.setattr(Redaction, "hits", counted)
    pieces = [b"sk-ant-"] + [b"a1b2c3d4" * 2] * 20_000
    assert b"".join(scrub(SHAPES, pieces)) == b"REDACTED"
    assert looked_at < 10 * sum(map(len, pieces))
