"""Makes the pages that are made from data. `make docs` runs it."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterable
from pathlib import Path

from playhead import Dialect, Provider, Route
from playhead.providers import Derived, find_provider, provider_names

HERE = Path(__file__).parent

_INTRODUCTION = """\
<!-- This page is made by docs/build.py from src/playhead/providers: do not edit it, run `make docs`. -->

# Providers

A provider says where models are reached: the address, the variable of the environment that holds the key, the wire
format and the dialect. It is data, with no code of its own. A model is named `provider:model`; `-` and `_` mean the
same. `playhead models` shows which providers have a key, and `playhead models PROVIDER` asks one for its models.

The address of `demo` leads nowhere: when a request goes out, the address of its loopback server is put in its place.

"""

_OPTIONS = """
## Options

What only one provider knows goes into `options`. Those that a provider has are a typed dictionary beside it, so that
editors and type checkers know them:

```python
import playhead as ph
from playhead.providers.openrouter import OpenRouterOptions

options: OpenRouterOptions = {"provider": {"order": ["groq", "fireworks"]}, "title": "my-agent"}
agent = ph.Agent("openrouter:moonshotai/kimi-k2-0905", options=options)
```

An option that the provider does not have is an `EncodeError`, and nothing is sent. Fields and headers that nobody
names go into `extra_body` and `extra_headers`, which go out as they are, over everything else.

## Keys and signatures

A key is read from the environment when a request goes out, or given as `api_key=`. It is added below what records:
no tape ever sees it, and where a provider echoes it, `REDACTED` stands in its place. It goes to the address of the
request and nowhere else: redirects are not followed.

| signed with | how | needs |
| --- | --- | --- |
| `bearer` | the header `Authorization`, with `Bearer` before the key | |
| a header's name | the key stands in that header | |
| `aws` | SigV4 with the credentials that AWS's own tools find: variables, profiles, single sign-on, roles. With a Bedrock API key as `bearer` | `pip install playhead[bedrock]`, unless there is a key |
| `google` | a token of the application default credentials: those of `gcloud`, of a service account's file, or of the machine. With an access token as `bearer` | `pip install playhead[google]`, unless there is a token |
| `azure` | the header `api-key`. Without a key an Entra token: that of `AZURE_OPENAI_AD_TOKEN`, or what azure-identity finds | `pip install playhead[azure]`, for azure-identity |

Tokens are kept for all runs of the process and replaced five minutes before they expire; one that is refused as too
old is replaced at once, and the request is sent again. The libraries are loaded with the first request that needs
them.

Playing a tape needs no key, no credentials and none of these libraries. But the address counts: where variables are a
part of it (`{region}`, `{project}`), they must be set as they were, or `base_url=` given.

"""  # noqa: E501 - a row of a table is one line

_COMPATIBLE = """
## Any compatible server

Every server that speaks chat completions is reached by its address, with the model after `#`. A key is not needed;
where there is one, it is read from `PLAYHEAD_COMPAT_API_KEY`, or given as `api_key=`.

```python
agent = ph.Agent("compat:http://127.0.0.1:8080/v1#my-model")
```

`base_url=` sends what is meant for a provider to another address, such as a proxy's:

```python
agent = ph.Agent("openai:gpt-4o", base_url="https://proxy.example.com/v1")
```

## A provider of one's own

```python
local = ph.Provider(
    name="local",
    base_url="http://127.0.0.1:8080/v1",
    key_env="LOCAL_API_KEY",
    key_required=False,
    dialect=ph.Dialect(body={"cache_prompt": True}, option_fields=("grammar", "min_p")),
)
agent = ph.Agent("my-model", provider=local, options={"min_p": 0.05})
```

A package makes its provider known to all by an entry point, whose name is the provider's:

```toml
[project.entry-points."playhead.providers"]
acme = "acme_playhead:PROVIDER"
```

It is loaded when a model of it is named, and not before. One that is broken breaks no other.

What a `Provider` has:

"""

_ROUTE = """
What a `Route` has:

"""

_DERIVED = """
What a `Derived` has:

"""

_DIALECT = """
What a `Dialect` has:

