"""A type for numba: a few float32 side by side, which LLVM puts into what registers the processor has.

numba's own loops over arrays become vectors only where LLVM sees that they may, and it does not see it in the
long bodies of TV-L1. Here a kernel says it: ``load`` takes ``LANES`` numbers, operators work on all of them.
A ``Row`` is the address of float32 numbers, as in C: nothing checks an index.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from attcell.flow._machine_code import target

TARGET = target()
LANES = TARGET.lanes
QUAD = 4  # numbers of one pixel: its brightness, its gradient, and a zero
STATE, PICTURE = 6, 4  # planes in a block of pixels, see _kernel_iterations
BORDER = 4  # pixels of zero around a picture; whatever is seen from beyond them is zero
OPTIONS = {"error_model": "numpy", "boundscheck": False, "no_cfunc_wrapper": True, "no_cpython_wrapper": True}

_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()
_INT = ir.IntType(32)


class Vector(types.Type):
    """So many float32."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.llvm = ir.VectorType(_FLOAT, lanes)
        super().__init__(name=f"float32x{lanes}")


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        super().__init__(manager, vector, _vector(vector.lanes))


Row = types.CPointer(types.float32)
Sums = types.CPointer(types.float64)
Wide, Quad = Vector(LANES), Vector(QUAD)


def _vector(lanes: int, number: ir.Type = _FLOAT) -> ir.Type:
    return ir.VectorType(number, lanes)


def _operator(function: Callable[..., Any], instruction: str) -> None:
    @type_callable(function)
    def kind(context: Any) -> Callable[..., Any]:
        def of(a: Any, b: Any) -> Any:
            return a if isinstance(a, Vector) and a == b else None

        return of

    for vector in {LANES: Wide, QUAD: Quad}.values():

        @lower_builtin(function, vector, vector)
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            return getattr(builder, instruction)(*values)


_operator(operator.add, "fadd")
_operator(operator.sub, "fsub")
_operator(operator.mul, "fmul")
_operator(operator.truediv, "fdiv")


def _at(builder: Any, row: Any, place: Any, lanes: int) -> Any:
    return builder.bitcast(builder.gep(row, [place]), _vector(lanes).as_pointer())


def read(builder: Any, row: Any, place: Any, lanes: int = LANES, align: int = 4) -> Any:
    value = builder.load(_at(builder, row, place, lanes))
    value.align = align
    return value


def write(builder: Any, value: Any, row: Any, place: Any, lanes: int = LANES, align: int = 4) -> None:
    builder.store(value, _at(builder, row, place, lanes)).align = align


