"""Studies that use the whole program: attacks."""
