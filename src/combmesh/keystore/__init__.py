"""Keys at rest: one store for each user, from which each key leaves once for each recipient."""
