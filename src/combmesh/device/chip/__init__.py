"""The transmitter chip's parts: electro-optic interferometers, attenuator, grating couplers (paper, Fig. 3a)."""
