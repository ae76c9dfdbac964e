"""Keys at rest: one store for each user."""
