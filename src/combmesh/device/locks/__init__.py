"""The two locks of a terminal: its seed to rubidium, its repetition rate to a radio-frequency reference (paper 2.1)."""
