"""A user's box, in the order of the light."""
