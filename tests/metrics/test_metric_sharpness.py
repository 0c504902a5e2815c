"""Sharpness by hand, by another convolution, and under what it must not depend on."""

import numpy as np
import pytest
from scipy.signal import convolve2d

from otbench.errors import OtbenchError
from otbench.metrics.sharpness import laplacian_variance


def test_an_image_worked_out_by_hand():
    image = np.zeros((1, 1, 4, 4), np.uint8)
    image[0, 0, 1, 1] = 255
    # responses at the four inner pixels: -4 at the bright one, 1 at its two neighbours, 0 diagonally
    assert laplacian_variance(image) == pytest.approx([np.var([-4.0, 1.0, 1.0, 0.0])], rel=1e-12)
    # the smallest image has one response
    assert laplacian_variance(np.full((2, 1, 3, 3), 9, np.uint8)).tolist() == [0, 0]


def test_it_agrees_with_scipy_and_weighs_colours(generator):
    images = generator.integers(0, 256, (3, 3, 9, 7), dtype=np.uint8)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    grey = np.tensordot(images / 255, [0.2989, 0.587, 0.114], axes=([1], [0]))
    expected = [convolve2d(image, kernel, mode="valid").var() for image in grey]
    np.testing.assert_allclose(laplacian_variance(images), expected, rtol=1e-10)


def test_a_slope_is_not_sharp_and_noise_is_sharpest(generator):
    slope = np.add.outer(2 * np.arange(16), 3 * np.arange(16)).astype(np.uint8)[None, None]
    assert laplacian_variance(slope) == pytest.approx([0], abs=1e-20)
    noise = generator.integers(0, 256, (1200, 1, 28, 28), dtype=np.uint8)
    found = laplacian_variance(noise)
    # independent pixels of variance s: 16 s + 4 s
    assert found.mean() == pytest.approx(20 * (256**2 - 1) / 12 / 255**2, rel=0.02)
    assert found[1100] == laplacian_variance(noise[1100:1101])[0]


@pytest.mark.parametrize("shape", [(2, 2, 8, 8), (2, 1, 2, 8), (2, 8, 8)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(OtbenchError, match="sharpness: expected uint8 images"):
        laplacian_variance(np.zeros(shape, np.uint8))
    with pytest.raises(OtbenchError, match="got float64"):
        laplacian_variance(np.zeros((2, 1, 8, 8)))
