r"""Privacy amplification: $y = T x \bmod 2$ with a random Toeplitz matrix, $T_{ij} = s_{i-j+n-1}$.

The seed $s$ has n + m - 1 bits, fresh for every block, announced only after the signals are measured. Toeplitz
matrices with uniform seeds are 2-universal (Krawczyk 1994), which is what the leftover-hash lemma asks.

Two roads lead to the same bits:

- *carry-less*, where the processor has the instruction: packed words, exact in GF(2^128), checked at a random point of
  that field (`binary_product`);
- *Fourier*, anywhere: a convolution in float64. A single-precision transform gives wrong bits at n = 1e7, so the type
  of the transform, a bound on its rounding error before it runs and the largest distance of its output from a whole
  number are checked.

Behind both, a few random rows are computed again from the bits themselves. A guard that fails stops the block.
"""

import secrets

import numpy as np
from numpy.typing import NDArray

from combmesh.ground.errors import InputError, RunError

WORD_BITS = 64
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
    """The n + m - 1 bits of `seed`, the highest of each byte first, shape (n_bits + length - 1,)."""
    n_bytes = seed_bytes(n_bits, length)
    if len(seed) != n_bytes:
        raise InputError(f"`seed` must have {n_bytes} bytes, but has {len(seed)}.")
    return np.unpackbits(np.frombuffer(seed, np.uint8), count=n_bits + length - 1)


def toeplitz_hash(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """`length` output bits from `bits`, shape (n,), and `seed`, shape (n + length - 1,); all of type uint8, 0 or 1."""
    from combmesh.distill import binary_product

    _check_input(bits, seed, length)
    road = _carryless_hash if binary_product.has_instruction() else _fourier_hash
    hashed = road(bits, seed, length)
    _check_rows(hashed, bits, seed)
    return hashed


def _carryless_hash(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    """The product over words of 64 bits, the first bit highest; `bits` end, and `seed` begins, at the edge of a word.

    With the words of `bits` in reverse order, C_I = sum of a_J s_(I+J) has the output bits 64 I + r on its places 63 -
    r, and the rest of their sums on the places 127 - r of C_(I+1).
    """
    from combmesh.distill import binary_product

    n_words, n_out = -(-bits.size // WORD_BITS), -(-length // WORD_BITS)
    a = _words(bits, n_words, n_words * WORD_BITS - bits.size)[::-1].copy()
    rows = binary_product.correlate(a, _words(seed, n_words + n_out + 1), n_out + 1)
    hashed = (rows[:-1, 0] ^ rows[1:, 1]).astype(">u8")
    return np.unpackbits(hashed.view(np.uint8), count=length)


def _words(bits: NDArray[np.uint8], n_words: int, n_zeros: int = 0) -> NDArray[np.uint64]:
    """`bits` behind `n_zeros` zeros, packed, the first bit highest, shape (n_words,); zeros fill the rest."""
    packed = np.packbits(np.concatenate([np.zeros(n_zeros, np.uint8), bits]) if n_zeros else bits)
    filled = np.zeros(n_words * WORD_BITS // 8, np.uint8)
    filled[: packed.size] = packed
    return filled.view(">u8").astype(np.uint64)


def _fourier_hash(bits: NDArray[np.uint8], seed: NDArray[np.uint8], length: int) -> NDArray[np.uint8]:
    chunk = _chunk_length(bits.size, length)
    bound = rounding_bound(bits.size, length, chunk)
    if bound > ERROR_BOUND:
        raise RunError(f"The rounding error of the Toeplitz product is bounded by {bound:g}, above {ERROR_BOUND:g}.")
    product = _product(bits, seed, length, chunk)
    whole = np.rint(product)
    off = float(np.max(np.abs(product - whole)))
    if not off < ERROR_SEEN:
        raise RunError(f"The Toeplitz product is off whole numbers by {off:g}; the limit is {ERROR_SEEN:g}.")
    return (whole.astype(np.int64) & 1).astype(np.uint8)


def _check_rows(hashed: NDArray[np.uint8], bits: NDArray[np.uint8], seed: NDArray[np.uint8]) -> None:
    """Random output bits directly, from unpacked bits."""
    backwards = bits[::-1].copy()
    row = np.empty_like(backwards)
    for _ in range(N_CHECKED_ROWS):
        i = secrets.randbelow(hashed.size)
        np.bitwise_and(backwards, seed[i : i + bits.size], out=row)
        if int(hashed[i]) != int(np.bitwise_xor.reduce(row)):
            raise RunError(f"Row {i} of the Toeplitz product differs from its direct computation.")


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
    for name, array in (("bits", bits), ("seed", seed)):
        if not isinstance(array, np.ndarray) or array.dtype != np.uint8:
            kind = getattr(array, "dtype", type(array).__name__)
            raise InputError(f"`{name}` must be an array of type uint8, but is of type {kind}.")
    if not isinstance(length, int | np.integer):
        raise InputError(f"`length` must be a whole number, but is {length!r}.")
    if bits.ndim != 1 or bits.size == 0:
        raise InputError(f"`bits` must have shape (n,) with n at least 1, but has shape {bits.shape}.")
    if not 1 <= length <= bits.size:
        raise InputError(f"`length` must lie between 1 and {bits.size}, but is {length}.")
    if seed.shape != (bits.size + length - 1,):
        raise InputError(f"`seed` must have shape ({bits.size + length - 1},), but has {seed.shape}.")
    for name, array in (("bits", bits), ("seed", seed)):
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
