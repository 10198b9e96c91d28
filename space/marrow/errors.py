"""The one error type that users see."""


class MarrowError(Exception):
    """Bad input or an unreachable model; its message is one sentence that says what to do."""
