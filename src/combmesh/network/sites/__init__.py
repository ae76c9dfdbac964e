"""Where relays stand best, each pair meeting at the relay that serves it best."""
