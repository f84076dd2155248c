"""Which instruction set the kernels are built for: a table, and the row of it that applies.

Everything specific to a machine is in this table. No bit of a result depends on it.
"""

from typing import NamedTuple

from numba.core.registry import cpu_target


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
    nv : int
        Vectors side by side in a panel. A panel is nr = nv * lanes units wide, a multiple of 16.
    """

    name: str
    requires: tuple[str, ...]
    lanes: int
    registers: int
    mr: int
    nv: int

    @property
    def nr(self) -> int:
        """Units of a panel."""
        return self.nv * self.lanes

    def panels(self, rows: int) -> int:
        """Return the panels that a tile of so many rows takes side by side: the most, up to 4, whose sums fit.

        Few rows have few sums, and an addition waits for the one before it (4 cycles): with more panels there are more
        sums to go on with. The registers hold the sums, the weights of one input and the input itself.
        """
        fits = (p for p in (4, 2, 1) if p * self.nv * (rows + 1) + 1 <= self.registers)
        return next(fits, 1)


# The first that the processor has. "portable" is for the others, NEON among them; without fused multiply-add
# instructions (x86-64 before 2013) it gives the same bits through the C library, some fifty times slower.
INSTRUCTION_SETS = (
    InstructionSet("avx512", ("avx512f", "avx512dq", "avx512vl", "fma"), lanes=16, registers=32, mr=12, nv=2),
    InstructionSet("avx2", ("avx2", "fma"), lanes=8, registers=16, mr=6, nv=2),
    InstructionSet("portable", (), lanes=4, registers=32, mr=4, nv=4),
)


def effective_features() -> frozenset[str]:
    """Return the processor features that Numba compiles for: the host's, unless NUMBA_CPU_FEATURES says otherwise."""
    features: str = cpu_target.target_context.codegen()._get_host_cpu_features()
    return frozenset(feature[1:] for feature in features.split(",") if feature.startswith("+"))


def select(features: frozenset[str]) -> InstructionSet:
    """Return the first instruction set all of whose required features are there."""
    return next(candidate for candidate in INSTRUCTION_SETS if features.issuperset(candidate.requires))


TARGET = select(effective_features())
