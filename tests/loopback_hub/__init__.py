"""The parts of ``tests/hub_server.py``, a Hub on loopback: what it keeps, how it answers, and how it misbehaves."""
