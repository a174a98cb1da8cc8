"""Tapes: what a run's effects are recorded on, and played from. See `docs/tape-format.md`."""
