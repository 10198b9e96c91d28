"""Where cells are from: said, known of a public archive by its layout, and never guessed from a name."""

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from dataset_scripts.bone_marrow_12 import CODES_21, MANIFEST, OLD_MANIFEST, BoneMarrow12, DatasetError, manifest_lines
from tests.commands import assert_refused, succeed
from tests.dataset_scripts.made_up_sources import (
    built,
    digests,
    make_source,
    make_zip,
    picture,
    run,
    save,
    table,
    write,
)

OPTIONS = ("--config", "imbalanced-12", "--allow-short")
PBC = ("basophil", "eosinophil", "erythroblast", "ig", "lymphocyte", "monocyte", "neutrophil", "platelet")


def origins(*sources: Path, **options) -> Counter[tuple[str, str]]:
    return Counter((row.origin, row.laboratory) for row in built(*sources, allow_short=True, **options).rows)


def make_pbc(folder: Path) -> Path:
    for number, name in enumerate(PBC):
        save(folder / name / f"{name[:2].upper()}_{100_000 + number}.jpg", picture(number))
    return folder


def test_a_name_says_nothing_and_origin_says_it(tmp_path):
    source = make_source(tmp_path / "BM_cytomorphology_data", {"BLA": 6, "LYT": 4})
    assert origins(source) == {("unknown", "BM_cytomorphology_data"): 10}
    assert origins(make_source(tmp_path / "PBC_dataset_normal_DIB", {"EOS": 3})) == {
        ("unknown", "PBC_dataset_normal_DIB"): 3
    }
    write(tmp_path / "set", "--data-dir", source, "--origin", "bone_marrow", *OPTIONS)
    rows = [row for part in table(tmp_path / "set").values() for row in part]
    assert {(row["origin"], row["laboratory"]) for row in rows} == {("bone_marrow", "BM_cytomorphology_data")}


@pytest.mark.parametrize("part", [2, 10_000])
def test_the_layout_of_the_archive_is_bone_marrow(tmp_path, part):
    archive = make_source(tmp_path / "BM_cytomorphology_data", dict.fromkeys(CODES_21, 4), part=part)
    save(archive / "PLM" / "mine.jpg", picture(99_999))
    found = {("bone_marrow", "MLL"): 48, ("unknown", "BM_cytomorphology_data"): 1}
    assert origins(archive) == found
    assert origins(tmp_path) == {("bone_marrow", "MLL"): 48, ("unknown", tmp_path.name): 1}
    packed = make_zip(tmp_path / "cells.zip", archive, top="BM_cytomorphology_data/")
    assert origins(packed)["bone_marrow", "MLL"] == 48
    assert origins(archive, origins=("blood",)) == {("blood", "BM_cytomorphology_data"): 49}
    assert origins(archive.rename(tmp_path / "BM_cytomorphology_data_2")) == {
        ("unknown", "BM_cytomorphology_data_2"): 49
    }


def test_the_layout_of_the_blood_archive_is_blood(tmp_path):
    assert origins(make_pbc(tmp_path / "PBC_dataset_normal_DIB")) == {("blood", "Barcelona"): 4}


def test_drawn_cells_are_known_by_their_marker(tmp_path):
    succeed("dataset_scripts/synthetic_cells.py", "--out", tmp_path / "mine", "--per-class", "1", "--classes", "BLA")
    make_source(tmp_path / "drawn", {"LYT": 2})
    assert origins(tmp_path / "mine", tmp_path / "drawn") == {("drawn", "drawn"): 1, ("unknown", "drawn"): 2}
    (tmp_path / "mine" / "origin.json").write_text('{"origin": "pencil"}')
    with pytest.raises(DatasetError, match=r"pencil.*bone_marrow"):
        origins(tmp_path / "mine")


def test_flags_are_unknown_unless_they_say_it(tmp_path):
    flags = tmp_path / "bone-marrow-flags"
    for number, more in enumerate(({}, {"origin": "bone_marrow", "laboratory": "Ulm"})):
        entry = flags / "data" / f"2026112{number}T120000Z-0a1b2c3d"
        save(entry / "crops" / "BLA" / "1.png", picture(number))
        (entry / "metadata.jsonl").write_text(json.dumps({"file_name": "image.png"} | more) + "\n")
    assert origins(flags) == {("unknown", "bone-marrow-flags"): 1, ("bone_marrow", "Ulm"): 1}
    assert origins(flags, origins=("blood",), laboratories=("Bonn",)) == {("blood", "Bonn"): 2}


