"""The screen: a Gradio app over ``marrow``."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path

import gradio as gr
from starlette.middleware import Middleware

from marrow import MarrowError, Models
from marrow.defaults import default_reference
from marrow.flags import start_upload
from screen.actions import Actions
from screen.connections import limit_connections
from screen.limits import Limits
from screen.page import build, i18n
from screen.upload_room import LARGEST, UploadRoom
from screen.viewer import STATIC, model_names, serve_modules

FONTS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]


def main() -> int:
    """Serve the screen until interrupted; return the exit code."""
    name = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    port = os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or "7860"
    flags = Path(os.environ.get("MARROW_FLAGS_DIR", "flags"))
    try:
        models = Models.from_pretrained(default_reference("segmenter"), default_reference("classifier"))
        uploading = start_upload(flags)
        limits = Limits.from_environment()
        app = build(Actions(models, flags, limits))
        with (
            open(os.devnull, "w") as nowhere,
            redirect_stdout(nowhere),
        ):  # Gradio announces its MCP server, even when quiet
            app.launch(
                server_name=name,
                server_port=int(port),
                prevent_thread_lock=True,
                quiet=True,
                ssr_mode=False,
                max_file_size=f"{LARGEST}mb",
                i18n=i18n,
                theme=gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=FONTS),
                css_paths=STATIC / "page.css",
                app_kwargs={
                    "routes": [serve_modules()],
                    "middleware": [Middleware(UploadRoom, megabytes=limits.upload_megabytes)],
                },
                footer_links=["api", "gradio"],
                mcp_server=True,
            )
        limit_connections(app.server, limits)
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
