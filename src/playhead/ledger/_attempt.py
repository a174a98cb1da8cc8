"""One try at a model call: what came of it, which tokens it took, and what it cost, as far as anybody said."""

from __future__ import annotations

from typing import Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from ..errors import DecodeError, EncodeError, PlayheadError, ProviderError, TransportError, TruncatedStream
from ..messages import ModelResponse, Usage
from ..prices import computed_cost
from ..providers import Provider, find_provider, provider_for_url
from ..tape.effects import INTERRUPTED, Interaction
from ..tape.redact import allowed_headers
from ..wire import WireFormat, describe_request, wire_for_path
from ._served import Served, served

Outcome: TypeAlias = Literal["whole", "refused", "truncated", "failed", "interrupted", "broken"]
"""What came of an attempt.

    whole         an answer
    refused       the provider said no, before or during the answer
    truncated     the answer stopped before its end
    failed        the transport gave an error: no connection, or a time-out
    interrupted   it was cut down in the middle: by a kill, or since the run gave it up
    broken        the provider broke its own format
"""

CostSource: TypeAlias = Literal["reported", "computed"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a model call.

    Attributes:
        lane: the line of work that asked.
        provider: our name of the provider that was asked.
        model: as it was asked.
        served_by: who served it, in a router's words; None where the provider serves itself, or does not say.
        usage: as the provider said it; None where it did not.
        cost: US dollars; None where it is not known.
        cost_source: `reported` by the provider, or `computed` from the price table.
        effect: its number on the tape.
        error: why it is not whole.
        started_s: seconds since the tape or the run began.
        duration_s: seconds.
        played: whether it came from the tape. It was paid for when it was recorded, and counts all the same.
        superseded: whether a resumed run asked it again.
        billable: whether it may have cost something. A refusal before anything of an answer came does not, nor does
            a connection that was never made.
        partial: whether usage and cost are only what was said before the answer broke off: a lower bound.
    """

    lane: str
    provider: str
    model: str
    served_by: str | None = None
    outcome: Outcome = "whole"
    usage: Usage | None = None
    cost: float | None = None
    cost_source: CostSource | None = None
    effect: int | None = None
    error: str | None = None
    started_s: float | None = None
    duration_s: float | None = None
    played: bool = False
    superseded: bool = False
    billable: bool = True
    partial: bool = False


def attempt_from_response(
    response: ModelResponse | None,
    *,
    provider: str,
    model: str,
    lane: str = "root",
    error: BaseException | None = None,
    outcome: Outcome | None = None,
    effect: int | None = None,
    started_s: float | None = None,
    duration_s: float | None = None,
    played: bool = False,
    superseded: bool = False,
    url: str | None = None,
) -> Attempt:
    """The row of an attempt whose answer is decoded already.

    Args:
        response: the answer, or what there is of one that is not whole; None where nothing came.
        provider: our name of the provider that was asked.
        model: as it was asked.
        error: why it is not whole.
        outcome: where the error does not say it: an attempt with neither response nor error is `interrupted`.
        url: where it was asked; it tells the prices of servers that are no provider of ours.
    """
    came = outcome or _outcome(response, error)
    who = served(response, provider, model) if response is not None else Served()
    usage = response.usage if response is not None else None
    # Behind the reason for its end, the usage is the last word, even where the answer's end did not come.
    ended = came == "whole" or (response is not None and response.raw_finish_reason is not None)
    cost, source = None, None
    if response is not None and response.cost is not None:
        cost, source = response.cost, "reported"
    elif response is not None and usage is not None:
        price = computed_cost(
            usage,
            provider=provider,
            model=model,
            served_by=who.by,
            at=who.at,
            url=url,
            answered=who.model or response.model or None,
            tools=who.tools,
            tier=who.tier,
        )
        cost, source = (None, None) if price is None else (price.cost, "computed")
    return Attempt(
        lane=lane,
        provider=provider,
        model=model,
        served_by=who.by,
        outcome=came,
        usage=usage,
        cost=cost,
        cost_source=source,
        effect=effect,
        error=None if error is None else str(error) or type(error).__name__,
        started_s=started_s,
        duration_s=duration_s,
        played=played,
        superseded=superseded,
        billable=usage is not None or cost is not None or _may_cost(response, error),
        partial=not ended and usage is not None,
    )


def attempt_of(
    interaction: Interaction, *, effect: int | None = None, played: bool = False, provider: str | None = None
) -> Attempt | None:
    """The row of an attempt on a tape, decoded; None where the interaction is no model call.

    Args:
        effect: its number on the tape.
        provider: our name of the provider, where its address does not tell.
    """
    if interaction.request.method.upper() != "POST":
        return None
    url = interaction.request.url
    try:
        wire, known = wire_for_path(urlsplit(url).path), provider_for_url(url)
    except ValueError:  # An address that is none.
        return None
    if wire is None:
        return None
    model = describe_request(interaction.request.body, urlsplit(url).path).model or ""
    response, error, outcome = _heard(interaction, wire, known.for_model(model).origin if known else None)
    return attempt_from_response(
        response,
        provider=provider or _name(known, wire),
        model=model,
        lane=interaction.lane,
        error=error,
        outcome=outcome,
        effect=effect,
        started_s=interaction.started_s,
        duration_s=interaction.duration_s,
        played=played,
        superseded=interaction.superseded,
        url=url,
    )


def _outcome(response: ModelResponse | None, error: BaseException | None) -> Outcome:
    match error:
        case None:
            return "interrupted" if response is None else "whole"
        case ProviderError():
            return "refused"
        case TruncatedStream():
            return "truncated"
        case DecodeError():
            return "broken"
        case PlayheadError():
            return "failed"
        case _:
            return "interrupted"


def _may_cost(response: ModelResponse | None, error: BaseException | None) -> bool:
    """Whether something may be charged for an attempt that nobody named a price or a usage of."""
    match error:
        case ProviderError(status=status):
            return response is not None and (status is None or status < 300)
        case TransportError(kind=kind):
            return response is not None or kind != "connect"  # Who got the request may have worked on it.
        case EncodeError():
            return False
        case _:
            return True


def _heard(
    call: Interaction, wire: WireFormat, origin: str | None
) -> tuple[ModelResponse | None, PlayheadError | None, Outcome | None]:
    """The answer as far as it came, what went wrong with it, and the outcome where the error does not say it."""
    if call.status is None:
        return None, _transport_error(call), "failed" if call.ended == "failed" else "interrupted"
    if not 200 <= call.status < 300 or call.status == 204:
        return None, wire.read_error(call.body, call.status), "refused"
    decoder, error = wire.Decoder(origin), None
    try:
        for chunk in call.chunks:
            decoder.feed(chunk)
        decoder.close()
    except (DecodeError, ProviderError) as raised:
        error = raised
    response, error = decoder.so_far, error or decoder.error
    if response is not None and error is None:  # As it is live: an answer that is not whole comes without them.
        headers = {name.lower(): value for name, value in allowed_headers(call.headers)}
        response = msgspec.structs.replace(response, headers=headers)
    if not isinstance(error, TruncatedStream) or call.ended == "complete":
        return response, error, None
    # The body is cut, and the tape knows why.
    if call.ended == "interrupted":
        return response, _transport_error(call), "interrupted"
    return response, _transport_error(call), "failed" if _kind(call) == "timeout" else "truncated"


def _transport_error(call: Interaction) -> TransportError:
    """Why no whole response is on the tape."""
    message = (call.error or {}).get("message") or INTERRUPTED
    return TransportError(message, kind=_kind(call))


def _kind(call: Interaction) -> str:
    return (call.error or {}).get("kind", "disconnect")


def _name(provider: Provider | None, wire: WireFormat) -> str:
    """Our name of the provider: some have one for each of their wire formats."""
    if provider is None:
        return "compat"
    other = f"{provider.name}-{wire.NAME.rpartition('_')[2]}"
    if provider.wire == wire.NAME or wire.NAME != "openai_responses":
        return provider.name
    return other if _exists(other) else provider.name


def _exists(name: str) -> bool:
    try:
        return find_provider(name).name == name
    except PlayheadError:
        return False
