"""Do both ends of every pair hold the same keys?"""

from collections import defaultdict
from collections.abc import Mapping
from hmac import compare_digest
from itertools import combinations

from combmesh.ground.errors import InputError
from combmesh.keystore.model import StoredKey
from combmesh.keystore.sqlite import SqliteStore

KeysById = dict[str, StoredKey]


def mismatched_pairs(stores: Mapping[str, SqliteStore]) -> list[tuple[str, str]]:
    """The pairs of users in `stores` whose two stores do not hold exactly the same available keys.

    Keys are the same when id, line, block, origin, length and bits agree. Each pair is in the order of its names.
    Keys with a peer outside `stores` are not compared.
    """
    for user, store in stores.items():
        if store.user != user:
            raise InputError(f"`stores[{user!r}]` must be the store of that user, but is of {store.user!r}.")
    keys = {user: _keys_by_peer(store) for user, store in stores.items()}
    pairs = combinations(sorted(stores), 2)
    return [(a, b) for a, b in pairs if not _same_keys(keys[a].get(b, {}), keys[b].get(a, {}))]


def _keys_by_peer(store: SqliteStore) -> dict[str, KeysById]:
    by_peer: defaultdict[str, KeysById] = defaultdict(dict)
    for key in store.available_keys():
        by_peer[key.peer][key.key_id] = key
    return dict(by_peer)


def _same_keys(ours: KeysById, theirs: KeysById) -> bool:
    return ours.keys() == theirs.keys() and all(_same_key(ours[key_id], theirs[key_id]) for key_id in ours)


def _same_key(ours: StoredKey, theirs: StoredKey) -> bool:
    same_label = (ours.line, ours.block, ours.origin, ours.n_bits) == (
        theirs.line,
        theirs.block,
        theirs.origin,
        theirs.n_bits,
    )
    return same_label and compare_digest(ours.material, theirs.material)
