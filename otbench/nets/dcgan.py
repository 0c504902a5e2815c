"""DCGAN's networks (Radford et al. 2016) as PacGAN's code builds them for stacked MNIST (Lin et al. 2018).

Images are in [0, 1] outside; inside, networks work on [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, initialise
from otbench.nets.layers import Linear
from otbench.nets.wae import SameConv

Shape = tuple[int, ...]
#: decay 0.9 of the running statistics, epsilon 1e-5
NORM = (0.1, 1e-5)


@dataclass(frozen=True)
class Form:
    """What tells the networks of two set-ups apart.

    kernel: side of every convolution. halvings: strided layers of each network. even: whether a convolution of stride 1
    ends the generator, rather than a strided one. slope: of the discriminator's leaky ReLUs. first: whether its first
    layer is normalised too.
    """

    kernel: int
    halvings: int
    even: bool
    slope: float
    first: bool

    def sizes(self, shape: Shape) -> list[tuple[int, int]]:
        """Sizes of an image before and after each stride of 2, rounded up.

        An image of fewer pixels a side than the papers' 28 is halved only as long as 4 are left, but at least once:
        networks as deep as theirs collapse on it.

        Args:
            shape: Shape (c, h, w) of an image.

        Returns:
            Heights and widths, the image's first.
        """
        h, w = shape[1:]
        sizes = [(h, w)]
        while len(sizes) <= self.halvings:
            h, w = (-(-side // 2) for side in sizes[-1])
            if min(shape[1:]) < 28 and min(h, w) < 4 and len(sizes) > 1:
                break
            sizes.append((h, w))
        return sizes


#: the set-up that PacGAN calls VEEGAN's, and that of the unrolled GAN
VEEGAN = Form(kernel=5, halvings=4, even=False, slope=0.2, first=False)
UNROLLED = Form(kernel=3, halvings=3, even=True, slope=0.3, first=True)


class DeconvTo(nn.ConvTranspose2d):
    """The transposed convolution of `SameConv` with stride 2 that gives images of `size`, odd ones too.

    (n, a, ceil(h / 2), ceil(w / 2)) -> (n, b, h, w).
    """

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int], kernel: int) -> None:
        super().__init__(inputs, outputs, kernel, stride=2)
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, and cut to the size.

        Args:
            x: Feature maps (n, a, ceil(h / 2), ceil(w / 2)).

        Returns:
            Feature maps (n, b, h, w).
        """
        x = super().forward(x)
        (h, w), (top, left) = self.size, ((a - b) // 2 for a, b in zip(x.shape[-2:], self.size, strict=True))
        return x[..., top : top + h, left : left + w]


class Generator(nn.Module):
    """Noise (n, latent) -> images (n, c, h, w) in [0, 1]; `signed`: tanh's own range, [-1, 1].

    width: channels of the last hidden layer. 4,514,819 parameters for 28x28x3 in VEEGAN's set-up (width 64, latent
    100), 287,875 in the unrolled GAN's (width 8, latent 256).
    """

    def __init__(
        self, shape: Shape, latent: int = 100, width: int = 64, form: Form = VEEGAN, signed: bool = False
    ) -> None:
        super().__init__()
        *sizes, (h, w) = form.sizes(shape)
        levels = len(sizes) + form.even
        channels = [width * 2**k for k in reversed(range(levels))]
        top = channels[0]
        self.dense = Linear(latent, top * h * w)
        layers: list[nn.Module] = [nn.Unflatten(1, (top, h, w)), BatchNorm(top, *NORM), nn.ReLU()]
        for a, b in pairwise(channels):
            layers += [DeconvTo(a, b, sizes.pop(), form.kernel), BatchNorm(b, *NORM), nn.ReLU()]
        if form.even:
            layers.append(SameConv(width, shape[0], form.kernel, stride=1))
        else:
            layers.append(DeconvTo(width, shape[0], sizes.pop(), form.kernel))
        self.body = nn.Sequential(*layers)
        self.signed = signed
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.tanh(self.body(self.dense(z)))
        return x if self.signed else (x + 1) / 2


class Body(nn.Module):
    """Images (n, c, h, w) -> features (n, features): the discriminator's strided convolutions.

    signed: images are taken as they come, rather than brought from [0, 1] to [-1, 1].
    """

    def __init__(
        self, shape: Shape, width: int, form: Form = VEEGAN, signed: bool = False, normalised: bool = True
    ) -> None:
        super().__init__()
        sizes = form.sizes(shape)
        channels = [shape[0], *(width * 2**k for k in range(len(sizes) - 1))]
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(pairwise(channels)):
            norm = [BatchNorm(b, *NORM)] if normalised and (k or form.first) else []
            layers += [SameConv(a, b, form.kernel), *norm, nn.LeakyReLU(form.slope)]
        h, w = sizes[-1]
        self.layers, self.features = nn.Sequential(*layers, nn.Flatten()), channels[-1] * h * w
        self.signed = signed

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x if self.signed else 2 * x - 1)


class Discriminator(nn.Module):
    """Images (n, c, h, w) -> logits (n,); a pack of m images comes as m c channels.

    width: channels of the first layer. 4,310,401 parameters for 28x28x3 in VEEGAN's set-up (width 64) and 4,800 more
    for each further image of a pack.
    """

    def __init__(
        self, shape: Shape, width: int = 64, form: Form = VEEGAN, signed: bool = False, normalised: bool = True
    ) -> None:
        super().__init__()
        self.body = Body(shape, width, form, signed, normalised)
        self.last = Linear(self.body.features, 1)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x)).squeeze(-1)


class Encoder(nn.Module):
    """Images (n, c, h, w) -> (n, outputs): the discriminator's body, then an affine layer."""

    def __init__(self, shape: Shape, outputs: int, width: int = 64, form: Form = VEEGAN) -> None:
        super().__init__()
        self.body = Body(shape, width, form)
        self.last = Linear(self.body.features, outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x))


class Joint(nn.Module):
    """Images (n, c, h, w) and noise (n, latent) -> logits (n,).

    The discriminator's body sees the image and an affine layer of 8 width units the noise; one hidden layer of 16 width
    units sees both.
    """

    def __init__(
        self, shape: Shape, latent: int = 100, width: int = 64, form: Form = VEEGAN, normalised: bool = True
    ) -> None:
        super().__init__()
        self.body = Body(shape, width, form, normalised=normalised)
        self.noise = nn.Sequential(Linear(latent, 8 * width), nn.LeakyReLU(form.slope))
        both = self.body.features + 8 * width
        self.last = nn.Sequential(Linear(both, 16 * width), nn.LeakyReLU(form.slope), Linear(16 * width, 1))
        initialise(self)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.last(torch.cat([self.body(x), self.noise(z)], 1)).squeeze(-1)
