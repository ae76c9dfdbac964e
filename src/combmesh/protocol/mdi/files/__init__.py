"""What a table of counts and a link look like as files, so that they can travel between groups."""
