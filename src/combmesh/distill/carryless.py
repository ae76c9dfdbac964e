r"""GF(2^128) = GF(2)[x] / (x^128 + x^7 + x^2 + x + 1) by the processor's own carry-less multiplication.

An element is one row, (low, high), of a C-contiguous array of type uint64, shape (element, 2): the other order than in
`field_kernels`, so that a row is one load. In compiled kernels `add` and `add_product` stand for a few instructions.

Whether there is such an instruction is read from the target that numba compiles for. The index of numba's cache is
keyed by the same target (name of the processor and list of its features), so no processor loads code that was compiled
for another. Wider instructions (512 bits) save a third of a transform, a tenth of the whole: not worth a second road.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic

REDUCTION = 0x87  # x^128 = x^7 + x^2 + x + 1
WORD = ir.IntType(64)
ROW = ir.VectorType(WORD, 2)
FEATURES = {"x86_64": "+pclmul", "aarch64": "+aes", "arm64": "+aes"}

Builder = Any


@cache
def target() -> tuple[str, frozenset[str]]:
    """Machine and features, as LLVM names them, that numba compiles for."""
    triple, _, features = cpu_target.target_context.codegen().magic_tuple()
    return triple.split("-")[0], frozenset(features.split(","))


def has_feature() -> bool:
    """Whether the target has the instruction."""
    machine, features = target()
    return FEATURES.get(machine) in features


def word_product(builder: Builder, a: Any, b: Any, upper_a: int, upper_b: int) -> Any:
    """The product, 127 bits, of one word of a and one of b, the upper or the lower one."""
    if target()[0] == "x86_64":
        kind = ir.FunctionType(ROW, (ROW, ROW, ir.IntType(8)))
        pclmul = builder.module.declare_intrinsic("llvm.x86.pclmulqdq", (), kind)
        return builder.call(pclmul, (a, b, ir.Constant(ir.IntType(8), upper_a | upper_b << 4)))
    kind = ir.FunctionType(ir.VectorType(ir.IntType(8), 16), (WORD, WORD))
    pmull = builder.module.declare_intrinsic("llvm.aarch64.neon.pmull64", (), kind)
    words = [builder.extract_element(row, _index(upper)) for row, upper in ((a, upper_a), (b, upper_b))]
    return builder.bitcast(builder.call(pmull, words), ROW)


def product(builder: Builder, a: Any, b: Any) -> Any:
    """The product in the field.

    With a = a_1 x^64 + a_0, and b likewise, it is h x^128 + m x^64 + l, each of 127 bits. Both words of h, and then the
    upper one of m, are folded down by x^128 = x^7 + x^2 + x + 1.
    """
    fold = ir.Constant(ROW, [REDUCTION, 0])
    low = word_product(builder, a, b, 0, 0)
    high = word_product(builder, a, b, 1, 1)
    middle = builder.xor(word_product(builder, a, b, 0, 1), word_product(builder, a, b, 1, 0))
    middle = builder.xor(middle, word_product(builder, high, fold, 1, 0))
    low = builder.xor(low, word_product(builder, high, fold, 0, 0))
    low = builder.xor(low, word_product(builder, middle, fold, 1, 0))
    raised = ir.Constant(ir.VectorType(ir.IntType(32), 2), [2, 0])  # (0, lower word of m)
    return builder.xor(low, builder.shuffle_vector(middle, ir.Constant(ROW, [0, 0]), raised))


@intrinsic
def _add(typing_context: Any, out: Any, i: Any, x: Any, j: Any) -> Any:
    """out[i] += x[j]"""

    def generate(context: Any, builder: Builder, signature: Any, given: Any) -> Any:
        at, other = (_address(context, builder, signature, given, k) for k in (0, 2))
        _add_to(builder, at, builder.load(other, align=8))
        return context.get_dummy_value()

    return (types.void(out, types.intp, x, types.intp), generate) if _are_rows(out, x) else None


@intrinsic
def _add_product(typing_context: Any, out: Any, i: Any, x: Any, j: Any, y: Any, k: Any) -> Any:
    """out[i] += x[j] y[k]"""

    def generate(context: Any, builder: Builder, signature: Any, given: Any) -> Any:
        at, left, right = (_address(context, builder, signature, given, k) for k in (0, 2, 4))
        _add_to(builder, at, product(builder, builder.load(left, align=8), builder.load(right, align=8)))
        return context.get_dummy_value()

    return (types.void(out, types.intp, x, types.intp, y, types.intp), generate) if _are_rows(out, x, y) else None


def _are_rows(*arrays: Any) -> bool:
    """Whether these types of arrays have the one form that the addresses hold for."""
    return all(kind == types.Array(types.uint64, 2, "C") for kind in arrays)


def _address(context: Any, builder: Builder, signature: Any, given: Any, k: int) -> Any:
    """Of the row that argument k + 1 numbers in the array that is argument k."""
    data = context.make_array(signature.args[k])(context, builder, given[k]).data
    word = builder.gep(data, [builder.shl(given[k + 1], ir.Constant(given[k + 1].type, 1))])
    return builder.bitcast(word, ROW.as_pointer())


def _add_to(builder: Builder, at: Any, row: Any) -> None:
    builder.store(builder.xor(builder.load(at, align=8), row), at, align=8)


def _index(number: int) -> Any:
    return ir.Constant(ir.IntType(32), number)


add: Callable[..., None] = _add
add_product: Callable[..., None] = _add_product
