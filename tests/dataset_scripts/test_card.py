"""The data set card: every command and snippet in it runs, in its order, and what it says is so."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dataset_scripts import bone_marrow_12 as script
from loopback_hub.server import HubServer
from tests.dataset_scripts.made_up_sources import (
    SCRIPT,
    make_source,
    picture,
    python_with_old_datasets,
    save,
    table,
    without_counts,
)

CARD = SCRIPT.with_name("README.md")
TEXT = CARD.read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
NOT_RUN = {"text", "bibtex"}


@pytest.fixture(scope="module")
def workplace(drawn_cells, tmp_path_factory) -> Path:
    """A folder with the script and its card, and small stand-ins for the archive and for someone's own cells."""
    work = tmp_path_factory.mktemp("card")
    archive = shutil.copytree(drawn_cells, work / "BM_cytomorphology_data")
    (archive / script.MARKER).unlink()
    others = [code for code in script.CODES_21 if code not in script.CODES_12]
    make_source(archive, dict.fromkeys(others, 4), seed=90_000)
    save(work / "own_cells" / "PLM" / "mine.png", picture(1))
    (work / "dataset_scripts").mkdir()
    (work / "dataset_scripts" / "__init__.py").touch()  # before the one that is installed
    shutil.copy(CARD, work / "dataset_scripts")
    program, line = SCRIPT.read_text(encoding="utf-8"), "\nPER_CLASS = 3000\n"
    assert line in program
    (work / "dataset_scripts" / SCRIPT.name).write_text(program.replace(line, "\nPER_CLASS = 10\n"), encoding="utf-8")
    return work


def interpreter(block: str) -> Path:
    return python_with_old_datasets() if "trust_remote_code" in block else Path(sys.executable)


def run_block(language: str, block: str, work: Path, environment: dict[str, str]) -> str:
    """Run a block as a reader would, with ``tester`` for the namespace, and give what it prints."""
    block = block.replace("NAMESPACE/", "tester/")
    python = interpreter(block)
    if language == "python":
        (work / "snippet.py").write_text(block, encoding="utf-8")
        command = [python, "snippet.py"]
    else:
        command = ["bash", "-euc", block]
    environment = environment | {"PATH": f"{python.parent}:{environment['PATH']}", "PYTHONPATH": str(work)}
    done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{block}\n{done.stdout[-1000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def test_every_block_of_the_card_runs(workplace, tmp_path):
    runnable = [(language, block) for language, block in BLOCKS if language not in NOT_RUN]
    assert {language for language, _ in runnable} == {"sh", "python"} and len(runnable) == 8
    from_hub_last = sorted(runnable, key=lambda block: 'load_dataset("NAMESPACE/' in block[1])
    with HubServer() as hub:
        environment = hub.environment(tmp_path / "home")
        printed = [run_block(*block, workplace, environment) for block in from_hub_last]
        files = hub.repos["datasets", "tester/bone-marrow-12"].at("main").files
    assert "wrote 120 images" in printed[0] and "pushed to" in printed[1]
    assert all("num_rows: 96" in text and "num_rows: 12" in text for text in (printed[2], printed[4]))
    assert "'label': " in printed[3]
    assert re.fullmatch(r"[A-Z]{3} \(\d+, \d+\)\n", printed[-1])
    assert {len(table(workplace / folder)["train"]) for folder in ("set", "again")} == {96}
    assert sum(map(len, table(workplace / "blasts").values())) == 24
    assert sum(map(len, table(workplace / "merged").values())) == 121
    card = workplace / "set" / "README.md"
    assert without_counts(card.read_text(encoding="utf-8")) == without_counts(TEXT)
    assert "| bone_marrow | MLL | 120 |" in card.read_text(encoding="utf-8")
    assert files["README.md"].size == card.stat().st_size and "audit.json" in files


def test_the_pictures_of_the_card_are_there():
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", TEXT)
    assert pictures
    assert all((CARD.parent / picture).is_file() for picture in pictures)


def test_the_front_matter_tells_the_hub_what_it_is():
    data = yaml.safe_load(TEXT.split("---")[1])
    assert data["license"] == "cc-by-4.0" and data["task_categories"] == ["image-classification"]
    assert script.TITLE in TEXT, "by which the script knows its card"


def test_the_tables_hold_the_classes_configurations_and_columns():
    rows = re.findall(r"^\| ([A-Z]{3}) \| ([a-z ]+) \| [\d,]+ \| ([\d,]+) \|$", TEXT, re.MULTILINE)
    assert [(code, name) for code, name, _ in rows] == [(code, script.NAMES_21[code]) for code in script.CODES_12]
    assert {int(number.replace(",", "")) for *_, number in rows} == {script.PER_CLASS}
    others = re.findall(r"([A-Z]{3}) ([a-z ]+)\s*\([\d,]+\)", TEXT.replace("\n", " "))
    assert others == [(code, name + " ") for code, name in script.NAMES_21.items() if code not in script.CODES_12]
    assert re.findall(r"^\| `(\w+-\d\d)`", TEXT, re.MULTILINE) == list(script.CONFIGS)
    assert re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE) == list(script.features(script.CODES_12))


def test_the_figures_in_the_text_are_those_of_the_script():
    for words in (
        f"at most {script.HASH_BITS} bits",
        f"correlate above {script.COARSE}",
        f"correlates above {script.SIMILARITY}",
        f"{script.THUMB} × {script.THUMB} pixels",
        f"{script.MAX_PIXELS // 1_000_000} megapixels or {script.MAX_BYTES // 1_000_000} MB",
        script.ARCHIVE,
    ):
        assert words in TEXT.replace("\n", " ").replace("  ", " "), words