def test_each_origin_belongs_to_the_source_before_it(tmp_path):
    first, second, third = (make_source(tmp_path / name, {"BLA": 5}, seed=100 * i) for i, name in enumerate("abc"))
    arguments = ("--data-dir", first, "--data-dir", second, "--laboratory", "Ulm, Haus 2", "--origin", "blood")
    done = write(tmp_path / "set", *arguments, "--data-dir", third, "--origin", "bone_marrow", *OPTIONS)
    rows = [row for part in table(tmp_path / "set").values() for row in part]
    assert Counter((row["source"], row["origin"], row["laboratory"]) for row in rows) == {
        ("a", "unknown", "a"): 5,
        ("b", "blood", "Ulm, Haus 2"): 5,
        ("c", "bone_marrow", "c"): 5,
    }
    counts = {"bone_marrow": {"c": 5}, "blood": {"Ulm, Haus 2": 5}, "unknown": {"a": 5}}
    assert json.loads((tmp_path / "set" / "audit.json").read_text())["origins"] == counts
    assert "origin blood: Ulm, Haus 2 5" in done.stdout
    assert "| blood | Ulm, Haus 2 | 5 |" in (tmp_path / "set" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--origin", "blood", "--data-dir", "x"), ["--origin", "before it"]),
        (("--data-dir", "x", "--laboratory", "a", "--laboratory", "b"), ["--laboratory", "twice", "x"]),
        (("--data-dir", "x", "--data-dir", "y", "--origin", "blood", "--origin", "drawn"), ["twice", "y"]),
        (("--data-dir", "x", "--origin", "marrow"), ["marrow", "bone_marrow"]),
        (("--data-dir", "x", "--laboratory", " "), ["name the laboratory"]),
    ],
)
def test_an_origin_out_of_place_is_refused(arguments, words, tmp_path):
    assert_refused(run(*arguments, "--out", tmp_path / "set"), *words)


def test_a_table_says_it_for_each_image_and_the_command_line_for_the_rest(tmp_path):
    make_source(tmp_path, {"BLA": 3})
    lines = [("BLA/BLA_00000.jpg", "blood", " Bonn "), ("BLA/BLA_00001.jpg", "", ""), ("BLA/BLA_00002.jpg", "", "Ulm")]
    with (tmp_path / "cells.csv").open("w", newline="") as file:
        head = [("path", "origin", "laboratory", "label")]
        csv.writer(file).writerows([*head, *((*line, "BLA") for line in lines)])
    table_file = tmp_path / "cells.csv"
    assert origins(table_file) == {("blood", "Bonn"): 1, ("unknown", "cells"): 1, ("unknown", "Ulm"): 1}
    assert origins(table_file, origins=("drawn",), laboratories=("x",)) == {
        ("blood", "Bonn"): 1,
        ("drawn", "x"): 1,
        ("drawn", "Ulm"): 1,
    }
    table_file.write_text(table_file.read_text().replace("blood", "bone marrow"))
    with pytest.raises(DatasetError, match=r"'bone marrow' .line 2 of"):
        origins(table_file)


def test_the_manifest_knows_the_origin_and_an_older_one_still_verifies(tmp_path):
    source = make_source(tmp_path / "a", {"BLA": 12})
    rows = built(source, classes=("BLA",)).rows
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    for file, header in ((old, OLD_MANIFEST), (new, MANIFEST)):
        file.write_text("\n".join(manifest_lines(rows, header)) + "\n")
    options = ("--data-dir", source, *OPTIONS, "--classes", "BLA")
    write(tmp_path / "set", *options, "--verify", old)
    write(tmp_path / "again", *options, "--verify", new)
    assert digests(tmp_path / "set") == digests(tmp_path / "again")
    for manifest in (old, new):
        assert run("--out", tmp_path / "set", "--verify", manifest).returncode == 0
    said = (*options[:2], "--origin", "blood", *options[2:])
    assert_refused(run("--out", tmp_path / "other", *said, "--verify", new), "12 of its 12 rows are missing")
    write(tmp_path / "other", *said, "--verify", old)


def test_the_builder_takes_parallel_lists(tmp_path):
    first, second = (make_source(tmp_path / name, {"BLA": 12}, seed=100 * i) for i, name in enumerate("ab"))

    def counted(**more) -> Counter[tuple[str, str]]:
        options = {"config_name": "imbalanced-12", "classes": ("BLA",), "cache_dir": str(tmp_path / "cache")}
        builder = BoneMarrow12(data_dirs=(str(first), str(second)), **options, **more)
        return Counter(
            (row["origin"], row["laboratory"])
            for part in builder.as_streaming_dataset().values()
            for row in part.select_columns(["origin", "laboratory"])
        )

    assert counted() == {("unknown", "a"): 12, ("unknown", "b"): 12}
    assert counted(origins=("blood", None), laboratories=(None, "Ulm")) == {("blood", "a"): 12, ("unknown", "Ulm"): 12}
    with pytest.raises(DatasetError, match="1 origins for 2 sources"):
        counted(origins=("blood",))
