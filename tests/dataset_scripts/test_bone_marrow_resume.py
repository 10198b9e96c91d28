"""A run that was stopped, by Ctrl-C or killed outright, goes on with what is missing and gives the same files."""

import os
import shutil
from pathlib import Path

import pytest

from tests.dataset_scripts.made_up_sources import digests, make_source, picture, run_in_small_steps, save, write

OPTIONS = ("--config", "imbalanced-12", "--classes", "BLA", "LYT", "--num-proc", "2")


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    return make_source(tmp_path_factory.mktemp("many") / "marrow", {"BLA": 900, "LYT": 1100}, side=24)


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("programs")


@pytest.fixture(scope="module")
def uninterrupted(many) -> dict[str, str]:
    out = many.with_name("set")
    arguments = ("--data-dir", many, "--out", out, *OPTIONS)
    done = run_in_small_steps(many.parent, *arguments, SHARD_BYTES="200000")
    assert done.returncode == 0, done.stderr
    assert len(list(out.glob("data/train-*"))) > 4
    return digests(out)


@pytest.mark.parametrize(
    ("where", "calls", "signal"),
    [
        ("reading", 4, "SIGKILL"),
        ("reading", 4, "SIGINT"),
        ("reading", 20, "SIGINT"),  # the processes that read have nothing left to do: they too stay silent
        ("writing", 4, "SIGKILL"),
        ("writing", 4, "SIGINT"),
    ],
)
def test_a_run_that_was_stopped_goes_on_with_what_is_missing(
    where, calls, signal, many, uninterrupted, programs, tmp_path
):
    folder, out = shutil.copytree(many, tmp_path / "marrow"), tmp_path / "set"
    write(out, "--data-dir", folder, "--classes", "BLA", "--per-class", "10")
    before = digests(out)
    arguments = (programs, "--data-dir", folder, "--out", out, *OPTIONS)
    done = run_in_small_steps(*arguments, STOP=f"{where} {calls} {signal}", SHARD_BYTES="200000")
    assert done.returncode == (-9 if signal == "SIGKILL" else 130)
    if signal == "SIGINT":
        assert done.stderr == "bone_marrow_12: stopped; the same command goes on from here\n"
    assert digests(out) == before, "the older set is there until the new one is whole"

    store = tmp_path / "set.partial"
    finished = sorted(int(file.stem) for file in store.glob("?????.npz"))
    # the processes that read may be ahead of the main one, which is stopped at the fourth chunk
    assert len(finished) == 20 if (where, calls) != ("reading", 4) else 4 <= len(finished) <= 20
    shards = {file.name: file.stat().st_mtime_ns for file in store.glob("set/data/*.parquet")}
    assert len(shards) == (4 if where == "writing" else 0)
    in_order = sorted(folder.rglob("*.jpg"), key=lambda file: file.relative_to(folder).as_posix())
    for file in (file for number in finished for file in in_order[number * 100 : number * 100 + 100]):
        status = file.stat()
        file.write_bytes(bytes(status.st_size))  # who reads it again finds no image
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))

    done = run_in_small_steps(*arguments, SHARD_BYTES="200000")
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert digests(out) == uninterrupted
    assert shards.items() <= {file.name: file.stat().st_mtime_ns for file in out.glob("data/*")}.items()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["marrow", "set"]


@pytest.mark.parametrize("change", ["options", "files"])
def test_other_options_or_files_start_anew(change, many, programs, tmp_path):
    folder, out = shutil.copytree(many, tmp_path / "marrow"), tmp_path / "set"
    options = [*OPTIONS[:-1], "1", "--per-class", "300"]
    settings = {"SHARD_BYTES": "50000"}
    arguments = (programs, "--data-dir", folder, "--out", out)
    done = run_in_small_steps(*arguments, *options, STOP="writing 2 SIGKILL", **settings)
    assert done.returncode == -9
    if change == "options":
        options += ["--seed", "5"]
    else:
        for file in folder.glob("BLA/*.jpg"):
            save(file, picture(int(file.stem.split("_")[1]) + 70_000, 32))
    for target in (out, tmp_path / "fresh" / "set"):
        done = run_in_small_steps(programs, "--data-dir", folder, "--out", target, *options, **settings)
        assert done.returncode == 0, done.stderr
    assert digests(out) == digests(tmp_path / "fresh" / "set")
