"""Floor 1: the arithmetic. Arrays of float32 in, arrays of float32 out; it knows no model, no message and no thread."""
