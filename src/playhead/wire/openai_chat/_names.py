"""The names in chat completions that both halves know."""

from __future__ import annotations

NAME = "openai_chat"

SEARCHED = frozenset({"search_results", "citations"})
CHUNK_KEYS = frozenset({"id", "model", "object", "choices", "usage", "error", "obfuscation"}) | SEARCHED
CHOICE_KEYS = frozenset({"index", "delta", "message", "finish_reason", "usage", "error"})
DELTA_KEYS = frozenset(
    {"role", "content", "refusal", "reasoning", "reasoning_content", "reasoning_details", "tool_calls"}
    | {"function_call", "provider_metadata", "images", "audio", "annotations", "executed_tools"}
)
"""What is understood. Everything else that comes is kept in the response's metadata."""

IN_DELTA = ("provider_metadata", "annotations", "images", "executed_tools", "references")
IN_CHOICE = ("native_finish_reason", "logprobs", "content_filter_results", "stop_reason", "matched_stop", "token_ids")
"""Where fields of the metadata stand, if not in the chunk or the body itself."""

AUDIO = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/mp4": "m4a",
}
"""Media types of sound, and their names in `input_audio`. OpenAI takes the first two formats, OpenRouter all.
https://openrouter.ai/docs/features/multimodal/audio"""

EVERYWHERE = ("wav", "mp3")
"""The formats of sound that every provider with sound takes."""
