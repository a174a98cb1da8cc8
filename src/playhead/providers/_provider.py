"""What a provider is: where a model is reached, with which key, in which wire format and dialect."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..wire import Dialect


class Provider(msgspec.Struct, frozen=True):
    """Where models are reached. A fact sheet, with no code of its own.

    Args:
        name: how it is called in `provider:model` and in recordings.
        base_url: the address before the wire format's path, such as `https://openrouter.ai/api/v1`.
        key_env: the environment variable that holds the API key; None where there is no key.
        key_required: whether nothing can be asked without a key.
        wire: the wire format's name.
        dialect: the facts in which its requests differ from the wire format's plain form.
        headers: sent with every request.
        default_model: what the provider's name alone means.
        public: whether its host stands for it alone.
    """

    name: str
    base_url: str
    key_env: str | None = None
    key_required: bool = True
    wire: str = "openai_chat"
    dialect: Dialect = Dialect()
    headers: tuple[tuple[str, str], ...] = ()
    default_model: str | None = None
    public: bool = False

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.base_url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            whole = False
        if not whole:
            raise ConfigError(
                f"base_url {self.base_url!r} of provider {self.name!r} should be an address such as "
                "'http://127.0.0.1:8080/v1'"
            )
