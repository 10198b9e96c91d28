"""Cards of the two models: one template each, filled from the figures beside the weights."""
