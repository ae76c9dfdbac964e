"""Where the default values of interference come from, by class and field."""

from combmesh.ground.provenance import Mark

MARKS = {
    "Wave.fwhm_ps": Mark("printed", "Fig. 3d; Fig. 3g says 90, and Fig. 3d includes the detectors' jitter"),
    "Wave.photons": Mark("printed", "about 1 M counts a second in each of two detectors at 2.5 GHz (section 2.2)"),
    "Wave.chirp": Mark("default", "no chirp"),
    "Wave.dispersion_ps2": Mark("default", "no fibre"),
    "Wave.delay_ps": Mark("default", "on time"),
    "Wave.detuning_hz": Mark("default", "on its nominal frequency"),
    "Wave.jones": Mark("default", "horizontal"),
    "Wave.snr": Mark("default", "no background in the passband"),
    "Wave.outside_share": Mark("default", "no light outside the pulse"),
    "Scan.delays_ps": Mark("assumed", "four widths to either side, as wide as Fig. 3g can be at a period of 400 ps"),
    "Scan.integration_s": Mark("assumed", "the paper prints none; 1.4 % of visibility, as printed, take about 1.3 s"),
    "Scan.clock_hz": Mark("printed", "section 2.2"),
    "Scan.dark_count_probability": Mark("default", "no dark counts"),
}
