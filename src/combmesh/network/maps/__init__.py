"""Maps of fibres: one reader for each format, one `FibreMap` out of all of them, and the routes of least loss."""
