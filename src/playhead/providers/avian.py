"""Avian: open models. https://avian.io"""

from __future__ import annotations

from ._provider import Provider

PROVIDER = Provider(name="avian", base_url="https://api.avian.io/v1", key_env="AVIAN_API_KEY", public=True)
