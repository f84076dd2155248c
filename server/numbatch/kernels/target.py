"""Which instruction set the kernels are built for: a table, and the row of it that applies.

Everything specific to a machine is in this table. No bit of a result depends on it.
"""

from typing import NamedTuple

from numba.core.registry import cpu_target

# The units of a panel of weights, whatever the instruction set: one vector of AVX-512, two of AVX2, four of NEON.
NR = 16


class InstructionSet(NamedTuple):
    """How wide the vectors are and how large a tile of the output stays in registers.

    Attributes
    ----------
    name : str
        As it is reported.
    requires : tuple of str
        LLVM's names of the processor features that must be there.
    lanes : int
        float32 elements in a vector.
    registers : int
        Vector registers.
    mr : int
        Most rows of a tile.
    bf16_mr : int
        Most rows of one with weights of bfloat16, which take registers to widen.
    """

    name: str
    requires: tuple[str, ...]
    lanes: int
    registers: int
    mr: int
    bf16_mr: int

    @property
    def nv(self) -> int:
        """Vectors of a panel."""
        return NR // self.lanes


# The first that the processor has. "portable" is for the others; without fused multiply-add instructions (x86-64
# before 2013) it gives the same bits through the C library, some fifty times slower.
INSTRUCTION_SETS = (
    InstructionSet("avx512", ("avx512f", "avx512dq", "avx512vl", "fma"), lanes=16, registers=32, mr=12, bf16_mr=12),
    InstructionSet("avx2", ("avx2", "fma"), lanes=8, registers=16, mr=6, bf16_mr=2),
    InstructionSet("neon", ("neon",), lanes=4, registers=32, mr=6, bf16_mr=2),
    InstructionSet("portable", (), lanes=4, registers=16, mr=2, bf16_mr=1),
)


def effective_features() -> frozenset[str]:
    """Return the processor features that Numba compiles for: the host's, unless NUMBA_CPU_FEATURES says otherwise."""
    features: str = cpu_target.target_context.codegen()._get_host_cpu_features()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


def select(features: frozenset[str]) -> InstructionSet:
    """Return the first instruction set all of whose required features are there."""
    return next(candidate for candidate in INSTRUCTION_SETS if features.issuperset(candidate.requires))


TARGET = select(effective_features())
