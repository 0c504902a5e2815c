"""Distances of images: the Laplacian pyramid against convolutions, VGG16 against torchvision's layers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import convolve
from torchvision.models.vgg import cfgs, make_layers, vgg16

from otbench.errors import OtbenchError, WorkFailed
from otbench.nets.perceptual import VGGDistance, laplacian, laplacian_distance


def blurred(x):
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    return np.stack([[convolve(plane, kernel, mode="nearest") for plane in image] for image in x])


def pyramid(x, levels):
    bands = []
    for _ in range(levels):
        n, c, h, w = x.shape
        smaller = blurred(x).reshape(n, c, h // 2, 2, w // 2, 2).mean((3, 5))
        bands.append(x - blurred(smaller.repeat(2, 2).repeat(2, 3)))
        x = smaller
    return [*bands, x]


@pytest.mark.parametrize(("shape", "levels"), [((1, 16, 16), 2), ((1, 28, 28), 2), ((3, 32, 32), 3), ((3, 64, 48), 3)])
def test_the_pyramid_is_burt_and_adelsons(shape, levels):
    draw = np.random.default_rng(0)
    a, b = draw.random((2, *shape)), draw.random((2, *shape))
    ours = laplacian(torch.from_numpy(a).float())
    theirs = pyramid(a, levels)
    assert len(ours) == levels + 1
    for one, other in zip(ours, theirs, strict=True):
        assert one.numpy() == pytest.approx(other, abs=1e-5)
    distance = laplacian_distance(torch.from_numpy(a).float(), torch.from_numpy(b).float())
    pairs = zip(pyramid(a, levels), pyramid(b, levels), strict=True)
    assert distance.numpy() == pytest.approx(sum(np.abs(p - q).mean((1, 2, 3)) for p, q in pairs), rel=1e-5)


def test_a_constant_has_no_band_but_the_last_and_small_images_no_band_at_all():
    *bands, last = laplacian(torch.full((1, 3, 32, 32), 0.7))
    assert max(b.abs().max().item() for b in bands) < 1e-6 and last.numpy() == pytest.approx(0.7)
    grey = torch.rand(1, 1, 16, 16)
    assert laplacian_distance(grey, grey - 0.25).item() == pytest.approx(0.25, rel=1e-4)
    small = torch.rand(2, 1, 6, 6)
    assert len(laplacian(small)) == 1
    assert laplacian_distance(small, 0 * small).numpy() == pytest.approx(small.mean((1, 2, 3)).numpy())


def test_the_pyramid_keeps_full_precision_under_mixed_precision():
    # a side that no other test has: what is kept of a first call in mixed precision must serve later ones
    a, b = torch.rand(3, 1, 24, 24), torch.rand(3, 1, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = laplacian_distance(a.bfloat16().float(), b)
    assert mixed.dtype == torch.float32 and torch.equal(mixed, laplacian_distance(a.bfloat16().float(), b))


# ------------------------------------------------------------------ VGG16


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A state dict as torchvision's, with random weights and without its dense layers, and the layers it is of."""
    torch.manual_seed(0)
    layers = make_layers(cfgs["D"])
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{k}": v for k, v in layers.state_dict().items()}, path)
    return path, layers


@pytest.mark.parametrize(("size", "ids"), [(16, (2, 7)), (28, (2, 7, 12)), (32, (2, 7, 12)), (64, (2, 7, 12, 21))])
def test_vgg_compares_the_maps_that_the_authors_loop_leaves(size, ids, weights):
    path, layers = weights
    distance = VGGDistance(path, size)
    colours = 1 if size < 32 else 3
    a, b = (2 * torch.rand(2, colours, size, size) - 1 for _ in range(2))

    def maps(x):
        # torchvision's ReLUs work in place: what is kept before one is seen after it, but for the last
        x = F.pad((x + 1) / 2, (2,) * 4 if size == 28 else (0,) * 4) * 2 - 1
        x, kept = x.repeat(1, 3 // colours, 1, 1), []
        start = x.clone()
        for k in range(ids[-1] + 1):
            x = layers[k](x)
            kept += [x] if k in ids else []
        return [start, *kept]

    with torch.no_grad():
        expected = sum((p - q).abs().flatten(1).mean(1) for p, q in zip(maps(a), maps(b), strict=True))
        assert all((m >= 0).all() for m in maps(a)[1:-1]) and (maps(a)[-1] < 0).any()
        assert torch.allclose(distance(a, b), expected, rtol=1e-4)
        assert torch.equal(distance(a, a), torch.zeros(2))
    assert not any(p.requires_grad for p in distance.parameters())
    x = a.clone().requires_grad_()
    assert torch.autograd.grad(distance(x, b).sum(), x)[0].abs().max() > 0


def test_layers_are_those_of_torchvisions_vgg16(weights):
    with torch.device("meta"):
        whole = vgg16()
    own = VGGDistance(weights[0], 64).state_dict()
    assert set(own) <= set(whole.state_dict())
    assert all(whole.state_dict()[k].shape == v.shape for k, v in own.items())


def test_other_files_are_refused_in_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(OtbenchError, match="option vgg16: there is no file"):
        VGGDistance(tmp_path / "none.pth", 16)
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    (tmp_path / "text.pth").write_text("no weights")
    for name in ("other", "list", "text"):
        with pytest.raises(OtbenchError, match=f"{name}.pth: expected the state dict of torchvision's vgg16, but it"):
            VGGDistance(tmp_path / f"{name}.pth", 16)

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    with pytest.raises(WorkFailed, match="cannot download VGG16's weights .no network.: give the path"):
        VGGDistance("download", 16)
