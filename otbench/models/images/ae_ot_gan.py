"""AE-OT-GAN of images (An et al. 2020, ECCV): a GAN fed with codes that optimal transport draws, not with noise."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from otbench.errors import WorkFailed
from otbench.models.base import Losses, Stage
from otbench.models.images.ae_ot import AEOT, AEOTConfig
from otbench.models.images.autoencoder import coders
from otbench.models.inputs import Real, Uniform
from otbench.nets import resnet, sndcgan
from otbench.nets.replicas import Replicas
from otbench.transport import AngleRule, TransportMap
from otbench.transport.extension import BATCH, extended_at
from otbench.utils.rng import stream_seed

#: candidates that a code may take before the angle threshold is held to be too small
TRIES = 1000


class AEOTGANConfig(AEOTConfig):
    """The autoencoder's and the transport's values as in AE-OT; the GAN's are chosen here, see the model."""

    networks: Literal["standard", "resnet"] = "standard"
    rule: Literal["paper"] = "paper"
    #: rate of the generator and of the discriminator, Adam's betas 0 and 0.9: SNGAN's
    gan_rate: float = Field(2e-4, gt=0)
    #: weight of the squared error per pixel between the generator's image of a real code and the image itself
    content: float = Field(100.0, ge=0)
    #: weight of the error of that image's own code, relative to the codes' variance
    feature: float = Field(1.0, ge=0)
    #: the generator starts as the autoencoder's decoder, not from scratch
    from_decoder: bool = True
    #: codes drawn from the extended map, once, of which the generator's batches are made
    drawn: int = Field(50_000, ge=1)


