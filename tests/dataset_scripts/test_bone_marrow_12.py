"""The data set script as a whole: configurations, the same set everywhere, splits, audit, manifest."""

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dataset_scripts.bone_marrow_12 import CODES_12, CODES_21, OLD_MANIFEST, SPLITS, main, manifest_lines
from tests.commands import assert_refused
from tests.dataset_scripts.made_up_sources import (
    CLASSES,
    COUNTS,
    built,
    digests,
    make_bitmaps,
    make_source,
    picture,
    run,
    run_in_small_steps,
    save,
    table,
    write,
)

# the manifest of `bitmaps` as it must come out on every machine
GOLDEN = "7a83653f94c351ba2127907859db704364bed373562ef9309004d59bd6dfc27f"


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return make_source(tmp_path_factory.mktemp("flat") / "marrow", COUNTS)


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    """A few images of each of the 21 classes."""
    counts = {code: 4 + number % 3 for number, code in enumerate(CODES_21)}
    return make_source(tmp_path_factory.mktemp("archive") / "marrow", counts, side=48)


def labels(out: Path) -> Counter[str]:
    """Count the images of each class of a written set, classes in the order of its labels."""
    file = next(out.glob("data/train-*"))
    names = json.loads(pq.read_schema(file).metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    return Counter(dict.fromkeys(names, 0)) + Counter(
        names[row["label"]] for rows in table(out).values() for row in rows
    )


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path | int) -> str:
    """Run the command line in this process; it must end with exit code 2 and one line, which comes back."""
    capsys.readouterr()
    assert main(list(map(str, arguments))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


# Configurations


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--config", "imbalanced-12"), {code: 4 + CODES_21.index(code) % 3 for code in CODES_12}),
        (("--config", "full-21"), {code: 4 + number % 3 for number, code in enumerate(CODES_21)}),
        (("--per-class", "4"), dict.fromkeys(CODES_12, 4)),
        (("--classes", "ngs", "BLA", "--per-class", "3", "--seed", "7"), {"NGS": 3, "BLA": 3}),
        (("--classes", "MYB", "--per-class", "all", "--splits", "50/0/50"), {"MYB": 4 + CODES_21.index("MYB") % 3}),
    ],
)
def test_a_configuration_has_its_classes_in_their_order(archive, tmp_path, options, expected):
    done = write(tmp_path / "set", "--data-dir", archive, *options)
    assert list(labels(tmp_path / "set").items()) == list(expected.items())
    assert f"wrote {sum(expected.values())} images" in done.stdout
    paths = [row["path"] for rows in table(tmp_path / "set").values() for row in rows]
    assert len(set(paths)) == len(paths), "none is repeated"
    assert ("50/0/50" in options) == (not list(tmp_path.glob("set/data/validation-*")))


def test_the_default_asks_for_3000_images_of_twelve_classes(archive, tmp_path):
    done = run("--data-dir", archive, "--out", tmp_path / "set")
    assert_refused(done, "Fewer than 3000", *(f"{code} {4 + CODES_21.index(code) % 3}" for code in CODES_12))
    assert len(done.stderr.splitlines()) == 1 and not list(tmp_path.iterdir()), "nothing is written"


def test_a_short_class_is_refused_with_its_count_unless_allowed(source, tmp_path):
    arguments = ("--data-dir", source, "--classes", *CLASSES, "--per-class", "45")
    done = run("--out", tmp_path / "set", *arguments)
    assert_refused(done, "Fewer than 45", "BLA 30", "LYT 40", "--allow-short")
    assert len(done.stderr.splitlines()) == 1 and "NGS" not in done.stderr
    assert not list(tmp_path.iterdir())
    write(tmp_path / "set", *arguments, "--allow-short")
    assert labels(tmp_path / "set") == {"BLA": 30, "LYT": 40, "NGS": 45}


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--splits", "80/10/5"), "100"),
        (("--splits", "90/10"), "three"),
        (("--per-class", "0"), "above 0"),
        (("--num-proc", "0"), "above 0"),
        (("--config", "balanced-13"), "balanced-12"),
    ],
)
def test_options_that_make_no_sense_are_refused(source, tmp_path, capsys, option, words):
    with pytest.raises(SystemExit) as stopped:
        main(["--data-dir", str(source), "--out", str(tmp_path / "set"), *option])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())


def test_the_seed_chooses_the_images_and_their_splits(source):
    chosen = [built(source, classes=CLASSES, per_class=20, seed=seed).rows for seed in (1, 1, 2)]
    assert chosen[0] == chosen[1]
    assert {row.path for row in chosen[0]} != {row.path for row in chosen[2]}
    everything = [built(source, classes=CLASSES, seed=seed).rows for seed in (1, 2)]
    tests = [{row.path for row in rows if row.split == "test"} for rows in everything]
    assert tests[0] != tests[1] and len(tests[0]) == len(tests[1])


# The same set everywhere


