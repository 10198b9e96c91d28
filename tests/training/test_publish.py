"""Publishing four tiny folders to a Hub on loopback, and using what arrived."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.hub_server import HubServer

ROOT = Path(__file__).parents[2]
CARD = "---\nlicense: agpl-3.0\n---\n# A card\n\nUse `NAMESPACE/bone-marrow-mobilenet`.\n"
MODELS = ("bone-marrow-mobilenet", "bone-marrow-yolov8-seg")


@pytest.fixture
def hub() -> Iterator[HubServer]:
    """An empty Hub."""
    with HubServer() as server:
        yield server


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    """A dataset, two models and a Space, each as small as it can be."""
    dataset, models, space = tmp_path / "dataset", tmp_path / "hub", tmp_path / "space"
    write(dataset / "README.md", "---\nlicense: cc-by-4.0\n---\n# Cells\n")
    write(dataset / "bone-marrow-12.py", "raise SystemExit('never to be run')\n")
    for split, rows in (("train", 4), ("validation", 2), ("test", 1)):
        path = dataset / "data" / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.table({"label": list(range(rows))}), path)
    for name in MODELS:
        write(models / name / "README.md", CARD)
        write(models / name / "config.json", json.dumps({"name": name}))
        write(models / name / "metrics.json", "{}")
        onnx.save(identity_model(), models / name / "model.onnx")
    write(space / "README.md", "---\ntitle: Smear\nsdk: gradio\nmodels:\n- someone/model\n---\n# A Space\n")
    write(space / "app.py", "print('hello')\n")
    write(space / "requirements.txt", "gradio\n")
    write(space / "marrow" / "__init__.py", "")
    for left_out in ("marrow/__pycache__/old.pyc", "flags/visitor.json", "marrow.egg-info/PKG-INFO", ".cache/x"):
        write(space / left_out, "")
    return {"dataset": dataset, "hub": models, "space": space}


def write(path: Path, text: str) -> None:
    """Write a small text file, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def identity_model() -> onnx.ModelProto:
    """The smallest model there is."""
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy")
    return onnx.helper.make_model(onnx.helper.make_graph([node], "identity", [x], [y]))


