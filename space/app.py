"""The screen: a Gradio app over ``marrow``."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from marrow import Analysis, MarrowError, Models, Report, analyze, read_image
from marrow.cli import default_reference
from marrow.drawing import GREY, PALETTE, draw_annotations, draw_segmentation
from marrow.export import export
from marrow.flags import MAX_COMMENT, save_flag, start_upload
from marrow.images import MAX_PIXELS
from marrow.report import filter_cells, write_notes
from marrow.texts import CLASS_NAMES, SCREEN, choose_language

LOWEST = 0.05
"""Confidence of the one analysis of each image; the slider filters its cells."""

EXAMPLES = sorted(Path(__file__).with_name("examples").glob("*.jpg"))
FONTS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
CSS = """
.gradio-container > main { width: 100%; max-width: 1180px !important; }
#actions { gap: 8px; }
#table table { width: 100%; }
#table :is(table, thead, tbody, tr) { border: 0 !important; }
#table :is(th, td) { padding: 5px 8px; border: 0; border-bottom: 1px solid var(--border-color-primary); }
#table :is(th, td) { word-break: normal; overflow-wrap: normal; }
#table :is(th, td):nth-child(n+3) { text-align: right; }
@media (max-width: 640px) { #table :is(th, td) { padding: 4px; font-size: 13px; } }
"""

i18n = gr.I18n(**SCREEN)


class Screen:
    """What happens when something is pressed.

    Args:
        models: the networks.
        flags: folder for the flags.
    """

    def __init__(self, models: Models, flags: Path) -> None:
        self.models = models
        self.flags = flags
        # Gradio names an upload by its content, so the path is the image
        self._analyze = lru_cache(maxsize=128)(lambda path: analyze(read_image(path), models, LOWEST))

    def open(self, path: str | None, confidence: float, request: gr.Request) -> tuple[np.ndarray, Analysis]:
        """Read an image and give its analysis at a confidence; a plain sentence when that cannot be."""
        words = SCREEN[_language(request)]
        if not path:
            raise gr.Error(words["no_image"], print_exception=False)
        try:
            image = read_image(path)
            analysis = self._analyze(path)
        except MarrowError as error:
            text = words["unreadable"].format(megapixels=MAX_PIXELS // 1_000_000)
            raise gr.Error(text, print_exception=False) from error
        return image, filter_cells(analysis, confidence, self.models.classifier.config)

    def segmentation(self, path: str | None, confidence: float, request: gr.Request) -> tuple[Any, str]:
        return draw_segmentation(*self.open(path, confidence, request)), "segmentation"

    def annotations(self, path: str | None, confidence: float, request: gr.Request) -> tuple[Any, str]:
        return draw_annotations(*self.open(path, confidence, request)), "annotations"

    def report(self, path: str | None, confidence: float, request: gr.Request) -> tuple[Any, ...]:
        image, analysis = self.open(path, confidence, request)
        language, report = _language(request), analysis.report
        words = SCREEN[language]
        notes = [f"- {note}" for note in write_notes(report, self.models.classifier.config, language)]
        if report.not_from_marrow:
            notes.append(f"\n<small>{words['not_from_marrow']}</small>")
        ratio = "–" if report.me_ratio is None else f"{report.me_ratio:.1f}"
        summary = words["summary"].format(
            found=report.found, total=report.total, uncertain=report.uncertain, me_ratio=ratio
        )
        folder = Path(tempfile.mkdtemp(dir=_cache()))
        files = export(analysis, image, Path(path or "").name, folder, ["json", "csv"])
        return summary, _table(report, language), _bars(report), "\n".join(notes), *map(str, files)

    def refresh(self, path: str | None, confidence: float, view: str, request: gr.Request) -> tuple[Any, ...]:
        """Give picture and report anew, empty without a usable image."""
        try:
            draw = self.segmentation if view == "segmentation" else self.annotations
            return draw(path, confidence, request)[0], *self.report(path, confidence, request)
        except gr.Error as error:
            if path:
                gr.Warning(error.message)
            return (None,) * 7

    def analysis(self, path: str | None, confidence: float, request: gr.Request) -> dict[str, Any]:
        return self.open(path, confidence, request)[1].to_dict()

    def flag(self, path: str | None, confidence: float, comment: str, consent: bool, request: gr.Request) -> str:
        words = SCREEN[_language(request)]
        image, analysis = self.open(path, confidence, request)
        if not consent:
            raise gr.Error(words["no_consent"], print_exception=False)
        try:
            save_flag(self.flags, image, analysis, comment)
        except MarrowError as error:
            raise gr.Error(str(error), print_exception=False) from error
        return words["flagged"]


def build(models: Models, flags: Path) -> gr.Blocks:
    """Lay out the screen and wire it.

    Args:
        models: the networks.
        flags: folder for the flags.

    Returns:
        The app, not launched; its named endpoints are ``/segmentation``, ``/annotations``, ``/report``,
        ``/flag`` and ``/analyze``.
    """
    screen = Screen(models, flags)
    default = max(LOWEST, models.segmenter.config.confidence)
    with gr.Blocks(title="Bone-marrow smear", analytics_enabled=False, delete_cache=(3600, 3600)) as app:
        gr.Markdown(i18n("intro"))
        view = gr.State("annotations")
        with gr.Row():
            # Gradio 6.31 does not translate the label of an image that can be uploaded; this word needs none
            image = gr.Image(
                label="Image",
                height=400,
                min_width=300,
                sources=["upload", "clipboard"],
                buttons=[],
                elem_id="image",
            )
            # the file as uploaded, so that an unreadable one ends in a sentence of ours
            image.preprocess = lambda payload: payload.path if payload else None
            picture = gr.Image(
                label=i18n("picture"),
                show_label=False,
                height=400,
                min_width=300,
                format="jpeg",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="picture",
            )
        with gr.Row(elem_id="actions"):
            segment = gr.Button(i18n("segmentation"), elem_id="segmentation", min_width=150)
            annotate = gr.Button(i18n("annotations"), elem_id="annotations", min_width=150)
            count = gr.Button(i18n("report"), elem_id="report", min_width=150, variant="primary")
            flag = gr.Button(i18n("flag"), elem_id="flag", min_width=150)
        confidence = gr.Slider(LOWEST, 0.95, default, step=0.01, label=i18n("confidence"), info=i18n("confidence_info"))
        with gr.Column(visible=False, elem_id="report-panel") as report_panel:
            summary = gr.Markdown(elem_id="summary")
            with gr.Row():
                with gr.Column(min_width=300):
                    table = gr.Markdown(elem_id="table")
                bars = gr.BarPlot(
                    x="code",
                    y="percent",
                    color="code",
                    color_map={code: _hex(code) for code in models.classifier.labels},
                    colors_in_legend=[],
                    x_title=" ",
                    y_title="%",
                    x_label_angle=-45,
                    label=i18n("bars"),
                    elem_id="bars",
                    min_width=300,
                    height=400,
                )
            notes = gr.Markdown(elem_id="notes")
            with gr.Row():
                json_file = gr.DownloadButton("JSON", size="sm")
                csv_file = gr.DownloadButton("CSV", size="sm")
        with gr.Column(visible=False, elem_id="flag-panel") as flag_panel:
            comment = gr.Textbox(label=i18n("comment"), lines=2, max_length=MAX_COMMENT)
            consent = gr.Checkbox(label=i18n("consent"))
            send = gr.Button(i18n("send"), variant="primary", elem_id="send")
            thanks = gr.Markdown()
        if EXAMPLES:
            # not gr.Examples: it replaces ``image`` by a copy without our ``preprocess``
            examples = gr.Dataset(
                components=[gr.Image(render=False)],
                samples=[[str(path)] for path in EXAMPLES],
                type="index",
                label=i18n("examples"),
                elem_id="examples",
            )
            examples.click(lambda number: str(EXAMPLES[number]), examples, image, api_visibility="private")
        gr.Markdown(f"<small>{_served(models)}</small>", elem_id="models")

        chosen, figures = [image, confidence], [summary, table, bars, notes, json_file, csv_file]
        segment.click(screen.segmentation, chosen, [picture, view], api_name="segmentation")
        annotate.click(screen.annotations, chosen, [picture, view], api_name="annotations")
        count.click(screen.report, chosen, figures, api_name="report")
        for button, panel in ((count, report_panel), (flag, flag_panel)):
            shown = button.click(lambda: gr.Column(visible=True), None, panel, api_visibility="private")
            shown.then(None, js=f"() => document.getElementById('{panel.elem_id}').scrollIntoView()")
        sent = send.click(screen.flag, [*chosen, comment, consent], thanks, api_name="flag")
        sent.success(lambda: ("", False), None, [comment, consent], api_visibility="private")
        gr.on(
            [image.change, confidence.change],
            screen.refresh,
            [*chosen, view],
            [picture, *figures],
            trigger_mode="always_last",
            api_visibility="private",
        )
        hidden = gr.Button(visible=False)
        hidden.click(screen.analysis, chosen, gr.JSON(visible=False), api_name="analyze")
    return app


def main() -> int:
    """Serve the screen until interrupted; give the exit code."""
    name = os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1")
    port = os.environ.get("PORT") or os.environ.get("GRADIO_SERVER_PORT") or "7860"
    flags = Path(os.environ.get("MARROW_FLAGS_DIR", "flags"))
    try:
        models = Models.from_pretrained(default_reference("segmenter"), default_reference("classifier"))
        start_upload(flags)
        app = build(models, flags)
        app.launch(
            server_name=name,
            server_port=int(port),
            prevent_thread_lock=True,
            quiet=True,
            ssr_mode=False,
            max_file_size="50mb",
            i18n=i18n,
            theme=gr.themes.Soft(font=FONTS, font_mono=FONTS),
            css=CSS,
            footer_links=["api", "gradio"],
        )
    except MarrowError as error:
        print(f"marrow: {error}", file=sys.stderr)
        return 2
    except (OSError, ValueError):
        print(f"marrow: port {port} cannot be used: free it, or set PORT to another number.", file=sys.stderr)
        return 2
    print(f"Serving {_served(models)} on http://{name}:{port}", flush=True)
    app.block_thread()
    return 0


def _table(report: Report, language: str) -> str:
    """One Markdown row per class: name, code, cells, percentage, interval."""
    rows = [SCREEN[language]["headers"], "-|-|-:|-:|-:"]
    for code, n in report.counts.items():
        star = "\\*" if code in report.not_from_marrow else ""
        percent = interval = "–"
        if code in report.percent and report.total:
            low, high = report.intervals[code]
            percent, interval = f"{report.percent[code]:.1f}", f"{low:.0f}–{high:.0f}"
        rows.append(f"{CLASS_NAMES[language].get(code, code)}{star}|{code}|{n}|{percent}|{interval}")
    return "\n".join(f"|{row}|" for row in rows)


def _bars(report: Report) -> dict[str, Any]:
    return {
        "columns": ["code", "percent"],
        "data": [[code, round(percent, 1)] for code, percent in report.percent.items()],
        "datatypes": {"code": "nominal", "percent": "quantitative"},
        "mark": "bar",
    }


def _language(request: gr.Request) -> str:
    return choose_language(request.headers.get("accept-language"))


def _hex(code: str) -> str:
    return "#{:02x}{:02x}{:02x}".format(*PALETTE.get(code, GREY))


def _served(models: Models) -> str:
    infos = (models.segmenter.info, models.classifier.info)
    return " and ".join(f"{i.repo}@{i.revision[:7]}" if i.revision else i.repo for i in infos)


def _cache() -> str:
    """Gradio's own folder, which ``delete_cache`` clears."""
    folder = gr.utils.get_upload_folder()
    Path(folder).mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
