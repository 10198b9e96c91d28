"""A Hugging Face Hub on loopback, for tests and rehearsals: what it keeps, how it answers, and how it misbehaves."""
