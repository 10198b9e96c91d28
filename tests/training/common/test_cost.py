"""What a training took, from the files of both trainings."""

import json
from pathlib import Path

from training.common.cost import training_cost
from training.common.environment import processor


def test_the_seconds_of_a_classifier_are_those_of_its_epochs(tmp_path: Path) -> None:
    lines = [json.dumps({"epoch": n, "seconds": seconds}) for n, seconds in ((1, 10.25), (2, 9.5))]
    (tmp_path / "history.jsonl").write_text("\n".join(lines) + "\n")
    cost = training_cost(tmp_path)
    assert (cost["epochs"], cost["seconds"]) == (2, 20)
    assert cost["processor"] == processor() and cost["cores"] >= 1


def test_the_clock_of_a_segmenter_begins_again_with_a_restart(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "results.csv").write_text("epoch,time,loss\n1,100,1\n2,210,1\n3,90,1\n4,195,1\n")
    cost = training_cost(tmp_path)
    assert (cost["epochs"], cost["seconds"]) == (4, 210 + 195)


def test_nothing_is_said_of_a_run_that_kept_no_time(tmp_path: Path) -> None:
    assert training_cost(tmp_path) == {}
