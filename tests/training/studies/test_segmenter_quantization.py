"""Choosing the number format of model.onnx: three variants that work, measured, and the choice among them."""

import shutil

import numpy as np
import onnx
import pytest

from marrow.segmenter import Segmenter
from tests.commands import ROOT
from training.common.files import read_json
from training.quantization import main
from training.studies.segmenter_quantization import build_variants, choose

RELEASE = ROOT / "hub" / "bone-marrow-yolov8-seg"


@pytest.fixture(scope="module")
def variants(trained_segmenter, fields, tmp_path_factory):
    return build_variants(trained_segmenter.hub, fields, tmp_path_factory.mktemp("variants"))


def test_the_files_shrink_from_variant_to_variant(variants):
    sizes = [(variants[name] / "model.onnx").stat().st_size for name in ("f32", "f16", "int8")]
    assert sizes[1] < 0.6 * sizes[0] and sizes[2] < 0.7 * sizes[1]


def test_the_last_convolutions_stay_in_single_precision(variants):
    graph = onnx.load(variants["int8"] / "model.onnx").graph
    dequantized = {node.output[0] for node in graph.node if node.op_type == "DequantizeLinear"}
    plain = [node for node in graph.node if node.op_type == "Conv" and node.input[1] not in dequantized]
    quantized = [node for node in graph.node if node.op_type == "Conv" and node.input[1] in dequantized]
    assert len(quantized) > 80
    # at three strides boxes, scores and mask coefficients; the distribution of box sides; the prototypes
    assert len(plain) == 11, [node.name for node in plain]


def test_every_variant_runs(variants):
    image = np.full((100, 120, 3), 200, np.uint8)
    for folder in variants.values():
        Segmenter.from_pretrained(str(folder))(image, 0.01)


def test_the_fastest_that_finds_and_outlines_as_well_is_chosen():
    variants = {
        "f32": {"ms": 9.0, "mask_map50": 0.95, "agreement": 0.99},
        "f16": {"ms": 6.0, "mask_map50": 0.9451, "agreement": 0.971},
        "int8": {"ms": 3.0, "mask_map50": 0.9449, "agreement": 0.971},
    }
    assert choose(variants) == "f16"
    variants["int8"]["mask_map50"] = 0.96
    assert choose(variants) == "int8"
    variants["int8"]["agreement"] = 0.969
    assert choose(variants) == "f16"


@pytest.mark.slow
def test_the_table_is_written_and_the_kept_variant_is_the_model(fields, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(RELEASE, folder)
    before = (folder / "model.onnx").read_bytes()
    arguments = ["segmenter", "--model", str(folder), "--data", str(fields), "--fields", "2"]
    assert main(arguments) == 0
    assert (folder / "model.onnx").read_bytes() == before, "nothing is replaced unless asked for"
    result = read_json(folder / "quantization.json")
    assert list(result["variants"]) == ["f32", "f16", "int8"] and result["chosen"] in result["variants"]
    assert result["variants"]["f32"]["agreement"] > 0.9 and "| int8 |" in (folder / "quantization.md").read_text()
    assert main([*arguments, "--keep", "int8"]) == 0
    assert (folder / "model.onnx").stat().st_size < 0.7 * len(before)


def test_a_folder_without_weights_is_refused(fields, tmp_path, capsys):
    assert main(["segmenter", "--model", str(tmp_path), "--data", str(fields)]) == 2
    assert "config.json" in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"trained_on": {}, "input_size": 160}')
    assert main(["segmenter", "--model", str(tmp_path), "--data", str(fields)]) == 2
    assert "model.pt" in capsys.readouterr().err
