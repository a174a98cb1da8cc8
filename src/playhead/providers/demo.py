"""Playhead itself, serving a shipped recording over real HTTP on loopback: for trying things without a key."""

from __future__ import annotations

from ._provider import Provider

PROVIDER = Provider(
    name="demo",
    # A name that leads nowhere: the demo's transport puts the loopback server's own address in its place, so that
    # tapes of it do not hold a port that changes.
    base_url="http://demo.playhead.localhost/v1",
    key_required=False,
    default_model="qwen2.5-coder-0.5b-instruct",
    public=True,
    models_url=None,
)
