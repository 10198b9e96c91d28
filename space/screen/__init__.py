"""What a visitor sees: the viewer, the words on it, and what happens when something is pressed."""