class AEOTGAN(AEOT):
    """The generator G turns codes T(u) of the extended transport map, decoded by AE-OT, into images; E is the encoder.

    Three stages: autoencoder; transport, once the encoder is frozen; adversarial, where the decoder goes on as G. With
    b(z) = D(G(z)), pairs (E(x), x) of training images, and v the mean variance of the codes of a batch:

    L_D = E max(0, 1 - D(x)) + E max(0, 1 + b(T(u)))
    L_G = -E b(T(u)) + content * E mean |G(E(x)) - x|^2 + feature * E mean |E(G(E(x))) - E(x)|^2 / v

    The paper's losses, their weights, the lengths of its codes and its schedule were not available. Its abstract
    says that the GAN is trained on the latent distribution that the extended map induces, and that the pairs of codes
    and real images restrict the generator further; a passage of it quoted elsewhere names a feature loss and a content
    loss on the given samples beside the discriminator. That is the form above. Chosen here: D with spectral
    normalisation and the hinge loss (SNGAN, whose networks stand in the same columns of the paper's table), one update
    of D an update of G, the encoder in place of other features, and the weights; the budgets of Lucic et al., half of
    them for the autoencoder. G sees both kinds of codes in one batch, so that its normalisation sees them alike.

    On digits after 400 updates (standard, width 8, three seeds) the Frechet distance to the test images (24 principal
    components) was 0.43, 0.98 without the pairs, 1.92 from scratch, and 10.0 from scratch without the pairs. Either of
    the two losses does most of their work (content alone 0.43, feature alone 0.50), and `content` from 10 to 1,000
    makes little difference (0.46 to 0.42).
    """

    names = {"ae-ot-gan": {"networks": "standard"}, "ae-ot-gan-resnet": {"networks": "resnet", "width": 128}}
    title = "AE-OT-GAN"
    titles = {"ae-ot-gan": "AE-OT-GAN (standard)", "ae-ot-gan-resnet": "AE-OT-GAN (ResNet)"}
    paper = "An et al. 2020 (ECCV), table 1; losses chosen here"
    Config = AEOTGANConfig
    config: AEOTGANConfig

    def build(self) -> None:
        """Encoder, decoder and discriminator; Adam over the first two, and on each side of the adversarial stage."""
        c, shape = self.config, self.data.shape
        nets = {"standard": sndcgan, "resnet": resnet}[c.networks]
        self.build_autoencoder()
        self.discriminator = self.network(
            "discriminator", lambda: nets.Discriminator(shape, c.width, normalisation="spectral")
        )
        self.adam("generator", ["decoder"], c.gan_rate, 0.0, 0.9)
        self.adam("discriminator", ["discriminator"], c.gan_rate, 0.0, 0.9)
        #: codes (drawn, latent) of every replica, by seed, once its transport is solved
        self.pool: dict[int, Tensor] = {}

    def stages(self) -> list[Stage]:
        """Autoencoder, transport, GAN, and a last look at the error of G's reconstructions."""
        c = self.config
        inputs = {"real": Real((c.batch,))}
        return [
            Stage("autoencoder", self.step, inputs, share=c.before),
            Stage(self.law_stage, solve=self.freeze),
            Stage("adversarial", self.adversarial_step, inputs | {"slot": Uniform((c.batch,))}, share=1 - c.before),
            Stage("error", solve=lambda: self.errors("l2")),
        ]

    def freeze(self) -> list[dict[str, float]]:
        """Fit the laws of the codes, draw from them, and start the generator."""
        records = self.settle()
        self.fill()
        if not self.config.from_decoder:
            _, build = coders(self.config, self.data.shape)
            self.decoder.load(Replicas(build, self.seeds, "generator", self.device).state())
        return records

    def fill(self) -> None:
        """Draw every replica's codes; its law and its seed say which."""
        self.pool = {
            seed: pooled(*self.transport(seed), self.config.drawn, stream_seed(seed, "adversarial/codes")).to(
                self.device, torch.get_default_dtype()
            )
            for seed in self.seeds
        }

    def codes_at(self, slot: Tensor) -> Tensor:
        """Drawn codes at given places.

        Args:
            slot: Places (R, B) in [0, 1) among each replica's own codes.

        Returns:
            Codes (R, B, latent).
        """
        row = (slot * self.config.drawn).long().clamp(max=self.config.drawn - 1)
        return torch.stack([self.pool[seed][k] for seed, k in zip(self.seeds, row, strict=True)])

    def adversarial_step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the discriminator, then one of the generator on the same images.

        Args:
            batch: Images `real` (R, B, c, h, w), and places `slot` (R, B) in [0, 1) of the drawn codes.

        Returns:
            Losses (R,), detached: `discriminator`, `generator`, `l2` (the content loss) and, with a weight, `feature`.
        """
        c, x, half = self.config, batch["real"], self.config.batch
        self.encoder.eval()
        with torch.no_grad():
            codes = self.encoder(x)
        images = self.decoder(torch.cat([self.codes_at(batch["slot"]), codes], 1))
        generated, back = images[:, :half], images[:, half:]
        real, fake = self.discriminator(x), self.discriminator(generated.detach())
        d = F.relu(1 - real).mean(1) + F.relu(1 + fake).mean(1)
        self.descend(discriminator=d)
        g = -self.discriminator(generated).mean(1)
        content = (back - x).square().mean((1, 2, 3, 4))
        losses = {"discriminator": d, "generator": g, "l2": content}
        loss = g + c.content * content
        if c.feature:
            feature = (self.encoder(back) - codes).square().mean((1, 2)) / codes.var(1).mean(1)
            loss, losses["feature"] = loss + c.feature * feature, feature
        self.descend(generator=loss)
        return {name: value.detach() for name, value in losses.items()}

    def load_training_state(self, state: dict[str, Any]) -> None:
        """Go on from what `training_state` returned; the drawn codes are drawn again, the same."""
        super().load_training_state(state)
        if self.laws:
            self.fill()


def pooled(found: TransportMap, rule: AngleRule, count: int, seed: int) -> Tensor:
    """Codes drawn from the extended map.

    Place k takes the first of its own source points that passes the angle threshold. So no place depends on another:
    where rounding turns one decision over, one code changes, and not all that come after it.

    Args:
        found: Map onto the training codes.
        rule: Angle rule that cuts it.
        count: Number of codes.
        seed: Seed of the source points.

    Returns:
        Codes (count, d) float64.

    Raises:
        WorkFailed: When a code finds no source point under the threshold.

    Source: An et al. 2020 (ICLR), algorithm 2.
    """
    draw = np.random.default_rng(seed)
    codes, missing = np.empty((count, found.dimension)), np.arange(count)
    for tried in range(TRIES):
        x, failed = found.source.sample(count, draw), []
        for start in range(0, len(missing), BATCH):
            part = missing[start : start + BATCH]
            samples, fine = extended_at(found, x[part], rule)
            codes[part[fine]] = samples
            failed.append(part[~fine])
        missing = np.concatenate(failed)
        if not len(missing):
            return torch.from_numpy(codes)
        if tried >= 20 and len(missing) > 0.99 * count:
            break
    raise WorkFailed(
        f"AE-OT-GAN: {len(missing)} of {count} codes found no source point under the angle threshold of "
        f"{rule.threshold:.3g} rad; raise it"
    )
