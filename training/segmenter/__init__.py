"""The segmenter's training."""
