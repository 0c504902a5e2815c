"""InfoGAN-style networks of Lucic et al. 2018 (section 5), which the AE-OT papers use too.

At full size `width` is 64: 64 and 128 channels and 1,024 dense units. `depth` is the number of strided convolutions, 2
in Lucic et al.; 4 is AE-OT's larger autoencoder of CelebA ("two more convolutional layers", Lei et al. 2020, 6.4.1),
whose widths are not published: here channels go on doubling.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from otbench.nets.image_layers import BatchNorm, Conv, Deconv, LeakyReLU, coarse, initialise
from otbench.nets.layers import Linear

Shape = tuple[int, ...]
#: momentum of the running statistics and epsilon of batch normalisation: Lucic et al.'s, and PyTorch's own
STUDY = (0.001, 1e-3)
PYTORCH = (0.1, 1e-5)


class Generator(nn.Module):
    """Noise or codes (n, latent) -> images (n, c, h, w) in [0, 1], or their logits.

    6,642,241 parameters for 28x28x1, 8,616,131 for 32x32x3, 33,855,683 for 64x64x3. slope: of the leaky ReLUs (0.2 in
    GANs, 0 in the VAE).
    """

    def __init__(
        self,
        shape: Shape,
        latent: int = 64,
        width: int = 64,
        depth: int = 2,
        slope: float = 0.2,
        logits: bool = False,
        norm: tuple[float, float] = STUDY,
    ) -> None:
        super().__init__()
        h, w = coarse(shape, depth)
        channels = [width * 2**k for k in range(depth)]
        hidden, top = 16 * width, channels[-1] * h * w
        self.dense = nn.Sequential(
            *(Linear(latent, hidden), BatchNorm(hidden, *norm), nn.LeakyReLU(slope)),
            *(Linear(hidden, top), BatchNorm(top, *norm), nn.LeakyReLU(slope)),
        )
        layers: list[nn.Module] = [nn.Unflatten(1, (channels[-1], h, w))]
        for a, b in zip(channels[::-1], channels[-2::-1], strict=False):
            layers += [Deconv(a, b), BatchNorm(b, *norm), nn.LeakyReLU(slope)]
        self.body = nn.Sequential(*layers, Deconv(channels[0], shape[0]))
        self.logits = logits
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        x = self.body(self.dense(z))
        return x if self.logits else torch.sigmoid(x)


class Encoder(nn.Module):
    """Images (n, c, h, w) -> (n, outputs): convolutions, a dense layer, an affine layer; the generator's mirror.

    Normalisation after every layer but the first and the last. With 2 * 64 outputs it is the VAE's encoder.
    """

    def __init__(
        self,
        shape: Shape,
        outputs: int,
        width: int = 64,
        depth: int = 2,
        normalised: bool = True,
        norm: tuple[float, float] = STUDY,
    ) -> None:
        super().__init__()
        h, w = coarse(shape, depth)
        channels = [shape[0], *(width * 2**k for k in range(depth))]
        hidden, top = 16 * width, channels[-1] * h * w
        layers: list[nn.Module] = []
        for k, (a, b) in enumerate(zip(channels, channels[1:], strict=False)):
            layers += [Conv(a, b), *([BatchNorm(b, *norm)] if normalised and k else []), LeakyReLU()]
        layers += [nn.Flatten(), Linear(top, hidden), *([BatchNorm(hidden, *norm)] if normalised else []), LeakyReLU()]
        self.body = nn.Sequential(*layers)
        self.last = Linear(hidden, outputs)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.body(x))


class Discriminator(Encoder):
    """Images (n, c, h, w) -> logits (n,).

    With normalisation 6,559,169 parameters for 28x28x1, 8,527,297 for 32x32x3, 33,693,121 for 64x64x3.
    """

    def __init__(self, shape: Shape, width: int = 64, normalised: bool = True) -> None:
        super().__init__(shape, 1, width, normalised=normalised)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(-1)
