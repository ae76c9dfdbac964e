"""Mode-pairing (asynchronous) measurement-device-independent QKD, with three intensities for each user."""
