"""The sum of failure probabilities of mode pairing, written out."""

TERMS = {
    "eps' (smoothing of the chain rule)": 2,
    "eps-hat (smoothing of the chain rule)": 2,
    "eps_PA (privacy amplification)": 1,
    "eps_e: O^U of the phase errors, four times": 4,
    "E^L of Z pairs nu nu, o mu, mu o, oo together": 4,
    "E^U of Z pairs o nu, nu o, mu mu together": 3,
    "E^U of wrong X pairs nu nu, and of oo, together": 2,
    "E^L of X pairs o nu, nu o together": 2,
    "O^L of the single-photon pairs": 1,
    "E^L, O^L of the vacuum part": 2,
}
"""How often each one-sided bound enters 2(eps' + 2 eps_e + eps-hat) + eps_PA + tails: 23; Xie 2022 divides by 24."""
