"""What holds polarization, arrival time and clock of two fibres; the same code drives a model or an instrument."""