"""


def providers() -> str:
    """The text of `providers.md`."""
    found = [find_provider(name) for name in provider_names()]
    return "".join(
        (
            _INTRODUCTION,
            _overview(found),
            _OPTIONS.rstrip("\n"),
            "\n",
            *(_section(provider) for provider in found),
            _COMPATIBLE,
            _described(Provider, "Args"),
            _ROUTE,
            _described(Route, "Attributes"),
            _DERIVED,
            _described(Derived, "Attributes"),
            _DIALECT,
            _described(Dialect, "Attributes"),
        )
    )


def _overview(found: list[Provider]) -> str:
    head = ["| provider | address | key | wire format |", "| --- | --- | --- | --- |"]
    rows = [f"| [`{it.name}`](#{it.name}) | {_address(it)} | {_key(it)} | {_wires(it)} |" for it in found]
    return "\n".join([*head, *rows]) + "\n"


def _address(provider: Provider) -> str:
    return f"`{provider.base_url}`" if "{" in provider.base_url else provider.base_url


def _key(provider: Provider) -> str:
    if not provider.key_names:
        return "none"
    names = " or ".join(f"`{name}`" for name in provider.key_names)
    if provider.auth in _OTHERWISE:
        return f"{names}, or {_OTHERWISE[provider.auth]}"
    return names + ("" if provider.key_required else ", if it is set")


_OTHERWISE = {"aws": "AWS's credentials", "google": "Google's credentials", "azure": "an Entra token"}


def _wires(provider: Provider) -> str:
    wires = dict.fromkeys((provider.wire, *(route.wire for route in provider.routes)))
    return ", ".join(f"`{wire}`" for wire in wires)


def _section(provider: Provider) -> str:
    module = importlib.import_module(f"playhead.providers.{provider.name.replace('-', '_')}")
    facts = [*_reached(provider), *_dialect(provider.dialect), *_routes(provider)]
    options = [name for name, value in vars(module).items() if _is_own_options(value, module.__name__)]
    if options:
        facts.append(f"Typed options: {_names(options)} of `{module.__name__}`.")
    listed = "\n" + "".join(f"- {fact}\n" for fact in facts) if facts else ""
    return f"\n## {provider.name}\n\n{(module.__doc__ or '').strip()}\n{listed}"


def _is_own_options(value: object, module: str) -> bool:
    return isinstance(value, type) and value.__module__ == module and hasattr(value, "__total__")


def _reached(provider: Provider) -> list[str]:
    """Where and with what it is reached, one sentence each."""
    facts: list[str] = []
    if provider.aliases:
        facts.append(f"Also called {_names(provider.aliases)}.")
    for name, sources in provider.variables.items():
        default = next((f", else `{source[1:]}`" for source in sources if source[0] == "="), "")
        held = " or ".join(f"`{source}`" for source in sources if source[0] != "=")
        facts.append(f"`{{{name}}}` is what {held} holds{default}.")
    for name, derived in provider.derived.items():
        cases = ", ".join(f"`{result}` for `{value}`" for value, result in derived.values.items())
        otherwise = derived.otherwise.replace("{}", f"{{{derived.of}}}")
        facts.append(f"`{{{name}}}` is {cases}, else `{otherwise}`.")
    if provider.auth != "bearer":
        facts.append(f"Signed with: `{provider.auth}`.")
    facts += [f"Sent with every request: `{name}: {value}`." for name, value in provider.headers]
    if provider.default_model:
        facts.append(f"`{provider.name}` alone means the model `{provider.default_model}`.")
    if provider.issuer:
        facts.append(f"Signed and encrypted reasoning is that of `{provider.issuer}`.")
    if provider.models_url is None:
        facts.append("It has no list of models.")
    return facts


def _routes(provider: Provider) -> list[str]:
    """How some of its models are reached, one sentence each."""
    facts: list[str] = []
    for route in provider.routes:
        where = f", at `{route.base_url}`" if route.base_url else ""
        issuer = f", with the signed reasoning of `{route.issuer}`" if route.issuer else ""
        facts.append(f"Models that `{route.models}` fits speak `{route.wire}`{where}{issuer}.")
        facts += (f"For them: {fact[0].lower()}{fact[1:]}" for fact in _dialect(route.dialect))
    return facts


def _dialect(dialect: Dialect) -> list[str]:
    """In what its requests differ, one sentence each."""
    headers = ", ".join(f"`{option}` (`{header}`)" for option, header in dialect.option_headers.items())
    sentences = {
        f"Options that are fields of the body: {_names(dialect.option_fields)}.": dialect.option_fields,
        f"Options that are headers: {headers}.": headers,
        f"The path is `{dialect.path}`, for streams `{dialect.stream_path or dialect.path}`.": dialect.path,
        f"In every body, unless an option says otherwise: `{json.dumps(dialect.body)}`.": dialect.body,
        f"Never in a body: {_names(dialect.without)}.": dialect.without,
        f"Settings that it does not take: {_names(dialect.unsupported)}.": dialect.unsupported,
        f"The limit of an answer is always `{dialect.max_tokens}`.": dialect.max_tokens,
        f"The setting `reasoning` is sent as {_REASONING[dialect.reasoning]}.": dialect.reasoning
        != "reasoning_effort",
        "History with tool calls always carries `reasoning_content`.": dialect.reasoning_history,
        f"The setting `cache` is sent as {_CACHE[dialect.cache]}.": dialect.cache,
        "Answers can be held to JSON, but not to a schema.": dialect.schema == "json_object",
        f"Ids of tool calls are made to fit `{dialect.call_id}`.": dialect.call_id,
        "Usage in a stream is sent without being asked for.": not dialect.stream_usage,
    }
    return [sentence for sentence, holds in sentences.items() if holds]


_REASONING = {
    "reasoning_effort": "`reasoning_effort`",
    "reasoning": "the object `reasoning`",
    "thinking": "the object `thinking`, on or off",
    "enable_thinking": "`enable_thinking`, on or off",
    None: "nothing: it does not take it",
}
_CACHE = {None: "nothing", "key": "`prompt_cache_key`", "breakpoints": "`cache_control` on pieces of content"}


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _described(kind: type, section: str) -> str:
    """The fields of a class and what its docstring says of them."""
    lines = inspect.cleandoc(kind.__doc__ or "").partition(f"{section}:\n")[2].splitlines()
    entries: list[str] = []
    for line in lines:
        if line.startswith("        "):
            entries[-1] += f" {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    rows = [
        f"| `{name}` | {text.removesuffix('.')} |" for name, _, text in (entry.partition(": ") for entry in entries)
    ]
    return "\n".join(["| field | what |", "| --- | --- |", *rows]) + "\n"


PAGES = {HERE / "providers.md": providers}


def main() -> None:
    for path, text in PAGES.items():
        path.write_text(text(), encoding="utf-8")


if __name__ == "__main__":
    main()
