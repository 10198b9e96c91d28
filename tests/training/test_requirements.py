"""Every list of dependencies is written from the one in ``pyproject.toml``."""

import re
import shutil
import subprocess
from importlib.metadata import version

import pytest
from packaging.requirements import Requirement

from tests.commands import ROOT
from training.requirements import LOCK, Dependencies, main, write_lists

HEAVY = {"torch", "torchvision", "tensorflow", "keras", "transformers", "ultralytics"}


def names(lines: list[str]) -> set[str]:
    return {Requirement(line).name for line in lines}


def locked() -> dict[str, str]:
    lines = (ROOT / LOCK).read_text().splitlines()
    return dict(line.split()[0].split("==") for line in lines if "==" in line)


@pytest.fixture
def copy(tmp_path):
    """The files that hold lists of dependencies, to be changed."""
    for path in ("pyproject.toml", "requirements.txt", "space/requirements.txt", "training/job.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    return tmp_path


def test_the_lists_are_those_of_pyproject():
    assert main(["--check"]) == 0
    assert not HEAVY & names(Dependencies().of("space"))
    assert names(Dependencies().of("training")) > HEAVY | names(Dependencies().of("data"))


def test_a_dependency_added_in_pyproject_reaches_every_list_that_wants_it(copy):
    pyproject = copy / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('    "psutil>=7",\n', '    "psutil>=7",\n    "leftpad>=3",\n'))
    dependencies = Dependencies(copy)
    assert dependencies.differing() == ["requirements.txt", "training/job.py"]
    write_lists(dependencies)
    assert Dependencies(copy).differing() == []
    for path, wanted in (("requirements.txt", 1), ("training/job.py", 1), ("space/requirements.txt", 0)):
        assert (copy / path).read_text().count("leftpad>=3") == wanted
    job = (copy / "training/job.py").read_text()
    assert job.replace('#     "leftpad>=3",\n', "") == (ROOT / "training/job.py").read_text()


def test_the_lock_holds_a_version_that_fits_and_hashes_for_each_dependency():
    text = (ROOT / LOCK).read_text()
    entries = re.split(r"\n(?=\S)", text.strip())[1:]
    assert all(re.fullmatch(r"\S+==\S+( ; .+)? \\(\n +--hash=sha256:[0-9a-f]{64}( \\)?)+", entry) for entry in entries)
    versions = locked()
    for line in map(Requirement, Dependencies().of("dev")):
        assert line.specifier.contains(versions[line.name.lower().replace("_", "-")]), line
    assert "opencv-python" not in versions and "opencv-python-headless" in versions


def test_what_is_installed_is_what_is_locked():
    versions = locked()
    assert {name: version(name) for name in ("numpy", "gradio", "torch")} == {
        name: versions[name] for name in ("numpy", "gradio", "torch")
    }


def test_no_tracked_file_names_a_registry():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    address = re.compile(
        rb"https?://[\w.-]*(pypi|pythonhosted|npmjs|npmmirror|registry\.)|--(extra-)?index-url|\"resolved\":"
    )
    own = {"tests/training/test_requirements.py"}
    for path in set(filter(None, listed.split("\0"))) - own:
        if (ROOT / path).is_file():
            assert not address.search((ROOT / path).read_bytes()), path
