"""Ground truth, matching and metrics: how good a model is."""
