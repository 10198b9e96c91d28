"""Publishing a small release to a Hub on loopback: what arrives, again, by pull request, and over what others did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from marrow import __version__
from tests.commands import ROOT, succeed
from tests.training.release.published import (
    CLASSIFIER,
    MODELS,
    SEGMENTER,
    SPACE,
    Publisher,
    publisher,
    write,
    write_metrics,
)
from training.release.cards import describe_copy

VERSION = f"v{__version__}"


@pytest.fixture
def publish(tmp_path: Path) -> Iterator[Publisher]:
    with publisher(tmp_path) as ready:
        yield ready


def test_what_is_published_arrives_is_tried_and_only_changes_are_pushed_again(
    publish: Publisher, tmp_path: Path
) -> None:
    hub = publish.hub
    done = publish(dataset=True)
    assert done.returncode == 0, done.stderr
    heads = publish.heads()
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        f"dataset    {hub.url}/datasets/tester/bone-marrow-12 commit {heads['bone-marrow-12']}",
        f"classifier {hub.url}/tester/{CLASSIFIER} commit {heads[CLASSIFIER]}",
        f"segmenter  {hub.url}/tester/{SEGMENTER} commit {heads[SEGMENTER]}",
        f"space      {hub.url}/spaces/tester/{SPACE} commit {heads[SPACE]}",
    ]
    assert "analyzed with the pulled files, " in lines[4]
    assert [line.split()[-1] for line in lines[5:]] == [VERSION] * 4
    for repo in hub.repos.values():
        assert len(repo.commits) == 2, "the initial commit and one more"
        assert repo.at("main").title.startswith("Publish from source ")
        assert repo.tags == {VERSION: repo.branches["main"]}
    cells, space = hub.repos["datasets", "tester/bone-marrow-12"], hub.repos["spaces", f"tester/{SPACE}"]
    splits = ("train", "validation", "test")
    data = {f"data/{split}-00000-of-00001.parquet" for split in splits}
    assert set(cells.at("main").files) == {".gitattributes", "README.md", *data}
    here = {p.relative_to(ROOT / "space").as_posix() for p in (ROOT / "space").rglob("*.py")}
    assert here <= set(space.at("main").files)
    left_out = ("__pycache__", "flags/", "egg-info", ".cache")
    assert not [name for name in space.at("main").files if any(piece in name for piece in left_out)]
    assert b"`tester/bone-marrow-mobilenet`" in hub.read("models", f"tester/{CLASSIFIER}", "README.md")
    assert b"it holds 7 images (" in hub.read("datasets", "tester/bone-marrow-12", "README.md")

    pins = [f"tester/{name}@{heads[name]}" for name in (SEGMENTER, CLASSIFIER)]
    assert publish.pins(tmp_path) == pins and space.variables == {}
    front = yaml.safe_load(hub.read("spaces", f"tester/{SPACE}", "README.md").decode().split("---")[1])
    assert front["models"] == [pin.split("@")[0] for pin in pins]
    assert front["datasets"] == ["tester/bone-marrow-12"]

    cells = 'load_dataset("tester/bone-marrow-12")'
    code = f"from datasets import load_dataset; print({{name: len(split) for name, split in {cells}.items()}})"
    used = subprocess.run(
        [sys.executable, "-c", code], env=hub.environment(tmp_path / "cache"), capture_output=True, text=True
    )
    assert used.stdout == "{'train': 4, 'validation': 2, 'test': 1}\n", used.stderr

    hub.requests.clear()
    again = publish(dataset=True)
    assert again.stdout.count("unchanged at") == 4 and "nothing to do" in again.stdout
    assert not [asked for asked in hub.requests if asked.split()[0] in ("POST", "PUT", "DELETE")]

    write_metrics(publish.root / "hub" / CLASSIFIER, accuracy=1)
    dry = publish("--dry-run", dataset=True)
    assert f"{CLASSIFIER} would get 1 changed files (metrics.json)" in dry.stdout and publish.heads() == heads
    changed = publish(dataset=True)
    assert changed.returncode == 0, changed.stderr
    new = publish.heads()
    assert [name for name in heads if new[name] != heads[name]] == [CLASSIFIER, SPACE]
    assert publish.pins(tmp_path) == [pins[0], f"tester/{CLASSIFIER}@{new[CLASSIFIER]}"]
    assert hub.repos["models", f"tester/{CLASSIFIER}"].tags == {
        VERSION: heads[CLASSIFIER],
        f"{VERSION}.post1": new[CLASSIFIER],
    }


def test_a_dry_run_pushes_nothing_and_private_is_private(publish: Publisher) -> None:
    done = publish("--dry-run")
    assert f"{publish.hub.url}/tester/{CLASSIFIER} would be made with 4 files, " in done.stdout
    assert not publish.hub.repos
    private = publish("--only", "segmenter", "--private")
    assert private.returncode == 0, private.stderr
    assert "analyzed with the pulled files" in private.stdout
    assert [repo.private for repo in publish.hub.repos.values()] == [True]


def test_what_others_changed_is_shown_and_kept_unless_forced(publish: Publisher) -> None:
    assert publish("--only", "segmenter").returncode == 0
    publish.edit("models", SEGMENTER, "README.md", "---\nlicense: agpl-3.0\n---\n# A card\n\nA line by hand.\n")
    edited = publish.heads()
    assert "unchanged" not in publish("--dry-run", "--only", "classifier").stdout
    refused = publish("--only", "segmenter")
    assert f"README.md of tester/{SEGMENTER} was edited on the Hub, as shown above" in refused.error
    assert "+A line by hand.\n" in refused.stdout and "-Use `tester/bone-marrow-mobilenet`.\n" in refused.stdout
    assert publish.heads() == edited
    assert publish("--only", "segmenter", "--force").returncode == 0
    assert publish.hub.read("models", f"tester/{SEGMENTER}", "README.md").endswith(b"bone-marrow-mobilenet`.\n")
    # the same change made in the source needs no force
    publish.edit("models", SEGMENTER, "metrics.json", write_metrics(publish.root / "hub" / SEGMENTER, by="hand"))
    assert "unchanged at" in publish("--only", "segmenter").stdout


def test_a_name_that_is_taken_is_not_overwritten(publish: Publisher) -> None:
    from loopback_hub.repos import Repo

    repo = publish.hub.repos["models", f"tester/{CLASSIFIER}"] = Repo("models", f"tester/{CLASSIFIER}")
    repo.commit("main", {"weights.bin": publish.hub.store(b"someone's", lfs=True)}, "Upload weights.bin")
    error = publish("--only", "classifier").error
    assert "is taken by something that this command did not publish (weights.bin)" in error
    assert set(repo.at("main").files) == {"weights.bin"}


def test_pull_requests_change_nothing_until_they_are_merged(publish: Publisher, tmp_path: Path) -> None:
    assert "there is no tester/bone-marrow-mobilenet yet; publish it once without --pr" in publish("--pr").error
    assert publish().returncode == 0
    before = publish.heads()
    write_metrics(publish.root / "hub" / CLASSIFIER, accuracy=1)
    done = publish("--pr")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("pull request with") == 2 and "tagged" not in done.stdout
    assert publish.heads() == before
    models, space = publish.hub.repos["models", f"tester/{CLASSIFIER}"], publish.hub.repos["spaces", f"tester/{SPACE}"]
    proposed = models.at("refs/pr/1").id
    assert f"tester/{CLASSIFIER}@{proposed}" in publish.pins(tmp_path, "refs/pr/1")
    assert publish("--pr").stdout.count("pull request with") == 2
    assert [len(repo.discussions) for repo in (models, space)] == [1, 1], "the same pull requests as before"
    publish.hub.requests.clear()
    merge = 'from huggingface_hub import *; HfApi().merge_pull_request("tester/bone-marrow-mobilenet", 1)'
    environment = publish.hub.environment(tmp_path / "merger")
    subprocess.run([sys.executable, "-c", merge], env=environment, check=True, capture_output=True)
    assert f"{CLASSIFIER} unchanged at {publish.heads()[CLASSIFIER]}" in publish("--only", "classifier").stdout


def test_variables_that_would_have_the_space_run_other_models_are_not_left(publish: Publisher) -> None:
    assert publish().returncode == 0
    space = publish.hub.repos["spaces", f"tester/{SPACE}"]
    space.variables["MARROW_CLASSIFIER"] = {"key": "MARROW_CLASSIFIER", "value": "someone/model@v1"}
    write(publish.root / "space" / "extra.txt", "new")
    assert "its variable MARROW_CLASSIFIER has it run someone/model@v1 whatever" in publish("--only", "space").error
    assert "extra.txt" not in space.at("main").files
    assert publish("--only", "space", "--force").returncode == 0
    assert "extra.txt" in space.at("main").files and space.variables == {}


def test_the_card_of_a_copy_says_what_it_holds(tmp_path: Path) -> None:
    features = {"info": {"features": {"label": {"names": ["BLA", "EOS"], "_type": "ClassLabel"}}}}
    table = pa.table({"label": [0, 1, 1], "source": ["marrow", "marrow", "drawn"]})
    path = tmp_path / "test-00000-of-00001.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), path)
    card = "---\nlicense: cc-by-4.0\nsize_categories:\n- 10K<n<100K\n---\n\n# Cells\n\nAll of them.\n"
    text = describe_copy(card, {"data/test-00000-of-00001.parquet": path})
    note = "it holds 3 images (test 3), of the classes BLA 1, EOS 2, from the sources drawn 1, marrow 2."
    assert text.index("# Cells") < text.index(note) < text.index("All of them.")
    assert yaml.safe_load(text.split("---")[1])["size_categories"] == ["n<1K"]
    usual = pa.table({"label": [0] * 36_000})
    pq.write_table(usual, path)
    assert describe_copy(card, {"data/test-00000-of-00001.parquet": path}) == card


@pytest.mark.parametrize("name", MODELS)
def test_the_folders_of_the_release_hold_what_is_published(name: str) -> None:
    from training.release.repos import REPO_SPECS, find_files

    spec = next(spec for spec in REPO_SPECS if spec.repo == name)
    assert set(find_files(spec, ROOT / "hub" / name)) >= set(spec.needs)


def test_the_keras_file_of_a_release_is_the_same_whenever_it_is_made(tmp_path: Path) -> None:
    one, other = tmp_path / "one.keras", tmp_path / "other.keras"
    for out in (one, other):
        succeed("-m", "training.export", "keras", "--model", ROOT / "hub" / CLASSIFIER, "--out", out)
    assert one.read_bytes() == other.read_bytes(), "else publishing again would be a change"
