"""Makes the pages that are made from data. `make docs` runs it."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path

from playhead import Dialect, Provider
from playhead.providers import find_provider, provider_names

HERE = Path(__file__).parent

_INTRODUCTION = """\
<!-- This page is made by docs/build.py from src/playhead/providers: do not edit it, run `make docs`. -->

# Providers

A provider says where models are reached: the address, the variable of the environment that holds the key, the wire
format and the dialect. It is data, with no code of its own. A model is named `provider:model`.

The address of `demo` leads nowhere: when a request goes out, the address of its loopback server is put in its place.

"""

_COMPATIBLE = """
## Any compatible server

Every server that speaks chat completions is reached by its address, with the model after `#`. A key is not needed;
where there is one, it is read from `PLAYHEAD_COMPAT_API_KEY`, or given as `api_key=`.

```python
import playhead as ph

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

What a `Provider` has:

"""

_DIALECT = """
What a `Dialect` has:

"""

_END = """
What no provider's options name goes into `extra_body` and `extra_headers`, which go out as they are, over everything
else. An option that the provider does not have is an `EncodeError`, and nothing is sent.
"""


def providers() -> str:
    """The text of `providers.md`."""
    found = [find_provider(name) for name in provider_names()]
    sections = "".join(_section(provider) for provider in found)
    return (
        _INTRODUCTION
        + _overview(found)
        + sections
        + _COMPATIBLE
        + _described(Provider, "Args")
        + _DIALECT
        + _described(Dialect, "Attributes")
        + _END
    )


def _overview(found: list[Provider]) -> str:
    head = ["| provider | address | key | wire format |", "| --- | --- | --- | --- |"]
    rows = [f"| [`{it.name}`](#{it.name}) | {it.base_url} | {_key(it)} | `{it.wire}` |" for it in found]
    return "\n".join([*head, *rows]) + "\n"


def _key(provider: Provider) -> str:
    if provider.key_env is None:
        return "none"
    return f"`{provider.key_env}`" + ("" if provider.key_required else ", if it is set")


def _section(provider: Provider) -> str:
    about = importlib.import_module(f"playhead.providers.{provider.name}").__doc__ or ""
    facts = _facts(provider)
    return f"\n## {provider.name}\n\n{about.strip()}\n\n" + "\n".join(f"- {fact}" for fact in facts) + "\n"


def _facts(provider: Provider) -> list[str]:
    """What a provider has of its own, one sentence each."""
    plain, dialect = Dialect(), provider.dialect
    facts = [f"Options that are fields of the body: {_names(dialect.option_fields)}."]
    if headers := dialect.option_headers:
        named = ", ".join(f"`{option}` (`{header}`)" for option, header in headers.items())
        facts.append(f"Options that are headers: {named}.")
    if provider.default_model:
        facts.append(f"`{provider.name}` alone means the model `{provider.default_model}`.")
    facts += [f"Sent with every request: `{name}: {value}`." for name, value in provider.headers]
    if dialect.body:
        facts.append(f"In every body, unless an option says otherwise: `{json.dumps(dialect.body)}`.")
    if dialect.reasoning == "reasoning":
        facts.append('The setting `reasoning` is sent as `{"reasoning": {"effort": ...}}`.')
    if dialect.stream_usage != plain.stream_usage:
        facts.append("Usage in a stream is not asked for: it does not know `stream_options.include_usage`.")
    if dialect.reasoning_history != plain.reasoning_history:
        facts.append("History with tool calls always carries `reasoning_content`.")
    return facts


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


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
