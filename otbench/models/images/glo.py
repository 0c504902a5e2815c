"""Generative latent optimisation: a generator and a free code of every training image, trained together."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from otbench.models.base import Losses, Stage, noise
from otbench.models.images.shared.base import CHUNK, ImageConfig, as_floats, mapped
from otbench.models.images.shared.matching import Indexed, as_trained
from otbench.models.inputs import Rows
from otbench.nets.glo import Codes, Generator, unit
from otbench.nets.perceptual import VGGDistance, laplacian_distance
from otbench.nets.replicas import Replicas, laid_out

#: images in a batch when the authors measure
MEASURED = 50
BETA1, BETA2, EPSILON = 0.5, 0.999, 1e-8


class GLOConfig(ImageConfig):
    """Values of the authors' code of GLANN, whose first part is GLO (configs mnist, fashion, cifar)."""

    batch: int = Field(128, ge=2)
    #: learning rate of the generator
    rate: float = Field(1e-3, gt=0)
    #: learning rate of the codes
    code_rate: float = Field(1e-2, gt=0)
    #: batch normalisation in the generator; None: as the authors, on grey images alone
    normalised: bool | None = None
    #: file with the state dict of torchvision's VGG16, or `download`; None: a Laplacian pyramid in place of VGG16
    vgg16: str | None = None
    #: as the authors' code: Adam moves all codes at every step, starts afresh every epoch, and only then are the codes
    #: brought back to the sphere
    restarts: bool = False
    #: as the authors' code: images are drawn in training mode, normalised by the statistics of batches of 50
    batch_statistics: bool = False


