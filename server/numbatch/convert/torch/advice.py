"""What could be done about operators that cannot be served."""

_ADVICE = (
    (
        ("index", "gather", "take", "split"),
        "parts of the last axis are served, x[..., a:b] or split, which cat puts together",
    ),
    (("conv", "pool", "upsample"), "numbatch serves dense networks: no convolutions, no pooling of images"),
    (("lstm", "gru", "rnn"), "numbatch serves dense networks: no recurrent layers"),
    (("attention", "bmm", "einsum"), "products of two computed arrays, as in attention, are not served"),
    (("weight_norm", "linalg"), "fold it first: torch.nn.utils.parametrize.remove_parametrizations(module, 'weight')"),
    (("group_norm", "instance_norm", "rms_norm"), "batch_norm and layer_norm are served"),
    (
        ("log1p", "where", "gt", "minimum", "maximum"),
        "if the program was decomposed: export without run_decompositions()",
    ),
)
_OTHERWISE = "write it with layers that are served, or leave it to whoever calls the model"


def advice(operation: str) -> str:
    """Return what could be done about an operation that no layer computes."""
    return next((text for words, text in _ADVICE if any(word in operation for word in words)), _OTHERWISE)
