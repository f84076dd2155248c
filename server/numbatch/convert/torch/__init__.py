"""PyTorch's networks as models: modules in memory, .pt2 files of torch.export, state dicts with a description.

All but state dicts take one way: torch.export traces the module into a graph of ATen operators, two readers (`exported`
of what is in memory, `archive` of a file) make a `Program` of it that needs no PyTorch, and `conversion` walks it.
"""

from numbatch.convert.torch.reading import from_torch

__all__ = ["from_torch"]