class GLO(Indexed):
    """min over the generator G and codes z_i on the unit sphere of sum_i d(G(z_i), x_i); new codes from a Gaussian.

    d is the original's L1 distance of Laplacian pyramids (Bojanowski et al. 2018) or, with the option `vgg16`, the mean
    absolute difference of images and maps of VGG16, with which the published figures were made (Hoshen and Malik 2018);
    the record of a fit says which (`vgg16`, and the certificate of that name, 1 or 0). Both on images in [-1, 1].

    Adam moves the codes of a batch, and no others, by the gradient of their own images; then they are brought to the
    sphere. Learning rates are halved after every tenth of the budget. A new code is drawn from the Gaussian with the
    mean and covariance of the training codes, and brought to the sphere.

    The authors' code differs: its Adam also moves, by momentum, codes that are not in the batch, forgets its moments
    every epoch, and codes leave the sphere within an epoch (`restarts`); and it draws images in training mode
    (`batch_statistics`). With both options, and `vgg16`, this is that code.
    """

    names = {"glo": {}}
    title = "GLO"
    paper = "Bojanowski et al. 2018; Hoshen and Malik 2018 (code of GLANN); Lei et al. 2020 (Engineering), table 4"
    family = "latent optimisation"
    paper_steps = 93_600
    Config = GLOConfig
    config: GLOConfig

    @classmethod
    def epochs(cls, dataset: str) -> int:
        """Epochs of the authors' configs.

        Args:
            dataset: Name of the data set.

        Returns:
            Number of epochs.
        """
        return 500 if dataset == "cifar10" else 200

    @classmethod
    def paper_budget(cls, dataset: str) -> int:
        """Epochs of whole batches of 128 images: 200 epochs, 500 on CIFAR-10 (the authors give none for CelebA)."""
        return cls.epochs(dataset) * cls.batches_of(dataset, 128)

    def build(self) -> None:
        """Generator with its Adam; codes, whose Adam is their own; the distance, where there is training."""
        c, shape, n = self.config, self.data.shape, len(self.data.train)
        normalised = shape[0] == 1 if c.normalised is None else c.normalised
        self.generator = self.network("generator", lambda: Generator(shape, c.latent, c.width, normalised))
        self.codes = self.network("codes", lambda: Codes(n, c.latent))
        self.adam("generator", ["generator"], c.rate, BETA1, BETA2)
        self.distance: Callable[[Tensor, Tensor], Tensor] = laplacian_distance
        if c.vgg16 and self.training:
            self.distance = VGGDistance(c.vgg16, max(shape[1:])).to(self.device)
        #: mean and root of the covariance of the codes, where a state was loaded
        self.law: dict[str, Tensor] = {}

    def parameters(self) -> dict[str, int]:
        """Of the codes, the length of one: their number is the data's."""
        return super().parameters() | {"codes": self.config.latent}

    def stages(self) -> list[Stage]:
        """Generator and codes, then how near the training images came."""
        return [self.fitting(1.0), Stage("error", solve=self.errors)]

    def fitting(self, share: float) -> Stage:
        """The stage of generator and codes.

        Args:
            share: Share of the budget that the stage gets.

        Returns:
            The stage.
        """
        rows = {"rows": Rows((self.config.batch,))}
        return Stage("codes", self.step, rows, share=share, schedule=self.anneal)

    def anneal(self, fraction: float) -> None:
        """Halve the rates after every tenth of the stage: 20 epochs of 200, 50 of 500.

        Args:
            fraction: Share of the stage's steps already taken, in [0, 1).
        """
        share = 0.5 ** int(10 * fraction + 1e-9)
        self.codes.tensor("rate").fill_(share * self.config.code_rate)
        self.set_rate("generator", share * self.config.rate)
        begun = self.count(fraction)
        if self.config.restarts and begun and begun % self.epoch == 0:
            self.restart()

    def restart(self) -> None:
        """Forget all moments and bring the codes to the sphere."""
        for name in ("first", "second", "steps"):
            self.codes.tensor(name).zero_()
        self.forget("generator")
        with torch.no_grad():
            weight = self.codes.tensor("weight")
            weight.copy_(unit(weight))

    def forget(self, name: str) -> None:
        """Set an optimiser's moments and step counts to zero.

        Args:
            name: Name of the optimiser.
        """
        for moments in self.optimisers[name].state.values():
            for value in moments.values():
                value.zero_()

    def step(self, batch: dict[str, Tensor]) -> Losses:
        """One update of the generator and of the codes of a batch's images.

        Args:
            batch: Row numbers `rows` (R, B) of training images.

        Returns:
            Loss `distance` (R,), mean over the batch, detached.
        """
        rows, optimiser = batch["rows"], self.optimisers["generator"]
        z = self.codes(rows).detach().requires_grad_()
        loss = self.apart(self.generator(z), as_floats(self.images[rows]))
        tensors = self.generator.parameters()
        # one pass for both, which `descend` would take two for
        to_codes, *gradients = torch.autograd.grad(loss.sum(), [z, *tensors])
        for tensor, gradient in zip(tensors, gradients, strict=True):
            tensor.grad = laid_out(gradient, tensor)
        optimiser.step()
        with torch.no_grad(), torch.autocast(self.device.type, enabled=False):
            (self.move_all if self.config.restarts else self.move)(rows, to_codes.to(z.dtype))
        return {"distance": loss.detach()}

    def apart(self, a: Tensor, b: Tensor) -> Tensor:
        """Mean distance d of images.

        Args:
            a: Images (R, B, c, h, w) in [0, 1].
            b: Images (R, B, c, h, w) in [0, 1].

        Returns:
            Distances (R,), of images in [-1, 1].
        """
        a, b = ((2 * x - 1).flatten(0, 1) for x in (a, b))
        return self.distance(a, b).unflatten(0, (len(self.seeds), -1)).mean(1)

    def move(self, rows: Tensor, gradient: Tensor) -> None:
        """A step of Adam for the codes of a batch, then back to the sphere.

        A row that is in the batch more than once takes one step, by the sum of its gradients.

        Args:
            rows: Row numbers (R, B) of training images.
            gradient: Gradients (R, B, latent) of their codes.
        """
        same = (rows.unsqueeze(2) == rows.unsqueeze(1)).to(gradient.dtype)
        gradient = same @ gradient
        at = (torch.arange(len(rows), device=rows.device).unsqueeze(1), rows)
        weight, first, second, steps = (self.codes.tensor(k) for k in ("weight", "first", "second", "steps"))
        m, v, t = adam(gradient, first[at], second[at], steps[at])
        moved = weight[at] - self.codes.tensor("rate").reshape(-1, 1, 1) * direction(m, v, t)
        for tensor, values in ((weight, unit(moved)), (first, m), (second, v), (steps, t)):
            tensor[at] = values

    def move_all(self, rows: Tensor, gradient: Tensor) -> None:
        """A step of Adam for all codes: those of no row in the batch follow their moments.

        Args:
            rows: Row numbers (R, B) of training images.
            gradient: Gradients (R, B, latent) of their codes.
        """
        weight, first, second, steps = (self.codes.tensor(k) for k in ("weight", "first", "second", "steps"))
        at = (torch.arange(len(rows), device=rows.device).unsqueeze(1), rows)
        gradients = torch.zeros_like(weight).index_put_(at, gradient.to(weight.dtype), accumulate=True)
        m, v, t = adam(gradients, first, second, steps)
        weight.sub_(self.codes.tensor("rate").reshape(-1, 1, 1) * direction(m, v, t))
        for old, new in ((first, m), (second, v), (steps, t)):
            old.copy_(new)

    def errors(self) -> list[dict[str, float]]:
        """Mean squared error per pixel of the training images, decoded from their codes.

        Returns:
            The error `l2_train`, and which distance was descended (`vgg16`, 1 or 0), one record a replica.
        """
        total = torch.zeros(len(self.seeds), dtype=torch.float64)
        for rows in torch.arange(len(self.images)).split(CHUNK):
            z, x = self.codes.tensor("weight").detach()[:, rows], as_floats(self.images[rows])
            total += (mapped(self.generator, z) - x).square().double().sum((1, 2, 3, 4)).cpu()
        vgg16 = float(self.config.vgg16 is not None)
        return [{"l2_train": float(e) / self.images.numel(), "vgg16": vgg16} for e in total]

    # ------------------------------------------------------------------ drawing

    def draw(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Images of new codes."""
        return self.shown(self.generator, self.draw_codes(n, streams))

    def draw_codes(self, n: int, streams: list[torch.Generator]) -> Tensor:
        """Codes from the Gaussian of the training codes; the generator divides by their length.

        Args:
            n: Number of codes of each replica.
            streams: Generators, one a replica.

        Returns:
            Codes (R, n, latent).
        """
        law = self.law or self.fit_law()
        eps = noise((n, self.config.latent), streams, self.device)
        return law["mean"].unsqueeze(1) + eps @ law["root"]

    def shown(self, network: Replicas, inputs: Tensor) -> Tensor:
        """A network's outputs for drawing: in inference mode unless an option says otherwise.

        Args:
            network: Network to run.
            inputs: Its inputs (R, n, ...).

        Returns:
            Outputs (R, n, ...).
        """
        return as_trained(network, inputs, MEASURED) if self.config.batch_statistics else mapped(network, inputs)

    def fit_law(self) -> dict[str, Tensor]:
        """The Gaussian of the codes as they are, on the sphere.

        Returns:
            `mean` (R, d), and `root` (R, d, d), the symmetric root of the covariance.
        """
        weight = self.codes.tensor("weight").detach()
        codes = unit(weight).double()
        mean = codes.mean(1)
        centred = codes - mean.unsqueeze(1)
        values, vectors = torch.linalg.eigh(centred.mT @ centred / max(1, codes.shape[1] - 1))
        root = vectors * values.clamp(min=0).sqrt().unsqueeze(1) @ vectors.mT
        return {"mean": mean.to(weight.dtype), "root": root.to(weight.dtype)}

    def state(self) -> dict[str, Tensor]:
        """The generator and the law of the codes."""
        return super().state() | {f"law.{k}": v for k, v in (self.law or self.fit_law()).items()}

    def load(self, state: dict[str, Tensor]) -> None:
        """Take generator and law from what `state` returned."""
        super().load(state)
        self.law = {k: state[f"law.{k}"].to(self.device) for k in ("mean", "root")}


def adam(gradient: Tensor, first: Tensor, second: Tensor, steps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Adam's moments after one more gradient.

    Args:
        gradient: Gradients (..., d).
        first: First moments (..., d).
        second: Second moments (..., d).
        steps: Numbers of steps taken (...).

    Returns:
        First and second moments (..., d) and numbers of steps (...).
    """
    first = BETA1 * first + (1 - BETA1) * gradient
    return first, BETA2 * second + (1 - BETA2) * gradient.square(), steps + 1


def direction(first: Tensor, second: Tensor, steps: Tensor) -> Tensor:
    """Adam's step at learning rate 1.

    Args:
        first: First moments (..., d).
        second: Second moments (..., d).
        steps: Numbers of steps (...), at least 1.

    Returns:
        Steps (..., d), to be subtracted.
    """
    steps = steps.unsqueeze(-1)
    return first / (1 - BETA1**steps) / ((second / (1 - BETA2**steps)).sqrt() + EPSILON)
