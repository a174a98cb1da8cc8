"""Servers for this machine: whatever answers a request can be reached over HTTP."""
