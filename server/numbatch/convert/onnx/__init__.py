"""ONNX: reading its models and writing ours.

`from_onnx` (reading):

1. A file or a message is made whole and checked: source.
2. What depends on constants only is computed: network, folding.
3. The nodes that the outputs need are found, alone or as groups that are one layer: planning, which knows the groups by
   their looks (activations, patterns, matching).
4. A layer is written for each: operators, which lists products, elementwise, normalizations, shapes, reductions, tables
   and estimators; translation is what they share.

`to_onnx` (writing): writing_layers, writing_activations and nodes_writer.
"""

from numbatch.convert.onnx.reading import from_onnx
from numbatch.convert.onnx.writing import to_onnx

__all__ = ["from_onnx", "to_onnx"]