def test_the_files_are_the_same_bytes_in_any_order_of_listing_with_any_number_of_processes(source, tmp_path):
    options = ("--data-dir", source, "--classes", *CLASSES, "--per-class", "30")
    write(tmp_path / "set", *options, "--num-proc", "1")
    for number, processes in enumerate(("1", "2")):
        out = tmp_path / f"shuffled-{number}"
        done = run_in_small_steps(tmp_path, "--out", out, *options, "--num-proc", processes)
        assert done.returncode == 0, done.stderr
        assert digests(out) == digests(tmp_path / "set")


def test_files_made_in_another_order_give_the_same_rows(source, tmp_path):
    again = tmp_path / "marrow"
    for file in sorted(source.rglob("*.jpg"), key=lambda file: file.name[::-1]):
        (again / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, again / file.parent.name / file.name)
    first, second = (built(folder, classes=CLASSES, per_class=20) for folder in (source, again))
    assert [(r.path, r.split, r.group, r.sha256) for r in first.rows] == [
        (r.path, r.split, r.group, r.sha256) for r in second.rows
    ]
    assert first.audit == second.audit


def test_the_manifest_is_the_same_on_every_machine(tmp_path):
    bitmaps = make_bitmaps(tmp_path / "cells", {"BLA": 25, "EOS": 21, "PLM": 30})
    rows = built(bitmaps, classes=("PLM", "BLA", "EOS"), per_class=20, seed=12).rows
    lines = manifest_lines(rows, OLD_MANIFEST)  # version 2.1.0 chooses as 2.0.0 did
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == GOLDEN


def test_verify_passes_for_the_same_input_and_names_a_difference(source, tmp_path, capsys):
    folder = shutil.copytree(source, tmp_path / "marrow")
    options = ("--classes", "BLA", "LYT", "--per-class", "25")
    write(tmp_path / "set", "--data-dir", folder, *options)
    expected = tmp_path / "set" / "manifest.csv"
    write(tmp_path / "again", "--data-dir", source, *options, "--verify", expected)
    assert digests(tmp_path / "again") == digests(tmp_path / "set")

    def refused(manifest: Path, words: str, *changes: str) -> None:
        arguments = ("--data-dir", folder, "--out", tmp_path / "other", *options, *changes)
        line = refusal(capsys, *arguments, "--verify", manifest)
        assert words in line and str(manifest) in line
        assert not (tmp_path / "other").exists()

    refused(expected, "rows are missing", "--seed", "1")
    refused(expected, "rows are missing", "--splits", "70/20/10")
    header, *lines = expected.read_text().splitlines()
    reordered = tmp_path / "reordered.csv"
    reordered.write_text("\n".join([header, *lines[1:], lines[0]]))
    refused(reordered, "in another order")
    relabelled = tmp_path / "relabelled.csv"
    relabelled.write_text(expected.read_text().replace(",BLA,", ",LYT,", 1))
    refused(relabelled, "1 of its 50 rows are missing and 1 others")
    refused(tmp_path / "no.csv", "cannot be read")
    kept = json.loads((tmp_path / "set" / "audit.json").read_text())["splits"]["BLA"]
    assert sum(kept.values()) == 25
    changed = next(row["path"] for row in table(tmp_path / "set")["train"])
    save(folder / changed, picture(123_456))
    refused(expected, "1 of its 50 rows are missing and 1 others")


def test_verify_reads_a_written_set_again(source, tmp_path, capsys):
    out = tmp_path / "set"
    write(out, "--data-dir", source, "--classes", *CLASSES, "--per-class", "20")
    expected = shutil.copy(out / "manifest.csv", tmp_path)
    done = run("--out", out, "--verify", expected)
    assert done.returncode == 0 and "is the set that" in done.stdout
    (file,) = out.glob("data/train-*")
    rows = pq.read_table(file)
    pq.write_table(pa.concat_tables([rows.slice(1), rows.slice(0, 1)]), file)
    assert "another order" in refusal(capsys, "--out", out, "--verify", expected)
    pq.write_table(rows.slice(1), file)
    assert "1 of its 60 rows are missing and 0 others" in refusal(capsys, "--out", out, "--verify", expected)
    file.write_bytes(file.read_bytes()[:1000])
    line = refusal(capsys, "--out", out, "--verify", expected)
    assert file.name in line and "cannot be read" in line
    shutil.rmtree(out / "data")
    assert "holds no data/*.parquet" in refusal(capsys, "--out", out, "--verify", expected)


# Splits and audit


