"""Two users' light on one beam splitter: overlap term by term, visibility, and the dip that an experiment scans."""
