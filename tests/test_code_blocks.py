"""Every code block of the pages, the cards and the Space's page is run, as published to a Hub on loopback.

A newcomer's way through ``docs/publisher.md`` comes first: in a copy of the source, its blocks are typed one after the
other, and the cards whose blocks follow are those that arrived on the Hub. A block that no rule below knows fails.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
from huggingface_hub import constants
from markdown_it import MarkdownIt
from PIL import Image

from loopback_hub.server import HubServer
from tests.commands import ROOT
from tests.space.marrow.slide.drawn_slides import write_svs

REPOS = {
    "classifier card": ("models", "you/bone-marrow-mobilenet"),
    "segmenter card": ("models", "you/bone-marrow-yolov8-seg"),
    "Space": ("spaces", "you/bone-marrow-smear"),
    "data set card": ("datasets", "you/bone-marrow-12"),
}

# Commands that install, need the public archive, or take long: the file that runs them, the tests with less data.
ELSEWHERE = {
    r"make (demo|setup)": "Makefile",
    r"make (lint|test)": ".ci/run",
    r"make train": "Makefile",
    r"pip install -e \.": "Makefile",
    r"python -m training\.(train_classifier|train_segmenter) ": "tests/conftest.py",
    r"python dataset_scripts/smear_fields\.py ": "tests/conftest.py",
    r"python dataset_scripts/stain_statistics\.py ": "tests/dataset_scripts/test_stain_statistics.py",
    r"python dataset_scripts/cut_cells\.py ": "tests/dataset_scripts/test_cut_cells.py",
    r"python dataset_scripts/bone_marrow_12\.py .*(BM_cytomorphology_data|set)\b": "tests/dataset_scripts/test_card.py",
    r"python -m training\.measure ": "tests/training/evaluation/test_measure.py",
    r"python -m training\.compare ": "tests/training/studies/test_architectures.py",
    r"python -m training\.quantization classifier ": "tests/training/studies/test_classifier_quantization.py",
    r"python -m training\.compare_segmenters ": "tests/training/segmenter/test_training.py",
    r"python -m training\.transfer_study ": "tests/training/studies/test_transfer.py",
    r"python -m training\.quantization segmenter ": "tests/training/studies/test_segmenter_quantization.py",
    r"python -m training\.laboratory_study ": "tests/training/studies/test_laboratories.py",
    r"python -m training\.suspicious_labels ": "tests/training/evaluation/test_suspicious.py",
    r"python -m training\.missing_class_study ": "tests/training/studies/test_missing_class.py",
    r"python -m training\.correction_study ": "tests/training/studies/test_corrections.py",
}
# Commands that would change the machine of whoever runs the tests.
BY_HAND = (r"rm -rf \.venv", r"sudo apt-get install -y ")
# Commands that only look, or set what a shell knows.
AS_IT_IS = (r"export ", r"unset ", r"df ", r"lscpu", r"hf auth whoami", r"hf cache prune --yes", r"python -m pytest ")
# Python that the test of the data set card runs with a small archive, or an old library.
BUILDERS = ("dataset_scripts.bone_marrow_12", "trust_remote_code")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, without comments, one a line."""
        lines = self.text.replace("\\\n", " ").splitlines()
        stripped = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
        return [" ".join(line.split()) for line in stripped if line and not line.startswith("#")]


def blocks(document: str, text: str) -> list[Block]:
    """Find the fenced blocks of a Markdown text."""
    tokens = MarkdownIt().parse(text)
    return [Block(document, one.info.strip(), one.content) for one in tokens if one.type == "fence"]


def read_page(path: Path) -> list[Block]:
    """Find the blocks of a page, with the newcomer's name in them."""
    text = path.read_text(encoding="utf-8").replace("NAMESPACE/", "you/")
    return blocks(path.relative_to(ROOT).as_posix(), text)


PAGES = [
    block
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
    for block in read_page(path)
]
PUBLISHER = read_page(ROOT / "docs" / "publisher.md")
DEVELOPER = read_page(ROOT / "docs" / "developer.md")


