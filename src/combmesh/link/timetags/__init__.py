"""Time tags: one reader for each instrument's format, and what is found in them."""
