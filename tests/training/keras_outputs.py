"""What Keras makes of some images, for tests in a process that holds torch.

python -m tests.training.keras_outputs IN.npz OUT.npz MODEL.keras…

``IN.npz`` holds ``crops`` (n, size, size, 3) in -1…1, and may hold the same as ``pixels`` uint8 with ``groups`` of
features, and whole images ``scene …`` (h, w, 3) in -1…1. ``OUT.npz`` gets ``logits I`` of the crops for model I, how
``unlike`` the groups they are to the first, and the last model's features of each scene at strides 8, 16 and 32.
"""

import sys

import keras
import numpy as np

from training.classifier.familiarity import unlikeness

# the last layer of the blocks that torchvision counts as 6, 13 and 17
LAYERS = {8: "block_5_add", 16: "block_12_add", 32: "block_16_project_BN"}


def features(model: keras.Model, scene: np.ndarray) -> list[np.ndarray]:
    """Features of an image of any size, channels last."""
    base = keras.applications.MobileNetV2(input_shape=scene.shape, include_top=False, weights=None)
    for layer in base.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights() if layer.weights else [])
    outputs = [base.get_layer(name).output for name in LAYERS.values()]
    return [array[0] for array in keras.Model(base.input, outputs).predict(scene[None], verbose=0)]


def main(source: str, target: str, *models: str) -> None:
    given = np.load(source)
    result = {}
    for number, path in enumerate(models):
        model = keras.models.load_model(path)
        result[f"logits {number}"] = model.predict(given["crops"], verbose=0)
        if number == 0 and "groups" in given:
            result["unlike"] = unlikeness(model, given["pixels"], given["groups"])
    for name in given.files:
        if name.startswith("scene "):
            for stride, array in zip(LAYERS, features(model, given[name]), strict=True):
                result[f"{name} {stride}"] = array
    np.savez(target, **result)


if __name__ == "__main__":
    main(*sys.argv[1:])
