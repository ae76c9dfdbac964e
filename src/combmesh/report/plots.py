"""Pictures of a network. Every figure is made without pyplot, so that no global state is touched."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from combmesh.ground.errors import InputError
from combmesh.report.export import write_atomic
from combmesh.report.rows import PairRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE_FILE = Path(__file__).with_name("combmesh.mplstyle")
MAX_NAMED_USERS = 40
NO_KEY_COLOUR = "0.82"
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    ".svg": {"Date": None, "Creator": None},
}


def heat_map(users: Sequence[str], matrix_bps: ArrayLike, path: Path | str, title: str) -> None:
    """Draw the key rate of all pairs, in bit/s of light time, to a PNG, PDF or SVG file.

    `matrix_bps` has shape (user, user) and is symmetric; 0 or NaN is a pair without key; the diagonal is ignored.
    """
    rate_bps = _pair_rates(users, matrix_bps)
    save_figure(lambda: _heat_figure(users, rate_bps, title), path)


def save_figure(draw: "Callable[[], Figure]", path: Path | str) -> None:
    """Draw in the project's style and write a PNG, PDF or SVG file."""
    path = Path(path)
    check_figure_name(path)

    from matplotlib import rc_context

    with rc_context(fname=str(STYLE_FILE)):
        content = _rendered(draw(), path.suffix.lower())
    write_atomic(content, path)


def check_figure_name(path: Path) -> None:
    """Refuse a name whose ending is no picture's."""
    if path.suffix.lower() not in _METADATA:
        raise InputError(f"`path` must end in {', '.join(_METADATA)}, but is {str(path)!r}.")


def rate_matrix(users: Sequence[str], rows: Sequence[PairRow]) -> NDArray[np.float64]:
    """`(user, user)` key rates of the pairs, bit/s of light time."""
    place = {user: i for i, user in enumerate(users)}
    matrix_bps = np.zeros((len(users), len(users)))
    for row in rows:
        i, j = place[row.user_a], place[row.user_b]
        matrix_bps[i, j] = matrix_bps[j, i] = row.skr_bps
    return matrix_bps


def _pair_rates(users: Sequence[str], matrix_bps: ArrayLike) -> NDArray[np.float64]:
    """A checked copy, with NaN on the diagonal and 0 for pairs without key."""
    rate_bps = np.array(matrix_bps, dtype=np.float64)
    n = len(users)
    if n < 2:
        raise InputError(f"`users` must name at least 2 users, but names {n}.")
    if rate_bps.shape != (n, n):
        raise InputError(f"`matrix_bps` must have shape (user, user) = ({n}, {n}), but has {rate_bps.shape}.")
    rate_bps[np.isnan(rate_bps)] = 0.0
    np.fill_diagonal(rate_bps, 0.0)
    if np.any(rate_bps < 0) or np.any(np.isinf(rate_bps)):
        raise InputError(f"`matrix_bps` must be finite and at least 0, but ranges to {_worst(rate_bps):g}.")
    if not np.allclose(rate_bps, rate_bps.T, rtol=1e-9, atol=0.0):
        i, j = np.argwhere(~np.isclose(rate_bps, rate_bps.T, rtol=1e-9, atol=0.0))[0]
        raise InputError(
            f"`matrix_bps` must be symmetric, but has {rate_bps[i, j]:g} at ({i}, {j}) and {rate_bps[j, i]:g} across."
        )
    np.fill_diagonal(rate_bps, np.nan)
    return rate_bps


def _worst(rate_bps: NDArray[np.float64]) -> float:
    lowest = float(rate_bps.min())
    return lowest if lowest < 0 else float(rate_bps.max())


def _heat_figure(users: Sequence[str], rate_bps: NDArray[np.float64], title: str) -> "Figure":
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    n_pairs = len(users) * (len(users) - 1) // 2
    n_keyed = int(np.count_nonzero(rate_bps > 0)) // 2
    axes.set_title(title, pad=20, parse_math=False)
    subtitle = f"simulated light · {n_keyed} of {n_pairs} pairs have a key"
    axes.annotate(
        subtitle, (0.5, 1.0), (0, 6), "axes fraction", "offset points", ha="center", fontsize=8.5, color="0.3"
    )
    _draw_keyless(axes, rate_bps, n_pairs - n_keyed)
    if n_keyed:
        _draw_rates(figure, axes, rate_bps)
    _label_users(axes, users)
    return figure


def _draw_rates(figure: "Figure", axes: "Axes", rate_bps: NDArray[np.float64]) -> None:
    from matplotlib.colors import LogNorm

    shown = np.ma.masked_invalid(np.ma.masked_where(~(rate_bps > 0), rate_bps))
    low, high = float(shown.min()), float(shown.max())
    if high < 1.5 * low:  # one colour for one rate, not the whole scale for its last digits
        low, high = low / 1.5, high * 1.5
    image = axes.imshow(shown, norm=LogNorm(low, high))
    figure.colorbar(image, ax=axes, label="bit/s of light time", shrink=0.85, pad=0.02)


def _draw_keyless(axes: "Axes", rate_bps: NDArray[np.float64], n_keyless: int) -> None:
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    keyless = np.ma.masked_where(~(rate_bps == 0), np.ones_like(rate_bps))
    axes.imshow(keyless, cmap=ListedColormap([NO_KEY_COLOUR]), vmin=0, vmax=1)
    handles = [Patch(facecolor="white", edgecolor="0.5", linewidth=0.6, label="same user")]
    if n_keyless:
        noun = "pair" if n_keyless == 1 else "pairs"
        handles.insert(0, Patch(facecolor=NO_KEY_COLOUR, label=f"no key ({n_keyless} {noun})"))
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=2)


def _label_users(axes: "Axes", users: Sequence[str]) -> None:
    if len(users) > MAX_NAMED_USERS:
        axes.set_xlabel("index of user")
        axes.set_ylabel("index of user")
        return
    places = range(len(users))
    axes.set_xticks(places, list(users), rotation=90, parse_math=False)
    axes.set_yticks(places, list(users), parse_math=False)
    axes.tick_params(length=2, labelsize=8 if len(users) <= 25 else 6)


def _rendered(figure: "Figure", suffix: str) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], metadata=_METADATA[suffix])
    return buffer.getvalue()
