"""The classifier: its data, architectures, objective and training."""
