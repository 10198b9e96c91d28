"""Ultralytics' training, made such that a run that was killed goes on to the same weights.

Ultralytics keeps the averaged weights and the optimiser in half precision, and no state of its random numbers. Here a
state is written after each epoch, whole or not at all, with all of that in single precision; and every epoch draws its
random numbers anew from the seed and its own number, so that no generator's state is to be kept, not even those of the
processes that load the fields.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ultralytics.models.yolo.segment import SegmentationTrainer
from ultralytics.utils import RANK
from ultralytics.utils.torch_utils import strip_optimizer, unwrap_model

from marrow.files import atomic_path

STATE = "state.ckpt"
"""File of the state, beside ``last.pt`` and ``best.pt``."""


class ResumableTrainer(SegmentationTrainer):
    """Trains a segmenter, and goes on from the state in its folder if there is one."""

    ema: Any
    model: Any
    optimizer: Any
    scaler: Any
    stopper: Any
    best_fitness: Any

    _steps = 1  # batches for one step of the optimiser
    _batches = 0  # since the last step
    _in_batch = False
    _gradients: dict[str, torch.Tensor] | None = None

    @property
    def accumulate(self) -> int:
        """Batches for one step of the optimiser.

        Inside of a batch, where ultralytics compares it with a count that does not outlive the process: 0 if a step is
        due by the count that is kept here, else more than any count.
        """
        if not self._in_batch:
            return self._steps
        return 0 if self._batches >= self._steps else sys.maxsize

    @accumulate.setter
    def accumulate(self, steps: int) -> None:
        self._steps = steps

    def run_callbacks(self, event: str) -> None:
        """Prepare an epoch or a batch before the callbacks run."""
        if event == "on_train_epoch_start":
            self._begin_epoch()
        elif event == "on_train_batch_start":
            self._batches += 1
            self._in_batch = True
        super().run_callbacks(event)

    def _begin_epoch(self) -> None:
        self._in_batch = False
        seed = int(np.random.SeedSequence((self.args.seed, self.epoch, RANK + 1)).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        self.train_loader.generator.manual_seed(seed)
        self.train_loader.reset()
        dataset = self.train_loader.dataset
        while dataset.buffer:  # the images that a mosaic is made of
            index = dataset.buffer.pop()
            dataset.ims[index] = dataset.im_hw0[index] = dataset.im_hw[index] = None
        if self._gradients is not None:
            for name, parameter in unwrap_model(self.model).named_parameters():
                if name in self._gradients:
                    parameter.grad = self._gradients[name].to(parameter.device)
            self._gradients = None

    def optimizer_step(self) -> None:
        """Step, and begin to count batches anew."""
        super().optimizer_step()
        self._batches = 0

    def save_model(self) -> bool:
        """Write ``best.pt``, ``last.pt`` and then the state, each whole or not at all."""
        best, last = self.best, self.last
        with atomic_path(last) as beside:
            self.last, self.best = beside, beside.with_name(best.name)
            try:
                super().save_model()
                if self.best.is_file():
                    self.best.replace(best)
            finally:
                self.last, self.best = last, best
        model = unwrap_model(self.model)
        state = {
            "epoch": self.epoch,
            "finished": bool(self.stop),
            "model": model.state_dict(),
            "gradients": {name: one.grad for name, one in model.named_parameters() if one.grad is not None},
            "batches": self._batches,
            "ema": self.ema.ema.state_dict(),
            "updates": self.ema.updates,
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "best_fitness": float(self.best_fitness),
            "stopper": {name: float(getattr(self.stopper, name)) for name in ("best_fitness", "best_epoch")},
            "results": self.csv.read_text(encoding="utf-8"),
        }
        with atomic_path(self.wdir / STATE) as beside:
            torch.save(state, beside)
        return True

    def resume_training(self, ckpt: Any) -> None:
        """Take up the state in the folder, if there is one."""
        if not (self.wdir / STATE).is_file():
            self.csv.unlink(missing_ok=True)  # of a run that was killed before its first state
            return
        state = read_state(self.wdir)
        unwrap_model(self.model).load_state_dict(state["model"])
        self._gradients, self._batches = state["gradients"], state["batches"]
        self.ema.ema.load_state_dict(state["ema"])
        self.ema.updates = state["updates"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])
        self.best_fitness = state["best_fitness"]
        self.stopper.__dict__.update(state["stopper"])
        self.start_epoch = state["epoch"] + 1
        self.csv.write_text(state["results"], encoding="utf-8")

    def final_eval(self) -> None:
        """Leave the end to :func:`finish`, which can be repeated."""


def read_state(weights: Path) -> dict[str, Any]:
    """Read the state in a folder of weights."""
    return torch.load(weights / STATE, map_location="cpu", weights_only=True)


def finish(weights: Path) -> None:
    """Strip ``best.pt`` and ``last.pt`` of what only training needs, and drop the state."""
    for path in (weights / "best.pt", weights / "last.pt"):
        with atomic_path(path) as beside:
            strip_optimizer(path, str(beside))
    (weights / STATE).unlink(missing_ok=True)