def publish(
    hub: HubServer, folders: dict[str, Path], *options: str, token: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command against the Hub; ``--namespace`` and the folders of models and Space are given."""
    command = [sys.executable, "-m", "training.publish", "--namespace", "tester"]
    command += ["--hub-dir", str(folders["hub"]), "--space-dir", str(folders["space"]), *options]
    environment = hub.environment(folders["hub"].parent / "home", token)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


def test_all_four_parts_arrive_and_can_be_used(hub: HubServer, folders: dict[str, Path], tmp_path: Path) -> None:
    done = publish(hub, folders, "--dataset-dir", str(folders["dataset"]))
    assert done.returncode == 0, done.stderr
    heads = {key: repo.at("main") for key, repo in hub.repos.items()}
    cells, space = heads["datasets", "tester/bone-marrow-12"], heads["spaces", "tester/bone-marrow-smear"]
    classifier, segmenter = (heads["models", f"tester/{name}"] for name in MODELS)
    assert done.stdout.splitlines() == [
        f"dataset    {hub.url}/datasets/tester/bone-marrow-12 commit {cells.id}",
        f"classifier {hub.url}/tester/bone-marrow-mobilenet commit {classifier.id}",
        f"segmenter  {hub.url}/tester/bone-marrow-yolov8-seg commit {segmenter.id}",
        f"space      {hub.url}/spaces/tester/bone-marrow-smear commit {space.id}",
    ]
    for key, head in heads.items():
        assert len(hub.repos[key].commits) == 2, "the initial commit and one more"
        assert head.title.startswith("Publish from source ")
    assert set(cells.files) == {
        ".gitattributes",
        "README.md",
        *(f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")),
    }
    assert set(space.files) == {
        ".gitattributes",
        "README.md",
        "app.py",
        "requirements.txt",
        "marrow/__init__.py",
    }
    assert b"`tester/bone-marrow-mobilenet`" in hub.read("models", f"tester/{MODELS[0]}", "README.md")

    pins = {
        "MARROW_CLASSIFIER": f"tester/{MODELS[0]}@{classifier.id}",
        "MARROW_SEGMENTER": f"tester/{MODELS[1]}@{segmenter.id}",
    }
    variables = hub.repos["spaces", "tester/bone-marrow-smear"].variables
    assert {key: variable["value"] for key, variable in variables.items()} == pins
    readme = hub.read("spaces", "tester/bone-marrow-smear", "README.md").decode()
    front = yaml.safe_load(readme.split("---")[1])
    assert front["title"] == "Smear"
    assert sorted(front["models"]) == sorted(f"tester/{name}" for name in MODELS)
    assert front["datasets"] == ["tester/bone-marrow-12"]
    assert f"tester/{MODELS[0]} config.json,model.onnx {classifier.id}" in front["preload_from_hub"]
    assert readme.endswith("# A Space\n")

    code = f"""
from datasets import load_dataset
from marrow.hub import resolve
print({{name: len(split) for name, split in load_dataset("tester/bone-marrow-12").items()}})
for reference in {list(pins.values())}:
    print((resolve(reference).path / "config.json").read_text())
"""
    used = subprocess.run(
        [sys.executable, "-c", code], env=hub.environment(tmp_path / "cache"), capture_output=True, text=True
    )
    assert used.stdout.splitlines() == [
        "{'train': 4, 'validation': 2, 'test': 1}",
        *(json.dumps({"name": name}) for name in MODELS),
    ], used.stderr


def test_only_what_changed_is_committed(hub: HubServer, folders: dict[str, Path]) -> None:
    publish(hub, folders)
    (folders["hub"] / MODELS[0] / "metrics.json").write_text('{"accuracy": 1}')
    write(folders["space"] / "extra.txt", "for one commit")
    publish(hub, folders, "--only", "space")
    (folders["space"] / "extra.txt").unlink()
    done = publish(hub, folders)
    dataset, classifier, segmenter, space = done.stdout.splitlines()
    assert dataset == "dataset    left out, because no --dataset-dir is given"
    assert "bone-marrow-mobilenet commit " in classifier
    assert "bone-marrow-yolov8-seg unchanged at " in segmenter
    assert "bone-marrow-smear commit " in space
    assert len(hub.repos["models", f"tester/{MODELS[1]}"].commits) == 2
    assert "extra.txt" not in hub.repos["spaces", "tester/bone-marrow-smear"].at("main").files
    pinned = hub.repos["spaces", "tester/bone-marrow-smear"].variables["MARROW_CLASSIFIER"]["value"]
    assert pinned.endswith(hub.repos["models", f"tester/{MODELS[0]}"].at("main").id)


def test_a_dry_run_pushes_nothing_and_private_is_private(hub: HubServer, folders: dict[str, Path]) -> None:
    done = publish(hub, folders, "--dry-run", token="")
    assert f"{hub.url}/tester/bone-marrow-mobilenet would get 4 files, 0.0 MB" in done.stdout
    assert not hub.repos
    assert publish(hub, folders, "--only", "segmenter", "--private").returncode == 0
    assert [repo.private for repo in hub.repos.values()] == [True]


def test_every_failure_is_one_line(hub: HubServer, folders: dict[str, Path], tmp_path: Path) -> None:
    def error(*options: str, token: str | None = None) -> str:
        done = publish(hub, folders, *options, token=token)
        assert done.returncode == 2
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        return done.stderr

    assert "--dataset-dir DIR" in error("--only", "dataset")
    assert "There is no dataset folder" in error("--dataset-dir", str(tmp_path / "nowhere"))
    assert "No access token" in error(token="")
    assert "does not accept the access token" in error(token="hf_wrong")
    assert "may not write to someone" in error("--namespace", "someone")
    assert "publish --only segmenter first" in error("--only", "space")
    write(folders["hub"] / MODELS[1] / "README.md", "---\nlicense: [\n---\n")
    assert "segmenter: Invalid metadata in README.md" in error("--only", "segmenter")
    (folders["hub"] / MODELS[0] / "model.onnx").unlink()
    assert "has no model.onnx" in error()
    shutil.rmtree(folders["hub"] / MODELS[0])
    assert "There is no classifier folder" in error()
    hub.close()
    assert f"{hub.url} does not answer" in error("--only", "segmenter")
