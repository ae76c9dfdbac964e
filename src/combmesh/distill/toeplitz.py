r"""Privacy amplification: $y = T x \bmod 2$ with a random Toeplitz matrix, $T_{ij} = s_{i-j+n-1}$.

The seed $s$ has n + m - 1 bits, fresh for every block, announced only after the signals are measured. Toeplitz
matrices with uniform seeds are 2-universal (Krawczyk 1994), which is what the leftover-hash lemma asks.

The product is a convolution in float64. A single-precision transform gives wrong bits at n = 1e7, so four guards
stand behind each result: the type of the transform, a bound on its rounding error before it runs, the largest
distance of its output from a whole number, and a few rows computed again without any transform.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, RunError

SMALLEST_CHUNK = 2**14
N_CHECKED_ROWS = 4
ERROR_BOUND = 1 / 8
ERROR_SEEN = 1 / 4


def draw_seed_bytes(n_bits: int, length: int) -> bytes:
    """Random bytes from the operating system, enough for the n + m - 1 bits of a seed."""
    return secrets.token_bytes(seed_bytes(n_bits, length))


def seed_bytes(n_bits: int, length: int) -> int:
    """Bytes that hold n + m - 1 bits."""
    return (n_bits + length + 6) // 8


def seed_bits(seed: bytes, n_bits: int, length: int) -> NDArray[np.uint8]:
    """The first n + m - 1 bits of `seed`, shape (n_bits + length - 1,)."""
    return np.unpackbits(np.frombuffer(seed, np.uint8), count=n_bits + length - 1)


def toeplitz_hash(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """`length` output bits from `bits`, shape (n,), and `seed`, shape (n + length - 1,); all of type uint8, 0 or 1."""
    _check_input(bits, seed, length)
    chunk = _chunk_length(bits.size, length)
    bound = rounding_bound(bits.size, length, chunk)
    if bound > ERROR_BOUND:
        raise RunError(f"The rounding error of the Toeplitz product is bounded by {bound:g}, above {ERROR_BOUND:g}.")
    product = _product(bits, seed, length, chunk)
    whole = np.rint(product)
    off = float(np.max(np.abs(product - whole)))
    if not off < ERROR_SEEN:
        raise RunError(f"The Toeplitz product is off whole numbers by {off:g}; the limit is {ERROR_SEEN:g}.")
    hashed = (whole.astype(np.int64) & 1).astype(np.uint8)
    for _ in range(N_CHECKED_ROWS):
        i = secrets.randbelow(length)
        if int(hashed[i]) != _row(bits, seed, i):
            raise RunError(f"Row {i} of the Toeplitz product differs from its direct computation.")
    return hashed


def rounding_bound(n_bits: int, length: int, chunk: int) -> float:
    r"""A-priori bound on the absolute error of any output before rounding.

    Each transform of N points has a relative error in the 2-norm of at most $c\, u \log_2 N$ (Higham, Accuracy and
    Stability of Numerical Algorithms, 2nd ed., section 24.1), with unit roundoff $u = 2^{-53}$; c = 8 is generous for
    mixed radices. Two forward and one inverse transform, and norms of at most $\sqrt{B}$ and $\sqrt{B+m-1}$ for a
    chunk of B bits, give $3 c\, u \log_2 N \sqrt{B (B+m-1)}$ a chunk; chunks add.
    """
    n_chunks = -(-n_bits // chunk)
    span = chunk + length - 1
    return float(3 * 8 * 2.0**-53 * np.log2(2.0 * span + 1) * np.sqrt(float(chunk) * span) * n_chunks)


def _check_input(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int) -> None:
    if bits.ndim != 1 or bits.size == 0:
        raise InputError(f"`bits` must have shape (n,) with n at least 1, but has shape {bits.shape}.")
    if not 1 <= length <= bits.size:
        raise InputError(f"`length` must lie between 1 and {bits.size}, but is {length}.")
    if seed.shape != (bits.size + length - 1,):
        raise InputError(f"`seed` must have shape ({bits.size + length - 1},), but has {seed.shape}.")
    for name, array in (("bits", bits), ("seed", seed)):
        if array.dtype != np.uint8:
            raise InputError(f"`{name}` must be of type uint8, but is of type {array.dtype}.")
        if array.max() > 1:
            raise InputError(f"`{name}` must hold 0 and 1 only, but holds {array.max()}.")


def _chunk_length(n_bits: int, length: int) -> int:
    """Bits of input for each transform: near `length`, equal parts, not too small to be worth a transform."""
    n_chunks = max(1, round(n_bits / max(length, SMALLEST_CHUNK)))
    return -(-n_bits // n_chunks)


def _product(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int, chunk: int) -> NDArray[np.float64]:
    """The integer product as float64, shape (length,): products of chunks add in the frequency domain."""
    from scipy import fft

    n_points = fft.next_fast_len(chunk + length - 1, real=True)
    total = np.zeros(n_points // 2 + 1, np.complex128)
    for start in range(0, bits.size, chunk):
        stop = min(start + chunk, bits.size)
        # Bits j in [start, stop) meet the seed from n - stop on; fewer bits than `chunk` are filled up in front.
        part = np.zeros(chunk)
        part[: stop - start] = bits[start:stop]
        first = bits.size - start - chunk
        segment = np.zeros(chunk + length - 1)
        segment[max(-first, 0) :] = seed[max(first, 0) : bits.size - start + length - 1]
        spectrum = fft.rfft(part, n_points)
        if spectrum.dtype != np.complex128:
            raise RunError(f"The transform must be in complex128, but is in {spectrum.dtype}.")
        spectrum *= fft.rfft(segment, n_points, overwrite_x=True)
        total += spectrum
    product: NDArray[np.float64] = fft.irfft(total, n_points, overwrite_x=True)[chunk - 1 : chunk + length - 1]
    return product


def _row(bits: NDArray[np.uint8], seed: NDArray[np.uint8], i: int) -> int:
    """Output bit i directly."""
    return int(np.count_nonzero(bits & seed[i : i + bits.size][::-1])) & 1
