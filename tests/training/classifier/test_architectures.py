"""Every network of the study and every option: built right, trained, stopped and gone on with, on both backends."""

import json
from dataclasses import replace

import numpy as np
import pytest

from marrow.errors import MarrowError
from tests.commands import assert_refused, python, succeed
from training.classifier.augmentation import Augmentation
from training.classifier.config import ARCHITECTURES, ClassifierTraining, chosen_cells
from training.classifier.data import Cells
from training.classifier.optics import Optics
from training.common.config import load_config
from training.weights.keras_to_transformers import folded_head

OPTIONS = [
    {"arch": "simple_cnn", "optimizer": "adam", "batch_norm": True, "label_smoothing": 0.1},
    {
        "arch": "simple_cnn",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "dropout": 0.0,
        "balancing": "downsample",
        "imbalance": 4.0,
    },
    {"arch": "simple_cnn", "optimizer": "rmsprop", "augment": False, "balancing": "none", "imbalance": 4.0},
    {"arch": "mobilenet_v2", "optimizer": "adamw", "batch_norm": True, "average": 0.9, "constant_rate": True},
]

# prints, for each network: its output, and how far it is from keras.applications on the pixels those expect
BUILD = """
import json, sys, keras, numpy as np
from training.classifier.architectures import build_model
from training.classifier.config import ARCHITECTURES, ClassifierTraining
apps = keras.applications
pixels = np.random.default_rng(0).integers(0, 256, (2, 33, 33, 3)).astype("float32")
twins = {
    "vgg16": (apps.VGG16, apps.vgg16.preprocess_input), "resnet50": (apps.ResNet50, apps.resnet.preprocess_input),
    "mobilenet": (apps.MobileNet, apps.mobilenet.preprocess_input),
    "mobilenet_v2": (apps.MobileNetV2, apps.mobilenet_v2.preprocess_input),
    "mobilenet_v3_small": (apps.MobileNetV3Small, apps.mobilenet_v3.preprocess_input),
}
result = {}
for arch in ARCHITECTURES:
    path, facts = f"{sys.argv[1]}/{arch}.weights.h5", {}
    if arch in twins:
        build, scale = twins[arch]
        twin = build(input_shape=(33, 33, 3), include_top=False, weights=None)
        twin.save_weights(path)
        expected = twin.predict(scale(pixels.copy()), verbose=0).mean(axis=(1, 2))
    model = build_model(ClassifierTraining(arch=arch, size=33, init=path if arch in twins else "none"), 12)
    if arch in twins:
        ours = keras.Model(model.input, model.get_layer("pool").output).predict(pixels / 127.5 - 1, verbose=0)
        facts["apart"] = float(np.abs(ours - expected).max() / np.abs(expected).max())
    norms = {layer.momentum for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)}
    result[arch] = facts | {"shape": model.output.shape, "momenta": sorted(norms), "parameters": model.count_params()}
print(json.dumps(result))
"""


AVERAGE = """
import keras, numpy as np
from training.classifier.training import KeepLastWeights
model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9999), "mse")
one = np.ones((64, 1), np.float32)
for epoch in range(2):
    model.fit(one, one, batch_size=1, epochs=1, verbose=0, callbacks=[KeepLastWeights()])
    model.optimizer.use_ema = True
last = float(model.get_weights()[0].item())
model.optimizer.finalize_variable_values(model.trainable_variables)
print(last, float(model.get_weights()[0].item()))
"""


STATISTICS = """
import keras, numpy as np
from training.classifier.training import measure_statistics
inputs = keras.Input((2, 2, 3))
first = keras.layers.BatchNormalization(momentum=0.9, name="first")
model = keras.Model(inputs, keras.layers.BatchNormalization(name="second")(first(inputs)))
first.trainable = False
batches = [(np.full((8, 2, 2, 3), value, "float32"),) for value in (1, 2, 6)]
measure_statistics(model, batches)
for layer in (first, model.get_layer("second")):
    print(np.array(layer.moving_mean)[0], layer.momentum)
"""


def test_statistics_are_the_mean_over_the_batches():
    frozen, other = (line.split() for line in succeed("-c", STATISTICS).stdout.splitlines()[-2:])
    assert frozen == ["0.0", "0.9"]
    assert float(other[0]) == pytest.approx(3, rel=1e-3) and other[1] == "0.99"


def test_an_epoch_ends_with_the_last_weights_and_not_their_average():
    last, average = map(float, succeed("-c", AVERAGE).stdout.split()[-2:])
    assert last > 0.99 > 0.5 > average


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, dict]:
    done = succeed("-c", BUILD, tmp_path_factory.mktemp("weights"))
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_a_network_takes_pixels_from_minus_one_to_one(arch, built):
    facts = built[arch]
    assert facts["shape"] == [None, 12] and facts["momenta"] in ([], [0.9])
    if arch != "simple_cnn":
        assert facts["apart"] < 1e-4, "with initial weights from a file it is the network of keras.applications"


