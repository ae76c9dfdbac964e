"""Many users, one relay: who meets on which line, and what comes of it."""
