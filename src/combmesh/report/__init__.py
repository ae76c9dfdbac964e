"""Plain data in, pictures and text out; the only importer of matplotlib."""
