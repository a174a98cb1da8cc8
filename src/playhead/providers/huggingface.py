"""Hugging Face's router: open models at many hosts. https://huggingface.co/docs/inference-providers"""

from __future__ import annotations

from ._provider import Provider

PROVIDER = Provider(
    name="huggingface", base_url="https://router.huggingface.co/v1", key_env="HF_TOKEN", public=True, aliases=("hf",)
)
