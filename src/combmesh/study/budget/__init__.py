"""Where a link's visibility and errors come from, cause by cause, and what each would gain in key."""
