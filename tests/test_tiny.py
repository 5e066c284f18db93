from pathlib import Path

import numpy as np


def test_the_tiny_model_is_a_labse_stack_that_loads_as_it_is(tiny_labse: Path) -> None:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(tiny_labse), device="cpu")
    assert [type(module).__name__ for module in model] == ["Transformer", "Pooling", "Dense", "Normalize"]
    vectors = model.encode(["the cat", "der hund"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
