import numpy as np
import pytest

from labse_search.encoder import default_model, load_encoder
from labse_search.encoder.pool import TEXTS_AT_ONCE, EncoderPool
from labse_search.errors import ModelUnavailable


def test_two_processes_give_the_vectors_of_one_in_order() -> None:
    texts = [f"sentence number {number} about the sea" for number in range(2 * TEXTS_AT_ONCE + 3)]
    one = load_encoder(default_model(), precision="fp32")
    with EncoderPool(default_model(), processes=2, precision="fp32") as pool:
        assert (pool.dimension, pool.fingerprint, pool.languages) == (one.dimension, one.fingerprint, one.languages)
        np.testing.assert_allclose(pool.encode(texts), one.encode(texts), atol=1e-5)  # other batches, other sums
        assert pool.encode([]).shape == (0, one.dimension)
        with pytest.raises(ValueError, match="tokens"):
            pool.encode(["word " * 1000])
        assert len(pool.encode(["still alive"])) == 1


def test_a_model_that_is_not_there_is_said_so() -> None:
    with pytest.raises(ModelUnavailable):
        EncoderPool("/nowhere/at/all", processes=1)
