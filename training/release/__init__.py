"""What ``training.publish`` does: which files make a repo, what of them changed, pushing, and pulling back to check."""
