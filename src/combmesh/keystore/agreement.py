"""Do both ends of every pair hold the same keys?"""

from collections import defaultdict
from collections.abc import Mapping
from hmac import compare_digest
from itertools import combinations

from combmesh.ground.errors import InputError
from combmesh.keystore.model import StoredKey
from combmesh.keystore.store import KeyStore

Keys = dict[tuple[str, int, int], StoredKey | None]
"""By id, line and block; None stands for a key of which bits have left."""


def mismatched_pairs(stores: Mapping[str, KeyStore]) -> list[tuple[str, str]]:
    """The pairs of users in `stores` whose two stores do not hold exactly the same available keys.

    Keys are the same when id, line, block, origin, length and bits agree; where bits have left at one of the two, when
    id, line and block do. Each pair is in the order of its names. Keys with a peer outside `stores` are not compared.
    """
    for user, store in stores.items():
        if store.user != user:
            raise InputError(f"`stores[{user!r}]` must be the store of that user, but is of {store.user!r}.")
    keys = {user: _keys_by_peer(store) for user, store in stores.items()}
    pairs = combinations(sorted(stores), 2)
    return [(a, b) for a, b in pairs if not _same_keys(keys[a].get(b, {}), keys[b].get(a, {}))]


def _keys_by_peer(store: KeyStore) -> dict[str, Keys]:
    whole = {key.key_id: key for key in store.available_keys()}
    by_peer: defaultdict[str, Keys] = defaultdict(dict)
    for (peer, line, block), (key_id, state) in store.key_index().items():
        if state == "available":
            by_peer[peer][key_id, line, block] = whole.get(key_id)
    return dict(by_peer)


def _same_keys(ours: Keys, theirs: Keys) -> bool:
    return ours.keys() == theirs.keys() and all(_same_key(ours[name], theirs[name]) for name in ours)


def _same_key(ours: StoredKey | None, theirs: StoredKey | None) -> bool:
    if ours is None or theirs is None:
        return True
    same_label = (ours.origin, ours.n_bits) == (theirs.origin, theirs.n_bits)
    return same_label and compare_digest(ours.material, theirs.material)