@dataclass
class Newcomer:
    """Someone with a copy of the source, a shell and a Hub of their own."""

    tree: Path
    hub: HubServer
    environment: dict[str, str]
    typed: list[str]

    def type(self, command: str) -> str:
        """Run a command line in the source's folder; return what it prints."""
        # the real `make`, but installing is what happened before this test
        prelude = 'make() { command make -o .venv/.setup -o .venv/.demo "$@"; }\n'
        done = subprocess.run(
            ["bash", "-euc", prelude + command], cwd=self.tree, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        self.typed.append(command)
        return done.stdout + done.stderr


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory) -> Iterator[Newcomer]:
    """A newcomer who typed what stands in ``docs/publisher.md``, from ``make setup`` to ``make publish``."""
    tree = tmp_path_factory.mktemp("newcomer") / "source"
    left_out = shutil.ignore_patterns(
        ".git", ".venv", "__pycache__", "node_modules", "out", "runs", "flags", "*.egg-info", "model.keras"
    )
    shutil.copytree(ROOT, tree, ignore=left_out, symlinks=True)
    (tree / ".venv").symlink_to(Path(sys.executable).parents[1])
    with HubServer(tokens={"hf_tester": "you"}) as hub:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        pythonpath = f"{tree}:{tree / 'space'}"
        environment = hub.environment(tree.parent / "home", PATH=path, PYTHONPATH=pythonpath)
        one = Newcomer(tree, hub, environment | {"SOURCE_REVISION": "tested"}, [])
        commands = [command for block in PUBLISHER if block.language == "sh" for command in block.commands]
        for command in commands[commands.index("make setup") :]:
            if "loopback_hub" in command or command.startswith("export HF_ENDPOINT"):
                continue  # this test's own Hub, at a free port
            one.type(command)
            if command.startswith("make publish"):
                break
        example = min((tree / "space" / "examples").glob("*.jpg"))
        shutil.copy(example, tree / "smear.jpg")
        shutil.copy(min((tree / "cells" / "NGS").rglob("*.jpg")), tree / "cell.jpg")
        with Image.open(example) as image:
            write_svs(tree / "smear.svs", np.asarray(image.convert("RGB")))
        (tree / "smears").mkdir()
        shutil.copy(example, tree / "smears")
        with zipfile.ZipFile(tree / "more.zip", "w") as archive:
            archive.write(example, "smear.jpg")
        yield one


@pytest.fixture(scope="module")
def all_blocks(newcomer: Newcomer) -> list[Block]:
    """The blocks of the pages, and of the cards that arrived on the Hub."""
    cards = {name: newcomer.hub.read(*repo, "README.md").decode() for name, repo in REPOS.items()}
    return PAGES + [block for name, text in cards.items() for block in blocks(name, text)]


