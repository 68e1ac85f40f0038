"""Training and evaluating the built-in model."""
