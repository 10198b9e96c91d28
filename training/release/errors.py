"""What went wrong with the Hub, in one line that says what to do."""

from __future__ import annotations

from huggingface_hub import constants
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from marrow.hub import is_away

AGAIN = "what is done stays, the Space runs what it ran, and the same command goes on from here"


def explain(name: str, namespace: str, error: Exception) -> str:
    """Say what an error of the Hub's client or of the disk means.

    Args:
        name: what was being done when it came, for the start of the line.
        namespace: whose repos were to be written.
        error: a ``HTTPError``, ``OfflineModeIsEnabled``, ``OSError``, ``ValueError`` or ``RuntimeError``.
    """
    text = " ".join(str(error).split())
    if isinstance(error, OfflineModeIsEnabled):
        return f"{name}: HF_HUB_OFFLINE is set; unset it to publish."
    if is_away(error):
        return f"{name}: {constants.ENDPOINT} does not answer ({text}); try again later: {AGAIN}."
    if isinstance(error, HfHubHTTPError):
        return f"{name}: {_refusal(namespace, error, text)}."
    if isinstance(error, OSError) and error.errno is not None:
        where = f" in {error.filename}" if error.filename else ""
        return f"{name}: cannot write{where} ({error.strerror}); make room, or set TMPDIR and HF_HOME: {AGAIN}."
    return f"{name}: {text}"


def _refusal(namespace: str, error: HfHubHTTPError, text: str) -> str:
    said = error.server_message or text
    answers = {
        401: "the Hub does not accept the access token; log in again with `hf auth login` or renew HF_TOKEN",
        402: f"the Hub wants a paid plan of {namespace} for this ({said})",
        403: f"the access token may not write to {namespace} ({said}); use one that may, or another --namespace",
        412: f"someone else changed the repo just now; run the same command again: {AGAIN}",
        507: f"the Hub has no room left for {namespace} ({said})",
    }
    return answers.get(error.response.status_code, text.rstrip("."))
