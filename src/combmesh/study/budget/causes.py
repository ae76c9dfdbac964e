"""The causes of a budget in words, in the order of the light; fitted ones with what they could be."""

from typing import NamedTuple


class Cause(NamedTuple):
    """One line of a budget.

    Attributes:
        words: what it is.
        fitted: the printed number that it was fitted to, empty if it follows from devices.
        could_be: what a fitted one could be.
    """

    words: str
    fitted: str = ""
    could_be: str = ""


CAUSES: dict[str, Cause] = {
    "snr": Cause("amplifier noise beside the line"),
    "width": Cause("pulses of unequal width"),
    "chirp": Cause("pulses of unequal chirp"),
    "outside": Cause("light outside the pulse (extinction of MZI-1)"),
    "states": Cause("the chip's polarization states"),
    "pattern": Cause("the previous pulse's state"),
    "dispersion": Cause("fibres of unequal length"),
    "polarization": Cause("polarization left by its control"),
    "timing": Cause("arrival time left by its control"),
    "detuning": Cause("frequency left by the locks and the chips' shift"),
    "interplay": Cause("what width, chirp, timing, detuning and dispersion do to each other"),
    "crosstalk": Cause("light of other lines at the relay's port"),
    "intensity": Cause("unequal light of both users"),
    "brightness": Cause("more than two photons, dead time"),
    "dark": Cause("dark counts"),
    "vacuum": Cause("light in the vacuum (extinction of MZI-2)"),
    "fitted overlap": Cause(
        "unexplained, visibility",
        "mean visibility of 80 channels (Fig. 3h)",
        "light of both users that differs by 24 % in the scan, 6 degrees of polarization between them there, 26 dB "
        "instead of 30 dB of extinction, or background of the scan",
    ),
    "fitted error Z": Cause(
        "unexplained, Z",
        "mean QBER of Z (section 2.3)",
        "polarizing beam splitters of 30 dB, MZI-3 off by 0.07 rad, or a 2D coupler of 27 dB instead of 30 dB",
    ),
    "fitted error X": Cause(
        "unexplained, X",
        "mean QBER of X (section 2.3)",
        "a phase between H and V that is off by 0.26 rad rms for each user, which Z does not see, or arms whose light "
        "differs by a factor of 1.7 in X",
    ),
}

IDEAL = ("intensity", "brightness")
"""Not of the devices: they follow from the settings, and nothing could be made perfect."""
