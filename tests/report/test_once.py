"""What a page says once, and how a title stands within a sentence."""

from __future__ import annotations

import pytest

from otbench.report.labels import lower_first, protocol_words
from otbench.report.page.once import Once


def test_a_sentence_is_left_out_where_it_stands_further_up() -> None:
    once = Once()
    shared = "Mean ± standard error over seeds. Bold: the best generative model by its mean."
    assert once(f"{shared} First.") == f"{shared} First."
    assert once(f"{shared} Second of two.") == "Second of two."
    assert once("Short one.") == "Short one." == once("Short one.")  # it may be part of another sentence
    assert Once()(shared) == shared  # another page says it again


@pytest.mark.parametrize(
    ("title", "within"),
    [
        ("VEEGAN's set-up (Table 2)", "VEEGAN's set-up (Table 2)"),
        ("Unrolled GAN's set-up", "unrolled GAN's set-up"),
        ("AE-OT variants", "AE-OT variants"),
        ("Adversarial models", "adversarial models"),
        ("PacGAN2 rows", "PacGAN2 rows"),
        ("", ""),
    ],
)
def test_a_name_keeps_its_capital_within_a_sentence(title: str, within: str) -> None:
    assert lower_first(title) == within


def test_a_protocol_in_words() -> None:
    raw = "features=classifier-cdd3be65;accuracy=1.0000;n_real=500;n_generated=2500"
    assert protocol_words(raw, "images") == "2,500 generated images against 500 real images on classifier features"
    assert protocol_words("n_generated=2500;reference=truth;radius=3sigma", "points") == "2,500 generated points"
    assert protocol_words("certificate", "points") == "certificate"
