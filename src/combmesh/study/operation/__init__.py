"""A link over hours: what drifts, what holds it, and the key of each block, fibre beside equivalent loss."""
