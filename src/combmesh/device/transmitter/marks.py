"""Where the transmitter's default values come from, by class and field, or by function and argument."""

from combmesh.ground.provenance import Mark

MARKS = {
    "Transmitter.chip": Mark("printed", "Alice's; see Chip"),
    "Transmitter.line_power_uw": Mark("assumed", "of one amplified line; the attenuator takes what is too much"),
    "Transmitter.frequency_thz": Mark("printed", "CH0, half of the rubidium line"),
    "Transmitter.clock_hz": Mark("printed", "section 2.2"),
    "Transmitter.jitter_fwhm_ps": Mark("fitted", "shows the 90 ps of Fig. 3g as the 95 ps of Fig. 3d"),
    "Transmitter.attenuation_db": Mark("assumed", "the paper shows no other attenuator in the box"),
    "Transmitter.switch_delay_ps": Mark("assumed", "0: switched midway between two pulses"),
    "Transmitter.most_drive_v": Mark("assumed", "usual for a driver amplifier"),
    "Transmitter.phase_randomised": Mark("assumed", "the paper prints no randomiser; the proof needs one"),
    "Drives.bias_rad": Mark("assumed", "MZI-1 and MZI-2 dark at 0 V, MZI-3 and MZI-4 straight through"),
    "calibrate.optical_fwhm_ps": Mark("printed", "Fig. 3g; Fig. 3d and the text say 95 ps, jitter included"),
    "calibrate.intensities": Mark("assumed", "as in the examples; the paper leaves them to a supplement"),
    "calibrate.kind": Mark("assumed", "the paper prints no drive"),
}
