"""Stacked digits: three digits of one split a stack, every mode equally often where models are compared."""

import numpy as np
import pytest

from otbench.data import load
from otbench.data.images.stacked import COUNTS, EVEN, SMALL_COUNTS, evenly
from otbench.features.classifier import Form, form_of, training_images
from otbench.metrics.reverse_kl import reverse_kl


@pytest.fixture(scope="module")
def data():
    return load("stacked-digits")


def test_channels_are_digits_of_the_same_split_and_make_the_class(data):
    digits = load("digits")
    assert data.shape == (3, 16, 16) and data.title == "stacked digits 16x16" and len(data.classes) == 1000
    assert {split: len(images) for split, images in data.splits.items()} == {
        split: count for split, (count, _) in SMALL_COUNTS.items()
    }
    for split, images in data.splits.items():
        of = {image.tobytes(): label for image, label in zip(digits.splits[split], digits.labels[split], strict=True)}
        for row in range(0, len(images), 97):
            figures = [of[channel.tobytes()] for channel in images[row]]
            assert data.labels[split][row] == int("".join(map(str, figures)))


def test_the_law_to_compare_with_is_uniform_and_the_others_are_of_chance(data):
    counts = {split: np.bincount(labels, minlength=1000) for split, labels in data.labels.items()}
    assert set(counts["test"]) == {5} and EVEN == ("test",)
    assert counts["train"].std() > 2 and counts["validation"].std() > 1
    # the paper's divergence: sum p ln(1000 p), here against the histogram of the test split
    p = counts["validation"] / counts["validation"].sum()
    expected = sum(share * np.log(1000 * share) for share in p if share)
    assert reverse_kl(counts["validation"], counts["test"]) == pytest.approx(expected)


def test_evenly_takes_every_digit_of_a_label_alike():
    labels = np.random.RandomState(0).permutation(np.repeat(np.arange(10), 4))
    rows = evenly(labels, 4000, np.random.RandomState(1))
    assert np.bincount(labels[rows] @ np.array([100, 10, 1])).tolist() == [4] * 1000
    for channel in range(3):
        seen = np.bincount(rows[:, channel], minlength=40)
        assert seen.sum() == 4000 and seen.min() > 60 and seen.max() < 145  # 100 on average
    assert abs(np.corrcoef(rows[:, 0], rows[:, 1])[0, 1]) < 0.1
    first = np.diff(labels[rows] @ np.array([100, 10, 1]))
    assert (first < 0).mean() > 0.4, "the order is random"


def test_the_stacks_never_change(data):
    assert data.digest() == "3ca6c07dadf2"
    seeds = [seed for counts in (COUNTS, SMALL_COUNTS) for _, seed in counts.values()]
    assert len(set(seeds)) == 6


def test_it_gets_the_classifier_of_stacked_digits(data):
    form = form_of(data)
    assert form == Form("lenet", (1, 16, 16), 10, stacked=True) and training_images(form, data) == 38_400
