"""Weights carried between Keras, Transformers and torch, exactly."""