def _loading(vector: Vector, align: int = 4) -> Any:
    @intrinsic
    def load(typing: Any, row: Any, place: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            return read(builder, values[0], values[1], vector.lanes, align)

        return vector(row, types.intp), emit

    return load


def _storing(vector: Vector, align: int = 4) -> Any:
    @intrinsic
    def store(typing: Any, row: Any, place: Any, value: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            write(builder, values[2], values[0], values[1], vector.lanes, align)
            return context.get_dummy_value()

        return types.void(row, types.intp, vector), emit

    return store


def _spreading(vector: Vector) -> Any:
    @intrinsic
    def spread(typing: Any, number: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            one = ir.Constant(_vector(vector.lanes), ir.Undefined)
            one = builder.insert_element(one, values[0], _INT(0))
            return builder.shuffle_vector(
                one, one, ir.Constant(_vector(vector.lanes, _INT), [0] * vector.lanes)
            )

        return vector(types.float32), emit

    return spread


load, load_quad = _loading(Wide), _loading(Quad)
store, store_quad = _storing(Wide), _storing(Quad)
load_aligned, store_aligned = _loading(Wide, 4 * LANES), _storing(Wide, 4 * LANES)
spread, spread_quad = _spreading(Wide), _spreading(Quad)


def _pointing(kind: types.Type) -> Any:
    @intrinsic
    def at(typing: Any, address: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            return builder.inttoptr(values[0], context.get_value_type(kind))

        return kind(types.intp), emit

    return at


row_at, sums_at, places_at = map(_pointing, (Row, Sums, types.CPointer(types.int32)))


@intrinsic
def shift(typing: Any, row: Any, places: Any) -> Any:
    """The row from so many numbers on."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return builder.gep(values[0], [values[1]])

    return row(row, types.intp), emit


def _llvm(builder: Any, name: str, values: Sequence[Any]) -> Any:
    """An intrinsic of LLVM whose values and result are of one type."""
    kind = values[0].type
    full = f"llvm.{name}.v{kind.count}f{32 if kind.element == _FLOAT else 64}"
    function = builder.module.globals.get(full)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(kind, [kind] * len(values)), full)
    return builder.call(function, values)


@intrinsic
def fused(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once where the processor does that in one step, else twice."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return _llvm(builder, "fmuladd", values)

    return a(a, a, a), emit


@intrinsic
def rounded_once(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """a·b + c, rounded once on every processor."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return _llvm(builder, "fma", values) if TARGET.fuses else _rounded_to_odd(builder, *values)

    return a(a, a, a), emit


def _rounded_to_odd(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """By way of float64. The product is exact there and the sum is not; but if it is cut off, and its last
    bit set where something was, then it is rounded to float32 as the exact sum would be (Boldo and Melquiond
    2008).
    """
    lanes = a.type.count
    double, long = _vector(lanes, _DOUBLE), _vector(lanes, ir.IntType(64))
    a, b, c = (builder.fpext(value, double) for value in (a, b, c))
    product = builder.fmul(a, b)
    total = builder.fadd(product, c)
    part = builder.fsub(total, product)
    error = builder.fadd(builder.fsub(product, builder.fsub(total, part)), builder.fsub(c, part))
    bits = builder.bitcast(total, long)
    is_inexact = builder.sext(builder.fcmp_ordered("!=", error, ir.Constant(double, [0.0] * lanes)), long)
    signs = builder.xor(bits, builder.bitcast(error, long))
    is_above = builder.ashr(signs, ir.Constant(long, [63] * lanes))
    bits = builder.add(bits, builder.and_(is_above, is_inexact))
    bits = builder.or_(bits, builder.and_(is_inexact, ir.Constant(long, [1] * lanes)))
    return builder.fptrunc(builder.bitcast(bits, double), _vector(lanes))


@intrinsic
def root(typing: Any, a: Any) -> Any:
    """The square root."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return _llvm(builder, "sqrt", values)

    return a(a), emit


@intrinsic
def minus(typing: Any, a: Any) -> Any:
    """The negative."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return builder.fneg(values[0])

    return a(a), emit


@intrinsic
def smaller(typing: Any, a: Any, b: Any) -> Any:
    """The smaller of each two."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return chosen(builder, "<", *values)

    return a(a, a), emit


@intrinsic
def larger(typing: Any, a: Any, b: Any) -> Any:
    """The larger of each two."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return chosen(builder, ">", *values)

    return a(a, a), emit


def chosen(builder: Any, sign: str, a: Any, b: Any) -> Any:
    """Without thought for NaN, which no picture here has, nor for the sign of zero: one instruction."""
    flags = ("nnan", "nsz")
    return builder.select(builder.fcmp_ordered(sign, a, b, flags), a, b, flags)


def _estimated(what: str) -> Any:
    @intrinsic
    def estimated(typing: Any, a: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            kind = values[0].type
            name, more = f"llvm.x86.{ESTIMATES[LANES].format(what)}", []
            if LANES == 16:  # masked: all lanes, and else zero
                more = [ir.Constant(kind, [0.0] * LANES), ir.IntType(16)(0xFFFF)]
            function = builder.module.globals.get(name)
            if function is None:
                kinds = [kind, *(extra.type for extra in more)]
                function = ir.Function(builder.module, ir.FunctionType(kind, kinds), name)
            return builder.call(function, [values[0], *more])

        return a(a), emit

    return estimated


# 1 / a and 1 / √a to 11 bits or more, on x86; elsewhere estimates are rougher, and the true values are taken.
ESTIMATES = {16: "avx512.{}14.ps.512", 8: "avx.{}.ps.256", 4: "sse.{}.ps"}
estimated_inverse, estimated_inverse_root = _estimated("rcp"), _estimated("rsqrt")


@intrinsic
def exact_length(typing: Any, x: Any, y: Any) -> Any:
    """√(x² + y²) by way of float64, in which both squares are exact."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        lanes = values[0].type.count
        x, y = (builder.fpext(value, _vector(lanes, _DOUBLE)) for value in values)
        length = _llvm(builder, "sqrt", [builder.fadd(builder.fmul(x, x), builder.fmul(y, y))])
        return builder.fptrunc(length, _vector(lanes))

    return x(x, x), emit


@intrinsic
def total(typing: Any, a: Any) -> Any:
    """The sum of the lanes, as float64."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        lanes = values[0].type.count
        wide = builder.fpext(values[0], _vector(lanes, _DOUBLE))
        parts = [builder.extract_element(wide, _INT(lane)) for lane in range(lanes)]
        while len(parts) > 1:
            half = len(parts) // 2
            parts = [builder.fadd(parts[lane], parts[lane + half]) for lane in range(half)]
        return parts[0]

    return types.float64(a), emit


def _shuffled(mask: Sequence[int]) -> Any:
    """Lanes of two vectors, counted through both."""

    @intrinsic
    def shuffled(typing: Any, a: Any, b: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            return builder.shuffle_vector(*values, ir.Constant(_vector(LANES, _INT), list(mask)))

        return a(a, a), emit

    return shuffled


left_neighbours = _shuffled(range(LANES - 1, 2 * LANES - 1))  # of b, which follows a
right_neighbours = _shuffled(range(1, LANES + 1))  # of a, which b follows
with_first_of = _shuffled([LANES, *range(1, LANES)])  # a, but for its first lane


@intrinsic
def counted(typing: Any, start: Any) -> Any:
    """start, start + 1, start + 2, …"""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        kind = _vector(LANES, _INT)
        start = builder.insert_element(
            ir.Constant(kind, ir.Undefined), builder.trunc(values[0], _INT), _INT(0)
        )
        start = builder.shuffle_vector(start, start, ir.Constant(kind, [0] * LANES))
        return builder.sitofp(builder.add(start, ir.Constant(kind, list(range(LANES)))), _vector(LANES))

    return Wide(types.intp), emit


@intrinsic
def floor(typing: Any, a: Any) -> Any:
    """The next whole number below."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        return _llvm(builder, "floor", values)

    return a(a), emit


@intrinsic
def store_whole(typing: Any, row: Any, place: Any, value: Any) -> Any:
    """Whole numbers, to a row of int32."""

    def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        kind = _vector(LANES, _INT)
        target = builder.bitcast(builder.gep(values[0], [values[1]]), kind.as_pointer())
        builder.store(builder.fptosi(values[2], kind), target).align = 4
        return context.get_dummy_value()

    return types.void(row, types.intp, Wide), emit


def _channel(number: int) -> Any:
    @intrinsic
    def channel(typing: Any, quads: Any, place: Any) -> Any:
        def emit(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
            wide = ir.IntType(64)
            parts = [
                read(builder, values[0], builder.add(values[1], wide(LANES * part))) for part in range(QUAD)
            ]
            while len(parts) > 1:
                length = parts[0].type.count
                all_lanes = ir.Constant(_vector(2 * length, _INT), list(range(2 * length)))
                parts = [
                    builder.shuffle_vector(parts[at], parts[at + 1], all_lanes)
                    for at in range(0, len(parts), 2)
                ]
            mask = ir.Constant(_vector(LANES, _INT), [QUAD * lane + number for lane in range(LANES)])
            return builder.shuffle_vector(parts[0], parts[0], mask)

        return Wide(quads, types.intp), emit

    return channel


channel_0, channel_1, channel_2 = (_channel(number) for number in range(3))


@njit(**OPTIONS)
def place(plane: int, x: int, planes: int) -> int:
    """Where a pixel's number lies in a row of blocks of so many planes."""
    return x // LANES * (planes * LANES) + plane * LANES + x % LANES
