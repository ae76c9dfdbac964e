"""Where the chip's default values come from, by class and field."""

from combmesh.ground.provenance import Mark

_USUAL = "usual for silicon photonics; the paper prints none"

MARKS = {
    "Mzi.half_wave_v": Mark("printed", "section 2.2 and Fig. 3c: 3.47 V for Alice, 3.80 V for Bob, taken for all four"),
    "Mzi.extinction_db": Mark("printed", "section 2.2: of the carved pulses; the same for the others is assumed"),
    "Mzi.loss_db": Mark("assumed", _USUAL),
    "Mzi.bandwidth_ghz": Mark("assumed", "driver and electrodes together; the paper prints none"),
    "Mzi.built_in_v": Mark("assumed", "a silicon junction"),
    "Mzi.reverse_bias_v": Mark("assumed", "keeps both junctions in reverse up to the half-wave voltage"),
    "Mzi.drive_imbalance": Mark("assumed", "0: equal electrodes"),
    "Mzi.brighter_arm": Mark("assumed", "the same on every chip of one mask"),
    "Voa.half_wave_mw": Mark("assumed", _USUAL),
    "Voa.time_constant_us": Mark("assumed", "10 to 50 us are usual"),
    "Voa.extinction_db": Mark("assumed", "as the other interferometers"),
    "Voa.loss_db": Mark("assumed", _USUAL),
    "Voa.most_mw": Mark("assumed", "one whole fringe"),
    "GratingCoupler1D.loss_db": Mark("assumed", _USUAL),
    "GratingCoupler1D.centre_nm": Mark("assumed", "the middle of the paper's 80 lines is 1552 nm"),
    "GratingCoupler1D.width_nm": Mark("assumed", _USUAL),
    "GratingCoupler2D.loss_db": Mark("assumed", _USUAL),
    "GratingCoupler2D.centre_nm": Mark("assumed", "the middle of the paper's 80 lines is 1552 nm"),
    "GratingCoupler2D.width_nm": Mark("assumed", _USUAL),
    "GratingCoupler2D.pdl_db": Mark("assumed", _USUAL),
    "GratingCoupler2D.crosstalk_db": Mark("assumed", _USUAL),
    "GratingCoupler2D.crosstalk_phase_rad": Mark("assumed", "0: the worst, for H and V then overlap most"),
    "Chip.carver": Mark("printed", "see Mzi"),
    "Chip.levels": Mark("printed", "see Mzi"),
    "Chip.feed": Mark("assumed", "see Mzi; that it is held"),
    "Chip.polarizer": Mark("printed", "see Mzi"),
    "Chip.voa": Mark("assumed", "see Voa"),
    "Chip.coupler_in": Mark("assumed", "see GratingCoupler1D"),
    "Chip.coupler_out": Mark("assumed", "see GratingCoupler2D"),
    "Waveform.kind": Mark("assumed", "the paper prints no drive"),
    "Waveform.edge_ps": Mark("assumed", "the paper prints no drive"),
    "BiasLock.floor": Mark("printed", "section 2.2: 30 dB"),
    "BiasLock.regulator": Mark("assumed", "the paper prints no bias control"),
    "BiasLock.dither_rad": Mark("assumed", "costs 5e-5 of the peak, a twentieth of the floor"),
    "BiasLock.rad_mw": Mark("assumed", "25 mW for pi"),
    "BiasLock.subtracts": Mark("assumed", "without, the bias rests 27 degrees off"),
}
