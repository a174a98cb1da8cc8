"""What a provider is: where a model is reached, with which key, in which wire format and dialect."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ..errors import ConfigError
from ..wire import WIRE_FORMATS, Dialect
from ._address import VARIABLE, first_set, is_address, whole_address

AUTH = ("bearer", "aws", "google", "azure")
"""How requests can be signed, beside a header that holds the key."""


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


class Derived(msgspec.Struct, frozen=True):
    """A part of an address that follows from one of its variables.

    Attributes:
        of: the variable.
        values: what stands for which of its values.
        otherwise: what stands for all others; `{}` in it is the value itself.
    """

    of: str
    values: dict[str, str]
    otherwise: str = "{}"


class Provider(msgspec.Struct, frozen=True):
    """Where models are reached. A fact sheet, with no code of its own.

    Args:
        name: how it is called in `provider:model` and in recordings.
        base_url: the address before the wire format's path, such as `https://openrouter.ai/api/v1`. `{region}` in it
            stands for one of the `variables`; one at the very beginning holds a whole address.
        key_env: the environment variable that holds the API key, or several, of which the first that is set counts;
            None where there is no key.
        key_required: whether nothing can be asked without a key.
        wire: the wire format's name.
        dialect: the facts in which its requests differ from the wire format's plain form.
        headers: sent with every request.
        default_model: what the provider's name alone means.
        public: whether its host stands for it alone, so that recordings can be told by it.
        auth: how requests are signed: `bearer`, a header's name such as `x-api-key`, `aws` (SigV4, or a bearer key),
            `google` (application default credentials) or `azure` (a key, or an Entra token).
        variables: the names in `base_url`, each with the environment variables that may hold it, and after `=` what
            stands for it where none is set: `{"region": ("AWS_REGION", "=us-east-1")}`.
        derived: names in `base_url` that follow from a variable.
        hosts: other hosts that stand for it, with `*` for a part of the name.
        routes: models that are reached in another way; the first that fits counts.
        issuer: who issues its opaque data, where that is not the provider itself: data of the same issuer may go from
            one provider to the other.
        models_url: where its list of models is, or several that make it; `/models` stands below `base_url`. None
            where it has no list.
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
    derived: dict[str, Derived] = {}
    hosts: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    issuer: str | None = None
    models_url: str | tuple[str, ...] | None = "/models"
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_address(self.base_url):
            raise ConfigError(
                f"base_url {self.base_url!r} of provider {self.name!r} should be an address such as "
                "'http://127.0.0.1:8080/v1'"
            )
        for wire in (self.wire, *(route.wire for route in self.routes)):
            if wire not in WIRE_FORMATS:
                raise ConfigError(
                    f"wire {wire!r} of provider {self.name!r} should be one of {', '.join(WIRE_FORMATS)}"
                )
        for route in self.routes:
            try:
                re.compile(route.models)
            except re.error as error:
                raise ConfigError(
                    f"the models {route.models!r} of a route of provider {self.name!r} should be a regular "
                    f"expression: {error}"
                ) from error
        if self.auth not in AUTH and not re.fullmatch(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)+|authorization", self.auth):
            raise ConfigError(
                f"auth {self.auth!r} of provider {self.name!r} should be one of {', '.join(AUTH)}, or the name of "
                "the header that holds the key, such as 'x-api-key'"
            )

    @property
    def key_names(self) -> tuple[str, ...]:
        """The environment variables that may hold the key."""
        return (self.key_env,) if isinstance(self.key_env, str) else self.key_env or ()

    @property
    def origin(self) -> str:
        """Who issues the opaque data that comes from here."""
        return self.issuer or self.name

    def key(self, environment: Mapping[str, str] | None = None) -> str | None:
        """The key that the environment holds; None where it holds none.

        Args:
            environment: `os.environ` where it is left out.
        """
        environment = os.environ if environment is None else environment
        name = self.key_variable(environment)
        return None if name is None else environment[name].strip()

    def key_variable(self, environment: Mapping[str, str] | None = None) -> str | None:
        """The variable that holds the key; None where none is set.

        Args:
            environment: `os.environ` where it is left out.
        """
        environment = os.environ if environment is None else environment
        return next((name for name in self.key_names if environment.get(name, "").strip()), None)

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
            routes=(),  # It is on its way: nobody routes it again.
        )

    def address(self, environment: Mapping[str, str] | None = None) -> str:
        """`base_url` with its variables filled in.

        Args:
            environment: `os.environ` where it is left out.

        Raises:
            ConfigError: one of them is not set, or is no address where it should be one.
        """
        return self._filled(self.base_url, os.environ if environment is None else environment)

    def unset(self, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """The variables of the environment without which its address is not known; of several the first.

        Args:
            environment: `os.environ` where it is left out.
        """
        environment = os.environ if environment is None else environment
        return tuple(sources[0] for sources in self.variables.values() if not first_set(sources, environment))

    def model_lists(self, environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """The addresses that together list its models; none where it has no list.

        Args:
            environment: `os.environ` where it is left out.

        Raises:
            ConfigError: a variable of an address is not set.
        """
        environment = os.environ if environment is None else environment
        urls = (self.models_url,) if isinstance(self.models_url, str) else self.models_url or ()
        return tuple(
            _below(self.address(environment), url) if url.startswith("/") else self._filled(url, environment)
            for url in urls
        )

    def _filled(self, template: str, environment: Mapping[str, str]) -> str:
        return VARIABLE.sub(lambda found: self._value(found[1], found.start(), template, environment), template)

    def _value(self, name: str, place: int, template: str, environment: Mapping[str, str]) -> str:
        if (derived := self.derived.get(name)) is not None:
            value = self._value(derived.of, 1, template, environment)
            return derived.values.get(value) or derived.otherwise.replace("{}", value)
        sources = self.variables.get(name, ())
        wanted = " or ".join(source for source in sources if not source.startswith("=")) or "no variable"
        value = first_set(sources, environment)
        if not value:
            raise ConfigError(
                f"the address of {self.name} needs its {name}: set {wanted} in the environment, or give base_url= "
                f"with the whole address (it is {self.base_url!r})"
            )
        if place > 0:
            if not re.fullmatch(r"[\w.:-]+", value):
                raise ConfigError(f"{wanted} cannot stand in the address of {self.name}: {value!r} is no {name}")
            return value
        default = next((source[1:] for source in sources if source.startswith("=")), "")
        try:
            return whole_address(value, default, template.rpartition("}")[2])
        except ConfigError as error:
            raise ConfigError(f"{wanted} holds no address for {self.name}: {error}") from None


def _below(address: str, path: str) -> str:
    parts = urlsplit(address)  # It may have a query.
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def fields_of(options: type, headers: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The fields of a typed dictionary of options that go into the body: those that are no header."""
    return tuple(name for name in options.__annotations__ if name not in (headers or ()))
