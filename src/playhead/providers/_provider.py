"""What a provider is: where a model is reached, with which key, in which wire format and dialect."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from ..errors import ConfigError
from ..wire import Dialect

_VARIABLE = re.compile(r"\{(\w+)\}")


class Route(msgspec.Struct, frozen=True):
    """Models of a provider that are reached in another way than its others.

    Attributes:
        models: a regular expression that is looked for in the model's id.
        wire: the wire format's name.
        dialect: the facts in which requests differ from the wire format's plain form.
        base_url: instead of the provider's.
        issuer: who issues these models' opaque data, where others issue it too.
    """

    models: str
    wire: str
    dialect: Dialect = Dialect()
    base_url: str | None = None
    issuer: str | None = None


class Provider(msgspec.Struct, frozen=True):
    """Where models are reached. A fact sheet, with no code of its own.

    Args:
        name: how it is called in `provider:model` and in recordings.
        base_url: the address before the wire format's path, such as `https://openrouter.ai/api/v1`. `{region}` in it
            stands for one of the `variables`.
        key_env: the environment variable that holds the API key, or several, of which the first that is set counts;
            None where there is no key.
        key_required: whether nothing can be asked without a key.
        wire: the wire format's name.
        dialect: the facts in which its requests differ from the wire format's plain form.
        headers: sent with every request.
        default_model: what the provider's name alone means.
        public: whether its host stands for it alone.
        auth: how requests are signed: `bearer`, a header's name such as `x-api-key`, `aws` (SigV4, or a bearer key),
            `google` (application default credentials) or `azure` (a key, or an Entra token).
        variables: the names in `base_url`, each with the environment variables that may hold it, and after `=` what
            stands for it where none is set: `{"region": ("AWS_REGION", "=us-east-1")}`.
        hosts: other hosts that stand for it, with `*` for a part of the name.
        routes: models that are reached in another way.
        issuer: who issues its opaque data, where that is not the provider itself: data of the same issuer may go from
            one provider to the other.
        models_url: where its list of models is; `/models` stands below `base_url`. None where it has no list.
        aliases: other names for it.
    """

    name: str
    base_url: str
    key_env: str | tuple[str, ...] | None = None
    key_required: bool = True
    wire: str = "openai_chat"
    dialect: Dialect = Dialect()
    headers: tuple[tuple[str, str], ...] = ()
    default_model: str | None = None
    public: bool = False
    auth: str = "bearer"
    variables: dict[str, tuple[str, ...]] = {}
    hosts: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    issuer: str | None = None
    models_url: str | None = "/models"
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(_VARIABLE.sub("x", self.base_url))
            whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            whole = False
        if not whole:
            raise ConfigError(
                f"base_url {self.base_url!r} of provider {self.name!r} should be an address such as "
                "'http://127.0.0.1:8080/v1'"
            )

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment variables that may hold the key."""
        return (self.key_env,) if isinstance(self.key_env, str) else self.key_env or ()

    @property
    def origin(self) -> str:
        """Who issues the opaque data that comes from here."""
        return self.issuer or self.name

    def for_model(self, id: str) -> Provider:
        """This provider as it is for one of its models."""
        route = next((route for route in self.routes if re.search(route.models, id)), None)
        if route is None:
            return self
        return msgspec.structs.replace(
            self,
            wire=route.wire,
            dialect=route.dialect,
            base_url=route.base_url or self.base_url,
            issuer=route.issuer or self.issuer,
        )

    def address(self, environment: Mapping[str, str] | None = None) -> str:
        """`base_url` with its variables filled in.

        Args:
            environment: `os.environ` where it is left out.

        Raises:
            ConfigError: one of them is not set.
        """
        environment = os.environ if environment is None else environment
        return _VARIABLE.sub(lambda found: self._variable(found[1], environment), self.base_url)

    def _variable(self, name: str, environment: Mapping[str, str]) -> str:
        names = self.variables.get(name, ())
        for source in names:
            value = source.removeprefix("=") if source.startswith("=") else environment.get(source, "").strip()
            if value:
                return value
        wanted = " or ".join(source for source in names if not source.startswith("=")) or "no variable"
        raise ConfigError(
            f"the address of {self.name} needs its {name}: set {wanted} in the environment, or give base_url= with "
            f"the whole address (it is {self.base_url!r})"
        )