def test_the_networks_are_of_very_different_sizes(built):
    sizes = {arch: facts["parameters"] for arch, facts in built.items()}
    order = ["simple_cnn", "mobilenet_v3_small", "mobilenet_v2", "mobilenet", "vgg16", "resnet50"]
    assert sorted(sizes, key=sizes.get) == order


@pytest.fixture(scope="module")
def trained(cell_set, tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("options")
    done = succeed("-m", "tests.training.few_steps", cell_set, folder, json.dumps(OPTIONS))
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(OPTIONS)))
def test_a_broken_training_ends_as_if_it_had_not_been_whatever_the_options(number, trained):
    result = trained[number]
    assert result["backend"] == "tensorflow"
    assert result["apart"] < 1e-5 < 1e-4 < result["moved"]
    assert len(result["losses"]) == 2 and np.isfinite(result["losses"]).all()
    assert {"model.keras", "run.json", "weights.npz", "epoch-002.keras"} <= set(result["files"])


@pytest.mark.slow
def test_downsampling_leaves_as_many_of_each_class(trained):
    assert trained[0]["counts"] == trained[3]["counts"] == [8] * 12
    assert trained[1]["counts"] == [2] * 12
    assert sorted(trained[2]["counts"])[0] == 2 and sorted(trained[2]["counts"])[-1] == 8


@pytest.mark.slow
def test_the_same_code_trains_on_torch(cell_set, tmp_path):
    averaged = {"average": 0.9999, "constant_rate": True}
    configs = [{"arch": "mobilenet_v2"}, {"arch": "simple_cnn", "optimizer": "adam", "batch_norm": True, **averaged}]
    configs.append({"arch": "simple_cnn", "average": 0.5, "calm_epochs": 1, "dropout": 0.2})
    command = ("-m", "tests.training.few_steps", cell_set, tmp_path, json.dumps(configs))
    done = succeed(*command, KERAS_BACKEND="torch")
    plain, averaged, calm = json.loads(done.stdout.splitlines()[-1])
    assert plain["from_last"] == 0 and averaged["from_last"] > averaged["learned"] / 3  # an average is not the last
    for result in (plain, averaged, calm):
        assert result["backend"] == "torch"
        assert result["apart"] < 1e-5 < 1e-4 < result["moved"]
        assert np.isfinite(result["losses"]).all()


def test_cells_are_chosen_by_the_seed_and_fall_off_to_the_ratio():
    images = [np.full((8, 8, 3), i, np.uint8) for i in range(230)]
    labels = np.array([0] * 50 + [1] * 120 + [3] * 60)
    cells = Cells(images, [(2.0, 2.0, 6.0, 6.0)] * 230, labels, ("s",) * 230, tuple("ABCD"))
    plain = ClassifierTraining()
    assert chosen_cells(cells, plain) is cells
    uneven = chosen_cells(cells, replace(plain, imbalance=10.0))
    counts = np.bincount(uneven.labels, minlength=4)
    assert counts[2] == 0 and counts[[0, 1, 3]].min() == 12
    assert sorted(counts)[2] == pytest.approx(120 / np.sqrt(10), abs=1)
    again = chosen_cells(cells, replace(plain, imbalance=10.0))
    other = chosen_cells(cells, replace(plain, imbalance=10.0, seed=1))
    firsts = [[image[0, 0, 0] for image in part.images] for part in (uneven, again, other)]
    assert firsts[0] == firsts[1] != firsts[2]
    even = chosen_cells(cells, replace(plain, imbalance=10.0, balancing="downsample"))
    assert np.bincount(even.labels, minlength=4).tolist() == [12, 12, 0, 12]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('arch = "alexnet"', "mobilenet_v2"),
        ('optimizer = "lion"', "rmsprop"),
        ('balancing = "smote"', "downsample"),
        ("dropout = 1.5", "dropout"),
        ("epochs = 0", "epochs"),
        ('epochs = "three"', "int"),
        ("epochs = 3\ncalm_epochs = 3", "comes before"),
        ("augment = 1", "bool"),
        ("augmentation = 3", "augmentation"),
    ],
)
def test_an_option_that_does_not_exist_is_refused(text, word, tmp_path):
    (tmp_path / "wrong.toml").write_text(text)
    with pytest.raises(MarrowError, match=word) as caught:
        load_config(ClassifierTraining, tmp_path / "wrong.toml")
    assert "\n" not in str(caught.value)