@pytest.fixture(scope="module")
def space(newcomer: Newcomer) -> Iterator[str]:
    """The Space as published, downloaded and started by the two commands of ``docs/publisher.md``."""
    block = next(block for block in PUBLISHER if "hf download" in block.text)
    download, serve = block.commands
    newcomer.type(download)
    port = free_port()
    serve = serve.replace("PORT=7861", f"PORT={port}")
    assert port in serve
    variables = newcomer.environment | {"PYTHONPATH": "", "GRADIO_TEMP_DIR": str(newcomer.tree / "gradio")}
    with subprocess.Popen(
        ["bash", "-c", f"exec env {serve}"], cwd=newcomer.tree, env=variables, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            commits = {name: newcomer.hub.repos["models", f"you/{name}"].at("main").id for name in MODELS}
            assert line.startswith("Serving ") and all(f"you/{name}" in line for name in commits), line
            url = f"http://127.0.0.1:{port}"
            newcomer.hub.repos["spaces", "you/bone-marrow-smear"].host = url
            yield url
        finally:
            process.terminate()
            process.wait(60)


MODELS = ("bone-marrow-yolov8-seg", "bone-marrow-mobilenet")


def test_a_newcomer_ends_with_four_repos_and_a_working_space(newcomer: Newcomer, space: str) -> None:
    assert set(newcomer.hub.repos) == set(REPOS.values())
    assert all(list(repo.tags) for repo in newcomer.hub.repos.values())
    for _ in range(100):
        if httpx.get(space).status_code == 200:
            break
        time.sleep(0.1)
    assert "Bone-marrow smear" in httpx.get(space).text


def test_every_shell_command_is_run_here_or_by_a_test_that_is_named(newcomer, space, all_blocks) -> None:
    for block in all_blocks:
        if block.language == "sh":
            for command in block.commands:
                run_command(newcomer, block, command)


def run_command(newcomer: Newcomer, block: Block, command: str) -> None:
    """Run one command as far as a test can."""
    if command in newcomer.typed or command.startswith(("PORT=7861 python ", "export HF_ENDPOINT")):
        return  # typed on the newcomer's way
    settings, command = re.fullmatch(r"((?:[A-Z_]+=\S+ )*)(.*)", command).groups()
    if command.startswith("python -m loopback_hub"):
        assert_options_exist(newcomer, command.removesuffix(" &"))
    elif command.startswith("make publish"):
        shown = newcomer.type(command.replace("make ", "make -n "))
        assert_options_exist(newcomer, next(line for line in shown.splitlines() if "training.publish" in line))
    elif command.startswith("hf jobs uv run "):
        told = newcomer.type(
            command.replace("uv run ", "uv run --dry-run ").replace("$(git describe --always --dirty)", "x")
        )
        assert re.search(r"args +(classifier|segmenter) you", told) and "/source/training" in told
    elif command.startswith(("marrow ", "python -m training.explain ")):
        typed = command.replace("marrow ", "python -m marrow.cli ", 1) if command[0] == "m" else command
        newcomer.type(settings + typed)
    elif any(re.match(pattern, command) for pattern in AS_IT_IS):
        newcomer.type(command)
    elif any(re.match(pattern, command) for pattern in BY_HAND):
        installed = command.partition("apt-get install -y ")[2].split()
        assert all(package in (ROOT / ".ci" / "run").read_text() for package in installed), command
    else:
        where = next((file for pattern, file in ELSEWHERE.items() if re.match(pattern, command)), None)
        assert where, f"no test runs this command of the {block.document}: {command}"
        program = re.split(r"[ ./]", command.removeprefix("python -m ").removesuffix(" .").replace(".py", ""))
        named = next((word for word in program if word not in ("python", "training", "dataset_scripts", "make")), "")
        assert re.search(rf"\b{named}\b", (ROOT / where).read_text(encoding="utf-8")), f"{where} does not run {command}"
        if command.startswith("make "):
            newcomer.type(settings + command.replace("make ", "make -n ", 1))
        elif command.startswith("python "):
            assert_options_exist(newcomer, command)


HELP: dict[str, str] = {}


def assert_options_exist(newcomer: Newcomer, command: str) -> None:
    """Compare the options of a command with its help."""
    words = command.split()
    program = " ".join(words[1:3] if words[1] == "-m" else words[1:2])
    if program not in HELP:
        HELP[program] = newcomer.type(f"python {program} --help")
    for option in (word for word in words if word.startswith("--")):
        assert re.search(rf"{option}\b", HELP[program]), f"{option} of {command}"


# Runs blocks one after the other; those of one document share their names, as a reader's session does.
RUNNER = """
import json, sys
documents = {}
for name, text in json.load(sys.stdin):
    names = documents.setdefault(name, {"__name__": "__main__"})
    print(f"--- {name}", flush=True)
    exec(compile(text, name, "exec"), names)
"""


@pytest.mark.parametrize("library", ["torch", "keras", "neither"])
def test_every_python_block_runs(newcomer, space, all_blocks, library) -> None:
    chosen = [[block.document, block.text] for block in all_blocks if of_library(block) == library]
    assert chosen
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(chosen),
        cwd=newcomer.tree,
        env=newcomer.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
    assert done.stdout.count("--- ") == len(chosen)
    printed = [part.partition("\n")[2] for part in done.stdout.split("--- ")[1:]]
    assert all(part.strip() for part in printed), f"a block that prints nothing shows nothing: {done.stdout}"


def of_library(block: Block) -> str | None:
    """Say in which process a block is run: torch and tensorflow must not share one."""
    if block.language != "python" or any(word in block.text for word in BUILDERS):
        return None
    if "import keras" in block.text:
        return "keras"
    return "torch" if re.search(r"import torch|transformers|ultralytics", block.text) else "neither"


def test_blocks_of_other_languages_are_known(all_blocks) -> None:
    assert {block.language for block in all_blocks} <= {"sh", "python", "", "text", "bibtex", "json", "powershell"}
    builders = [block for block in all_blocks if any(word in block.text for word in BUILDERS)]
    card = blocks("data set card", (ROOT / "dataset_scripts" / "README.md").read_text(encoding="utf-8"))
    assert {block.text for block in builders if block.language == "python"} <= {block.text for block in card}


def test_a_block_of_windows_does_what_make_does(newcomer) -> None:
    """No test runs on Windows: its lines are those of the Makefile, or of pyproject.toml, in another shell."""
    demo = newcomer.type("touch space/requirements.txt && command make -n demo")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    commands = [command for block in PAGES if block.language == "powershell" for command in block.commands]
    assert commands
    for command in commands:
        unix = command.replace("\\", "/").replace(".venv/Scripts/", "")
        if extra := re.fullmatch(r"pip install -e \.\[(\w+)\]", unix):
            assert extra[1] in extras
        elif setting := re.fullmatch(r'\$env:(\w+) = "1"', command):
            assert setting[1] in inspect.getsource(constants)
        else:
            assert unix.removeprefix("pip ") in demo or unix == "py -m venv .venv", command


def test_the_address_of_the_mcp_server_answers(space: str) -> None:
    (settings,) = [json.loads(block.text) for block in PAGES if block.language == "json"]
    address = httpx.URL(settings["mcpServers"]["bone-marrow-smear"]["url"])
    hello = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    answer = httpx.post(
        f"{space}{address.path}",
        json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        headers={"Accept": "application/json, text/event-stream"},
        follow_redirects=True,
    )
    assert answer.status_code == 200 and "serverInfo" in answer.text


def test_the_json_of_the_page_for_developers_has_the_keys_of_an_analysis(newcomer) -> None:
    (layout,) = [block.text for block in DEVELOPER if not block.language]
    newcomer.type("python -m marrow.cli analyze smear.jpg --out layout")
    analysis = json.loads((newcomer.tree / "layout" / "smear.json").read_text())
    keys = {*analysis, *analysis["report"], *analysis["image"], *analysis["cells"][0]}
    assert {key for key in keys if f'"{key}"' not in layout} == set()
