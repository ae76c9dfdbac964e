"""Speed, measured beside what a user would have otherwise, in the same run."""
