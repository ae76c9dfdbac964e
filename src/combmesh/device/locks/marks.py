"""Where the locks' default values come from, by class and field."""

from combmesh.ground.provenance import Mark

_RECALLED = "recalled for high-index doped silica"

MARKS = {
    "Ring.time_constant_s": Mark("assumed", "1 to 10 s are usual"),
    "Ring.resistance_k_w": Mark("assumed", "scales the power alone"),
    "Ring.rep_rate_hz_k": Mark("assumed", f"9e-6 /K, {_RECALLED}"),
    "Ring.resonance_hz_k": Mark("assumed", f"9e-6 /K, {_RECALLED}"),
    "Ring.linewidth_hz": Mark("assumed", f"loaded Q of 1.7e6, {_RECALLED}"),
    "Ring.zeta": Mark("assumed", "where the comb's recipe leaves the soliton, felt 20"),
    "Ring.pull_hz_zeta": Mark("assumed", "none: a line for a loop alone; `lock_ring` derives it"),
    "Ring.coldest_k": Mark("assumed", "half of the printed 2 K; `lock_ring` derives it"),
    "Ring.warmest_k": Mark("assumed", "half of the printed 2 K; `lock_ring` derives it"),
    "Ring.bend_hz": Mark("assumed", "none; `lock_ring` derives it"),
    "RepetitionLock.ring": Mark("assumed", "see Ring"),
    "RepetitionLock.regulator": Mark("assumed", "crossover 0.2 rad/s, cancels the ring's pole"),
    "RepetitionLock.offset_hz": Mark("assumed", "gives the error its sign"),
    "RepetitionLock.bandwidth_hz": Mark("printed", "section 2.1"),
    "RepetitionLock.period_s": Mark("assumed", "the paper prints no gate"),
    "RepetitionLock.access_s": Mark("assumed", "attempts take microseconds, the ring's settling seconds"),
    "SeedLock.regulator": Mark("assumed", "a slow loop; the fast one follows within a step"),
    "SeedLock.half_width_hz": Mark("assumed", "natural width of 6.07 MHz at 780 nm, quarter of it"),
    "SeedLock.capture_hz": Mark("assumed", "no neighbouring line nearer"),
    "Terminal.seed": Mark("assumed", "see SeedLock"),
    "Terminal.rep_rate": Mark("derived", "from the comb's preset at its cold detuning; the rest see RepetitionLock"),
    "Terminal.line_noise": Mark(
        "fitted", "to the 30.7 kHz of the beat at CH0 (Fig. 2f); its memory of 10 s is assumed"
    ),
    "Terminal.laser_drift": Mark("assumed", "a fibre laser left alone"),
    "Terminal.disturbance": Mark("fitted", "to the 215 Hz of the repetition rate (Fig. 2c); its kind is assumed"),
    "Terminal.ambient": Mark("assumed", "none: what a locked ring feels leaves it at half a millikelvin"),
    "Terminal.rep_rate_hz": Mark("printed", "section 2.1, about 49 GHz"),
    "Terminal.reference_error": Mark("assumed", "0: the paper prints no inaccuracy"),
    "Injection.depth_rad": Mark("assumed", "the paper prints no injection of its own"),
    "Injection.dispersion_hz": Mark("assumed", f"beta2 = -10 ps^2/km, {_RECALLED}"),
    "Record.hours": Mark("printed", "section 2.1"),
    "Record.gate_s": Mark("assumed", "peak to peak depends on it; the paper prints none"),
    "Record.dt_s": Mark("assumed", "a tenth of the period"),
    "Record.warm_up_s": Mark("assumed", "the record begins with settled locks"),
}