def test_splits_are_stratified_by_class_and_source(source, tmp_path):
    other = make_source(tmp_path / "blood", {"BLA": 20, "LYT": 10}, seed=50_000)
    rows = built(source, other, classes=CLASSES).rows
    counts = Counter((row.code, row.source, row.split) for row in rows)
    for code, name, total in (("BLA", "marrow", 30), ("NGS", "marrow", 50), ("BLA", "blood", 20), ("LYT", "blood", 10)):
        assert [counts[code, name, split] for split in SPLITS] == [total * 8 // 10, total // 10, total // 10]
    assert {row.split for row in built(source, classes=CLASSES, shares=(50, 0, 50)).rows} == {"train", "test"}


def test_a_small_class_has_images_in_every_split(tmp_path):
    counts = dict(zip(CODES_12, range(1, 10), strict=False))
    folder = make_source(tmp_path / "marrow", counts)
    for i in range(3):  # three near-duplicates of one image are one group and leave too few for every split
        save(folder / "PLM" / f"{i}.jpg", picture(77), quality=80 + i)
    splits = built(folder, classes=(*counts, "PLM")).audit["splits"]
    for code, number in counts.items():
        assert sum(splits[code].values()) == number
        assert all(splits[code].values()) == (number >= 3), (code, splits[code])
        assert splits[code]["train"] == max(splits[code].values())
    assert sorted(splits["PLM"].values()) == [0, 0, 3]


def test_several_sources_merge_and_keep_their_names(source, tmp_path):
    other = make_source(tmp_path / "blood", {"BLA": 20}, seed=50_000)
    namesake = make_source(tmp_path / "second" / "marrow", {"LYT": 5}, seed=60_000)
    names = ("--data-dir", source, "--data-dir", other, "--data-dir", namesake)
    write(tmp_path / "set", *names, "--config", "imbalanced-12", "--classes", *CLASSES)
    rows = [row for rows in table(tmp_path / "set").values() for row in rows]
    assert Counter((row["source"], row["label"]) for row in rows) == {
        (f"{source.parent.name}-marrow", 0): 30,
        (f"{source.parent.name}-marrow", 1): 40,
        (f"{source.parent.name}-marrow", 2): 50,
        ("blood", 0): 20,
        ("second-marrow", 1): 5,
    }


def test_the_audit_saved_and_printed_agrees_with_the_parquet_files(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "marrow")
    for i in range(6):
        save(folder / "BLA" / f"copy_{i}.jpg", picture(2000 + i), quality=70)  # of NGS
        (folder / "NGS" / f"broken_{i}.jpg").write_bytes(b"no image")
    (folder / "NGS" / "notes.txt").write_text("no cell")
    save(folder / "KSC" / "smudge.jpg", picture(9))
    done = write(tmp_path / "set", "--data-dir", folder, "--classes", *CLASSES, "--per-class", "36")
    audit = json.loads((tmp_path / "set" / "audit.json").read_text())
    rows = [(split, row) for split, rows in table(tmp_path / "set").items() for row in rows]
    counts = Counter((split, CLASSES[row["label"]]) for split, row in rows)
    assert audit["splits"] == {code: {split: counts[split, code] for split in SPLITS} for code in CLASSES}
    assert audit["found"] == {"BLA": 36, "LYT": 40, "NGS": 56}
    broken = sum("broken" in name for name in audit["skipped"])
    assert broken > 0 and audit["skipped"]["marrow/NGS/notes.txt"] == "not the name of an image"
    assert audit["dropped_by_balancing"] == {"BLA": 0, "LYT": 4, "NGS": 56 - 36 - broken}
    assert audit["other_classes"] == {"KSC": 1}
    sizes = Counter(row["group"] for _, row in rows)
    several = [size for size in sizes.values() if size > 1]
    same = audit["near_duplicates"]
    assert (same["groups"], same["images_in_groups"]) == (len(several), sum(several)) and several
    assert [len(group) for group in same["largest"]] == sorted(several, reverse=True)[:10]
    printed = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()) if words[0] in CLASSES}
    for code in CLASSES:
        numbers = (audit["found"][code], audit["dropped_by_balancing"][code], *audit["splits"][code].values())
        assert printed[code] == list(map(str, numbers))
    assert f"{len(several)} groups of near-duplicates with {sum(several)} images" in done.stdout
    assert sorted(line.split(":")[0].removeprefix("skipped ") for line in done.stderr.splitlines()) == sorted(
        audit["skipped"]
    )


# Writing whole or not at all


def test_a_folder_with_other_files_is_left_alone_and_an_older_set_is_replaced(source, tmp_path, capsys):
    out = tmp_path / "set"
    arguments = ("--data-dir", source, "--classes", "BLA")
    (out / "data").mkdir(parents=True)
    (out / "thesis.txt").write_text("years of work")
    line = refusal(capsys, "--out", out, *arguments, "--per-class", 10)
    assert str(out) in line and "--out" in line
    assert (out / "thesis.txt").read_text() == "years of work"
    (out / "thesis.txt").unlink()
    for per_class in (10, 20):
        write(out, *arguments, "--per-class", per_class)
        assert len(table(out)["train"]) == 0.8 * per_class
    before = digests(out)
    assert "BLA 30" in refusal(capsys, "--out", out, *arguments, "--per-class", 31)
    other = ("--per-class", 9, "--verify", out / "manifest.csv")
    assert "differs" in refusal(capsys, "--out", out, *arguments, *other)
    assert digests(out) == before, "a run that fails leaves the older set as it was"
