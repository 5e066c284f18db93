"""py3langid's model from the cache is the package's, and a cache that fails costs nothing but time."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from labse_search.languages.repack import load_identifier

TEXTS = ["Where is the bridge over the river?", "Wo ist die Brücke über den Fluss?", "Где мост через реку?", "橋はどこ"]


def test_the_kept_model_is_the_packages_own_and_made_again_when_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    load_identifier(tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    assert len(whole) < 12e6
    found = load_identifier(tmp_path)
    assert not caplog.text
    for damage in (whole[: len(whole) // 2], whole[:5000] + bytes(200) + whole[5200:]):
        assert list(found.tk_nextmove) == list(own.tk_nextmove) and list(found.tk_row) == list(own.tk_row)
        assert found.tk_output == own.tk_output and found.nb_classes == own.nb_classes
        np.testing.assert_array_equal(found.nb_ptc, own.nb_ptc)
        np.testing.assert_array_equal(found.nb_pc, own.nb_pc)
        assert [found.rank(text) for text in TEXTS] == [own.rank(text) for text in TEXTS]
        kept.write_bytes(damage)
        with caplog.at_level(logging.WARNING):
            found = load_identifier(tmp_path)
        assert "cannot be read" in caplog.text
        assert kept.read_bytes() == whole
        caplog.clear()


def test_where_nothing_can_be_kept_it_works_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    with caplog.at_level(logging.WARNING):
        found = load_identifier(tmp_path / "file" / "cache")
    assert "cannot be written" in caplog.text
    assert found.classify(TEXTS[1])[0] == "de"
