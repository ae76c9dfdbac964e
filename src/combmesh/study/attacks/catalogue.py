"""All attacks by name."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from combmesh.ground.errors import InputError
from combmesh.study.attacks import photons
from combmesh.study.attacks.lists import AnnouncedList, replayed, same_list, two_lists
from combmesh.study.attacks.phases import PhaseEve
from combmesh.study.attacks.photons import PhotonEve
from combmesh.study.attacks.world import Eve

Publish = Callable[[AnnouncedList, np.random.Generator], tuple[AnnouncedList, AnnouncedList]]


@dataclass(frozen=True)
class Attack:
    """An Eve in the place of the relay.

    Attributes:
        name: as on the command line.
        sentence: what she does.
        eve: what she does with the light.
        publish: the lists that she hands to Alice and to Bob.
        inside_proof: whether the users' light is as the proof assumes.
    """

    name: str
    sentence: str
    eve: Eve
    publish: Publish = same_list
    inside_proof: bool = True


SPLIT = PhotonEve(photons.split)
"""What Eve does with the pulses that she does not attack: she loses nothing and keeps every photon that she can."""

_ALL = (
    Attack("split", "true Bell states without loss; a photon of each bright pulse kept until the bases are out", SPLIT),
    Attack("random", "announcements at random, all light kept", PhotonEve(photons.at_random, least=0)),
    Attack("exchange", "psi-plus announced as psi-minus and the reverse", PhotonEve(photons.exchanged)),
    Attack("drop-by-number", "pairs of single photons mostly dropped", PhotonEve(photons.dropped_by_number)),
    Attack(
        "drop-by-basis", "all measured in Z; what shows itself as X is dropped", PhotonEve(photons.dropped_by_basis)
    ),
    Attack("intercept-z", "intercept and resend: a photon of each user in Z", PhotonEve(photons.intercepted_in_z)),
    Attack(
        "intercept-random",
        "intercept and resend: a photon of each user in a random basis",
        PhotonEve(photons.intercepted_at_random),
    ),
    Attack(
        "block-singles",
        "photon-number splitting: only pulses of which she can keep a photon are announced",
        PhotonEve(photons.singles_blocked),
    ),
    Attack("replay", "true Bell states, every announcement made twice", SPLIT, replayed),
    Attack("two-lists", "true Bell states, other lists for Alice and for Bob", SPLIT, two_lists),
    Attack(
        "known-phase",
        "phases that Eve knows: a filter finds basis and bit, at the cost of light only",
        PhaseEve(),
        inside_proof=False,
    ),
)
ATTACKS = {attack.name: attack for attack in _ALL}


def attack_named(name: str) -> Attack:
    """The attack of a name; raises InputError with the nearest one."""
    from difflib import get_close_matches

    if name in ATTACKS:
        return ATTACKS[name]
    near = get_close_matches(name, ATTACKS, 1)
    hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(ATTACKS)}."
    raise InputError(f"There is no attack `{name}`{hint}")
