"""One exponential test statistic on the key itself: combmesh's own analysis, not the paper's (docs/certificate.md)."""
