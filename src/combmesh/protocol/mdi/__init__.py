"""Four-intensity measurement-device-independent QKD."""
