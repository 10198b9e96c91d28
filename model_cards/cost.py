"""From the seconds of a training to energy and carbon dioxide: an estimate, with what it assumes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WATTS_PER_CORE = 20
"""Of a server's processor, with its share of memory and cooling; an assumption on the high side."""
WATTS_OF_GPU = 700
"""Of a data-centre GPU with its host; an assumption on the high side."""
GRAMS_PER_KWH = 480
"""World average of 2023: Ember, Global Electricity Review 2024."""


def energy(training: Mapping[str, Any]) -> float:
    """Estimate the energy of a training in kWh, from the ``training`` of a model's config."""
    watts = WATTS_OF_GPU if "NVIDIA" in training["processor"] else WATTS_PER_CORE * training["cores"]
    return training["seconds"] / 3600 * watts / 1000


def emissions(training: Mapping[str, Any], resumed_from: str | None = None) -> dict[str, Any]:
    """Return the ``co2_eq_emissions`` of a card's metadata; emissions are in grams. See :func:`cost_text`."""
    source = f"measured seconds of training, times an assumed power, times {GRAMS_PER_KWH} g/kWh (Ember 2024)"
    return {
        "emissions": round(energy(training) * GRAMS_PER_KWH, 1),
        "source": f"{source}; without the training of {resumed_from}" if resumed_from else source,
        "training_type": "fine-tuning",
        "hardware_used": f"{training['cores']} cores of {training['processor']}",
    }


def cost_text(training: Mapping[str, Any] | None, resumed_from: str | None = None) -> str:
    """Say what a training took; what is not known is said so.

    Args:
        training: of a model's config.
        resumed_from: model whose weights it went on from; what that one's training took is not in ``training``.
    """
    if not training:
        return "The time that this training took was not written down, so its energy is not estimated."
    seconds, gpu = training["seconds"], "NVIDIA" in training["processor"]
    took = f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
    on = training["processor"] if gpu else f"{training['cores']} cores of {training['processor']}"
    power = f"{WATTS_OF_GPU} W" if gpu else f"{WATTS_PER_CORE} W a core"
    what = f"Going on from {resumed_from}" if resumed_from else "Training"
    before = f", nor is the training of {resumed_from}" if resumed_from else ""
    return (
        f"{what} took {took} on {on} (measured; epochs: {training['epochs']}). At an assumed {power}, memory and "
        f"cooling included, that is {energy(training):.2g} kWh, and at the world's average of {GRAMS_PER_KWH} g of "
        f"CO2 a kWh (2023; Ember, Global Electricity Review 2024) about {energy(training) * GRAMS_PER_KWH:.2g} g. "
        f"Experiments that led to it are not counted{before}."
    )
