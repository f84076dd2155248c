"""All operators that are converted, and those that are known besides."""

from collections.abc import Mapping

from numbatch.convert.torch import axes, elementwise, embeddings, products, simplify, slices
from numbatch.convert.torch.conversion import Converter

CONVERTERS: Mapping[str, Converter] = {
    **products.CONVERTERS,
    **elementwise.CONVERTERS,
    **axes.CONVERTERS,
    **embeddings.CONVERTERS,
    **slices.CONVERTERS,
}

# With what changes nothing, and the parts of larger operations: all that a converted program needs to be run.
KNOWN = {
    *CONVERTERS,
    *simplify.NOTHING,
    *(
        "abs",
        "arange",
        "sym_numel",
        "sym_size",
        "_operator.add",
        "_operator.mul",
        "_operator.sub",
        "_operator.floordiv",
    ),
}