def test_the_last_epochs_are_calm():
    config = ClassifierTraining(epochs=5, calm_epochs=2, augmentation=Augmentation(transfer=0.5, jitter=0.1, blur=1.0))
    lively, calm = config.of_epoch(2), config.of_epoch(3)
    assert lively == replace(config, epochs=3, calm_epochs=0)
    assert calm.epochs == 2 and calm.learning_rate == pytest.approx(0.4 * config.learning_rate)
    assert calm.augmentation.transfer == pytest.approx(0.2) and calm.augmentation.blur == pytest.approx(0.4)
    assert calm.augmentation.jitter == 0.1 and calm.augmentation.light == config.augmentation.light
    optics = replace(config.augmentation, optics=Optics(noise=0.5)).weakened(0.4).optics
    assert optics == Optics(noise=0.2)
    plain = ClassifierTraining(epochs=5)
    assert plain.of_epoch(4) == plain.of_epoch(5) == plain


def test_a_head_with_batch_normalisation_folds_into_one_layer():
    rng = np.random.default_rng(0)
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    arrays = {f"head_norm/{name}": rng.uniform(0.5, 2, 6) for name in names}
    arrays |= {"logits/kernel": rng.normal(size=(6, 3)), "logits/bias": rng.normal(size=3)}
    x = rng.normal(size=(5, 6))
    gamma, beta, mean, variance = (arrays[f"head_norm/{name}"] for name in names)
    expected = ((x - mean) / np.sqrt(variance + 1e-3) * gamma + beta) @ arrays["logits/kernel"] + arrays["logits/bias"]
    kernel, bias = folded_head(arrays)
    assert np.allclose(x @ kernel + bias, expected)


def test_only_mobilenet_v2_is_exported(tmp_path):
    run = {"config": {"arch": "vgg16"}, "codes": ["A"], "crop": {"size": 33}, "trained_on": {}}
    (tmp_path / "run.json").write_text(json.dumps(run))
    done = python("-m", "training.export", "classifier", "--run-dir", tmp_path, "--output-dir", tmp_path / "hub")
    assert_refused(done, "export: ", "vgg16", "mobilenet_v2")


def test_weights_that_do_not_fit_are_refused(tmp_path):
    script = (
        "from training.classifier.architectures import build_model;"
        "from training.classifier.config import ClassifierTraining;"
        "from marrow.errors import MarrowError\n"
        "for arch, init in (('simple_cnn', 'imagenet'), ('vgg16', 'no.weights.h5')):\n"
        "    try: build_model(ClassifierTraining(arch=arch, init=init, size=33), 3)\n"
        "    except MarrowError as error: print(error)"
    )
    lines = succeed("-c", script).stdout.splitlines()
    assert len(lines) == 2 and "simple_cnn" in lines[0] and "no.weights.h5 cannot be loaded into vgg16" in lines[1]


# weights go from one backend to the other through a file, as ImageNet's do
ONE_STEP = """
import sys
from pathlib import Path
import keras
import numpy as np
from training.classifier.architectures import build_model
from training.classifier.config import ClassifierTraining
weights, out = map(Path, sys.argv[1:])
keras.utils.set_random_seed(0)
model = build_model(ClassifierTraining(size=65, dropout=0.0, frozen_blocks=2), 3)
if weights.exists():
    model.load_weights(weights)
else:
    model.save_weights(weights)
pixels = np.random.default_rng(0).normal(0, 0.4, (8, 65, 65, 3)).astype(np.float32)
model.compile(keras.optimizers.SGD(0.01), keras.losses.CategoricalCrossentropy(from_logits=True))
before = model.predict(pixels, verbose=0)
moving = {v.path: np.array(v) for v in model.non_trainable_variables}
loss = model.train_on_batch(pixels, np.eye(3, dtype=np.float32)[np.arange(8) % 3])
moved = {v.path for v in model.non_trainable_variables if not np.array_equal(np.array(v), moving[v.path])}
frozen = [layer.name for layer in model.layers if not layer.trainable]
print(keras.config.backend(), len(moved), not any(path.split("/")[0] in frozen for path in moved))
np.savez(out, before=before, loss=loss, after=model.predict(pixels, verbose=0))
"""


def test_torch_counts_channels_first_and_computes_the_same(tmp_path):
    weights, files = tmp_path / "w.weights.h5", {name: tmp_path / f"{name}.npz" for name in ("tensorflow", "torch")}
    said = [succeed("-c", ONE_STEP, weights, file, KERAS_BACKEND=name).stdout.split() for name, file in files.items()]
    assert [words[0] for words in said] == list(files)
    assert said[0][1:] == said[1][1:] and int(said[0][1]) > 60 and said[0][2] == "True", "frozen layers keep statistics"
    theirs, ours = (np.load(file) for file in files.values())
    for figure in ("before", "loss", "after"):
        assert ours[figure] == pytest.approx(theirs[figure], abs=2e-3), figure
    assert np.abs(ours["after"] - ours["before"]).max() > 0.01, "the step was one"
