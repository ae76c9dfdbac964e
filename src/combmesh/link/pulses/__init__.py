"""Every single pulse: sources, interference, detectors, Bell states."""
