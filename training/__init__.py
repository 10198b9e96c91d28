"""Training, measuring, exporting and publishing the two models."""
