"""The one page of the screen: what lies where, and what happens when something is pressed."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from screen.actions import Actions
from screen.blocks import Blocks
from screen.connections import limit_connections
from screen.image_file import ImageFile
from screen.upload_room import LARGEST, UploadRoom
from screen.uploads import KEPT, uploaded
from screen.viewer import STATIC, Shown, Viewer, make_settings, serve_modules
from screen.words import SCREEN

EXAMPLES_FOLDER = Path(__file__).resolve().parents[1] / "examples"
REAL_EXAMPLES = sorted(EXAMPLES_FOLDER.glob("real_*.jpg"))
DRAWN_EXAMPLES = sorted(set(EXAMPLES_FOLDER.glob("*.jpg")) - set(REAL_EXAMPLES))
FONTS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]

SESSIONS = 64
"""Sessions whose last answers Gradio keeps, the one used last at the end, even of pages that are closed: nothing here
asks for them, and by itself it would keep 10,000, each of the size of its answers."""

i18n = gr.I18n(**SCREEN)


def serve(actions: Actions, name: str, port: int) -> gr.Blocks:
    """Serve the screen, and return at once.

    Args:
        actions: what happens when something is pressed.
        name: address to listen at.
        port: its port.

    Raises:
        OSError: the port cannot be used.
        ValueError: it is no port.
    """
    app = build(actions)
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):  # Gradio announces its MCP server, even when quiet
        app.launch(
            server_name=name,
            server_port=port,
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            state_session_capacity=SESSIONS,
            max_file_size=f"{LARGEST}mb",
            i18n=i18n,
            theme=gr.themes.Soft(primary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=FONTS),
            css_paths=STATIC / "page.css",
            app_kwargs={
                "routes": [serve_modules()],
                "middleware": [Middleware(UploadRoom, megabytes=actions.limits.upload_megabytes)],
            },
            footer_links=["api", "gradio"],
            mcp_server=True,
        )
    limit_connections(app.server, actions.limits)
    return app


def build(actions: Actions) -> gr.Blocks:
    """Lay out the screen and wire it.

    Args:
        actions: what happens when something is pressed.

    Returns:
        The app, not launched; its named endpoints, also MCP tools, are ``/analyze``, ``/segmentation``,
        ``/annotations``, ``/report`` and ``/flag``.
    """

    def show(path: str | None, request: gr.Request, progress: gr.Progress = gr.Progress()) -> tuple[Any, ...]:  # noqa: B008
        shown: Shown | None = actions.show(path, request, progress)
        if path and not shown:  # refused: clear the image, so that the next can be chosen
            return None, None, gr.skip(), gr.skip()
        # the image itself, given back, would count as a change
        return gr.skip(), shown, *turn_to_work(bool(shown))

    def show_dropped(
        event: gr.EventData,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Shown | Any:
        return actions.show(uploaded(event.path), request, progress) or gr.skip()

    def turn_back(event: gr.EventData) -> tuple[Any, ...]:
        return None, None, *turn_to_work(False), gr.Button(visible=event.canReturn)

    def leave(request: gr.Request) -> None:
        actions.queue.leave(request.session_hash)

    def turn_to_work(is_work: bool) -> tuple[gr.Column, gr.Column]:
        # hidden, not taken out: the browser alone knows what was done in the viewer, and keeps it
        return gr.Column(visible=not is_work), gr.Column(visible=True if is_work else "hidden")

    # served from where they lie: a copy would be deleted with the case of the first visitor who has done with it
    gr.set_static_paths([EXAMPLES_FOLDER])
    with Blocks(title="Bone-marrow smear", analytics_enabled=False, delete_cache=(KEPT // 6, KEPT)) as app:
        gr.Markdown(i18n("intro"), elem_id="intro")
        # page.css shows it as long as a progress is shown
        gr.Button(i18n("cancel"), size="sm", elem_id="cancel").click(leave, queue=False, api_visibility="private")
        with gr.Column(elem_id="start") as start:
            back = gr.Button(i18n("back"), visible=False, size="sm", elem_id="back")
            image = ImageFile(
                label="Image",
                show_label=False,
                height=380,
                sources=["upload", "webcam", "clipboard"],
                buttons=[],
                elem_id="image",
            )
            with gr.Column(elem_id="examples"):
                add_examples(REAL_EXAMPLES, "examples_real", image)
                add_examples(DRAWN_EXAMPLES, "examples_drawn", image)
        with gr.Column(visible="hidden", elem_id="work") as work:
            viewer = Viewer(make_settings(actions.models), actions.review.server_functions(), elem_id="viewer")
        image.change(
            show,
            image,
            [image, viewer, start, work],
            show_progress_on=image,
            trigger_mode="always_last",
            api_visibility="private",
        )
        # one that comes while another is at work is not to be lost, which is what Gradio would do by itself
        viewer.dropped(show_dropped, None, viewer, trigger_mode="multiple", api_visibility="private")
        viewer.restart(
            turn_back,
            None,
            [image, viewer, start, work, back],
            show_progress="hidden",
            api_visibility="private",
        )
        back.click(lambda: turn_to_work(True), None, [start, work], show_progress="hidden", api_visibility="private")
        _add_endpoints(actions)
        app.unload(leave)
    # requests wait in a queue of ours, which says where they stand, and when it is full
    return app.queue(max_size=None, default_concurrency_limit=None)


def add_examples(paths: list[Path], label: str, image: gr.Image) -> None:
    """Offer pictures that are taken over into ``image``; nothing where there are none."""
    if not paths:
        return
    # not gr.Examples: it would read the file at once
    offered = gr.Dataset(
        components=[gr.Image(render=False)],
        samples=[[str(path)] for path in paths],
        type="index",
        label=i18n(label),
    )
    offered.click(lambda number: str(paths[number]), offered, image, api_visibility="private")


def _add_endpoints(actions: Actions) -> None:
    """Offer the actions to programs; nothing of this is on the screen."""
    with gr.Column(visible=False):
        chosen = [
            ImageFile(label="image"),
            gr.Slider(0, 1, actions.models.segmenter.config.confidence, label="confidence"),
        ]
        words = [gr.Textbox(label="comment"), gr.Checkbox(label="consent")]
        picture = gr.Image(label="picture", format="jpeg")
        report = [gr.Markdown(label="report"), gr.File(label="json"), gr.File(label="csv")]
        for action, inputs, outputs in (
            (actions.analyze, chosen, gr.JSON(label="analysis")),
            (actions.segmentation, chosen, picture),
            (actions.annotations, chosen, picture),
            (actions.report, chosen, report),
            (actions.flag, [*chosen, *words], gr.Textbox(label="thanks")),
        ):
            gr.Button().click(action, inputs, outputs, api_name=action.__name__)
