"""Cards of the two models: one template each, filled from the metrics beside the weights."""
