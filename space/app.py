"""The Space: opens the models, and serves the screen, a Gradio app over ``marrow``."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from marrow import MarrowError, Models
from marrow.defaults import default_reference
from marrow.flags import start_upload
from screen.limits import Limits
from screen.memory import hold_little


def main() -> int:
    """Serve the screen until interrupted; return the exit code."""
    name = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    port = os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or "7860"
    flags = Path(os.environ.get("MARROW_FLAGS_DIR", "flags"))
    hold_little()
    try:
        limits = Limits.from_environment()
        references = default_reference("segmenter"), default_reference("classifier")
        with ThreadPoolExecutor(1) as beside:
            opening = beside.submit(Models.from_pretrained, *references)
            # Gradio takes seconds to import, in which the networks are compiled
            from screen.actions import Actions
            from screen.page import serve
            from screen.viewer import model_names

            models = opening.result()
        uploading = start_upload(flags)
        app = serve(Actions(models, flags, limits), name, int(port))
    except MarrowError as error:
        print(f"marrow: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError):
        print(f"marrow: port {port} cannot be used: free it, or set PORT to another number.", file=sys.stderr)
        return 2
    print(f"Serving {' and '.join(model_names(models))} on http://{name}:{port}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # how a Space is put to sleep
    try:
        app.block_thread()
    finally:
        if uploading and (sentence := uploading.stop()):
            print(f"marrow: {sentence}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
