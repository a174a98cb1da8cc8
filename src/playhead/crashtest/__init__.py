"""Kills an agent's runs at every place, resumes them, and checks what Playhead promises of them."""
