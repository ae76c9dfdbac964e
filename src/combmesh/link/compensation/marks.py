"""Where the default values of the compensation come from, by class and field."""

from combmesh.ground.provenance import Mark

_SURVEY = "a survey of gains and probes on the model (docs/compensation.md)"

MARKS = {
    "Squeezers.axes_deg": Mark("assumed", "the usual order; the paper prints an electrically driven controller only"),
    "Squeezers.lowest_rad": Mark("assumed", "a full wave to either side"),
    "Squeezers.highest_rad": Mark("assumed", "a full wave to either side"),
    "Squeezers.rad_per_volt": Mark("assumed", "half a wave at 35 V, usual for piezo squeezers"),
    "Disclosure.counts": Mark("assumed", "the paper prints no budget"),
    "Disclosure.error_floor": Mark("default", "none"),
    "Descent.squeezers": Mark("assumed", "see Squeezers"),
    "Descent.gain": Mark("assumed", _SURVEY),
    "Descent.probe_rad": Mark("assumed", _SURVEY),
    "Descent.rest_below": Mark("default", "always probes"),
    "CoordinateDescent.squeezers": Mark("assumed", "see Squeezers"),
    "CoordinateDescent.shortest_rad": Mark("assumed", _SURVEY),
    "CoordinateDescent.longest_rad": Mark("assumed", "a quarter wave, where noise harms the sinusoid least"),
    "CoordinateDescent.reach": Mark("assumed", _SURVEY),
    "Annealing.squeezers": Mark("assumed", "see Squeezers"),
    "Annealing.hottest": Mark("assumed", _SURVEY),
    "Annealing.coldest": Mark("assumed", "the counting noise of a cost of 1e-4"),
    "Annealing.cooling": Mark("assumed", _SURVEY),
    "Annealing.reach": Mark("assumed", _SURVEY),
    "Annealing.recheck": Mark("assumed", _SURVEY),
    "Clicks.fwhm_ps": Mark("assumed", "the printed 95 ps of Fig. 3d, broadened by 100 km of standard fibre"),
    "Clicks.period_ps": Mark("printed", "2.5 GHz (section 2.2)"),
    "Clicks.counts": Mark("assumed", "2 ps of centroid at 95 ps; the paper prints no budget"),
    "Clicks.light_share": Mark("default", "no background"),
    "ClockLoop.nominal_period_ps": Mark("printed", "2.5 GHz (section 2.2)"),
    "ClockLoop.sigma_ps": Mark("assumed", "114 ps of width, as Clicks"),
    "ClockLoop.wander": Mark("assumed", "1e-8 per square root of a second, a quartz oscillator's"),
    "ClockLoop.light_share": Mark("default", "no background"),
}
