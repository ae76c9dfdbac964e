"""Constants of nature and the frequencies that the paper prints."""

from math import log, sqrt

SPEED_OF_LIGHT_M_S = 299_792_458.0

RUBIDIUM_PUMP_THZ = 192.1152
"""Half the frequency of the 87Rb D2 transition: the pump line CH0 of every comb (paper 2.1)."""

FWHM_PER_SIGMA = 2.0 * sqrt(2.0 * log(2.0))
"""Full width at half maximum of a Gaussian over its standard deviation."""
