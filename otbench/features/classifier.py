"""A small classifier of a data set's own classes: the features where Inception's weights are not at hand.

Grey images up to 28 pixels get a LeNet-like network (LeCun et al. 1998, with more channels and a linear embedding),
others a small residual network (He et al. 2016: one block at each of three widths). Features are the input of the last
affine layer, which no rectifier follows in the LeNet, so that what the classes do not need is not cut off.

Figures in these features depend on the network: its weights' hash and its accuracy stand in every protocol, and they
never stand beside figures in Inception's features.

Stacked MNIST has three digits as the channels of an image: the network is trained on single digits and sees one channel
at a time; features are those of the three channels side by side, logits those of all 1,000 triples.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from otbench.data.base import DataSet
from otbench.errors import OtbenchError
from otbench.features import base
from otbench.features.base import Extracted, file_hash
from otbench.utils.files import atomic_write
from otbench.utils.progress import Bar
from otbench.utils.rng import generator
from otbench.utils.threads import one_torch_thread

NAMES = {"classifier": "a small network that is trained on the data set's own labels"}
DIGITS, CHANNELS = 10, 3
STACKED = tuple(f"{number:03d}" for number in range(DIGITS**CHANNELS))
"""The classes that tell stacked MNIST from other sets of colour images."""
BATCH, RATE, DECAY, SMOOTHING = 128, 2e-3, 1e-4, 0.1
LEAST_STEPS, LENET_EPOCHS, RESNET_EPOCHS, MOST_ROWS = 500, 4, 20, 60_000
CHUNK = 500
"""Images that are extracted at a time."""


@dataclass(frozen=True)
class Form:
    """Form of the classifier's network.

    architecture: `lenet` or `resnet`. shape: (c, h, w) of one input. classes: how many it tells apart. stacked: whether
    it sees each channel of an image apart.
    """

    architecture: str
    shape: tuple[int, ...]
    classes: int
    stacked: bool = False

    def build(self) -> Network:
        """Build the network.

        Returns:
            The network, with weights as PyTorch draws them.
        """
        return {"lenet": lenet, "resnet": resnet}[self.architecture](self.shape, self.classes)


class Network(nn.Module):
    """Images (n, c, h, w) on [0, 1] -> features (n, d), logits (n, classes)."""

    def __init__(self, body: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.body, self.width = body, width
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.body(2 * x - 1)
        return features, self.head(features)


def lenet(shape: tuple[int, ...], classes: int, width: int = 64) -> Network:
    """Two 5x5 convolutions, each pooled, a hidden layer of 128 and a linear embedding of `width`.

    Args:
        shape: Shape (c, h, w) of one input.
        classes: Number of classes.
        width: Number of features.

    Returns:
        The network, with weights as PyTorch draws them.
    """
    c, h, w = shape
    body = nn.Sequential(
        nn.Conv2d(c, 16, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (h // 4) * (w // 4), 128),
        nn.ReLU(),
        nn.Linear(128, width),
    )
    return Network(body, width, classes)


class Block(nn.Module):
    """Two 3x3 convolutions with batch normalisation, and a shortcut (a 1x1 convolution where the shape changes)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs))
        self.second = nn.Sequential(nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.short: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.second(F.relu(self.first(x))) + self.short(x))


def resnet(shape: tuple[int, ...], classes: int) -> Network:
    """A convolution, a block at each of the widths 32, 64 and 128 (halving the size), and the mean over the image.

    Args:
        shape: Shape (c, h, w) of one input.
        classes: Number of classes.

    Returns:
        The network, with weights as PyTorch draws them.
    """
    body = nn.Sequential(
        nn.Conv2d(shape[0], 32, 3, 1, 1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        Block(32, 32, 1),
        Block(32, 64, 2),
        Block(64, 128, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return Network(body, 128, classes)


class Classifier:
    """A trained network as an extractor."""

    name, resizer = "classifier", "none"

    def __init__(self, form: Form, network: Network, weights_hash: str, device: str = "cpu") -> None:
        self.form, self.hash, self.device = form, weights_hash, device
        self.network = network.to(device).eval()

    @property
    def width(self) -> int:
        """Number of features."""
        return self.network.width * (CHANNELS if self.form.stacked else 1)

    def extract(self, images: np.ndarray) -> Extracted:
        """Features and logits of images.

        Args:
            images: Images (n, c, h, w) uint8.

        Returns:
            Features (n, width) and logits (n, K), float32.

        Raises:
            OtbenchError: Where the images have another shape or type than those of the training.
        """
        expected = (CHANNELS, *self.form.shape[1:]) if self.form.stacked else self.form.shape
        if images.shape[1:] != tuple(expected) or images.dtype != np.uint8:
            raise OtbenchError(
                f"the classifier was trained on uint8 images {tuple(expected)}, got {images.dtype} {images.shape[1:]}"
            )
        parts = [self._part(images[start : start + CHUNK]) for start in range(0, len(images), CHUNK)]
        if not parts:
            parts = [self._part(np.zeros((1, *expected), np.uint8), keep=0)]
        features, logits = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
        return Extracted(features, logits)

    def _part(self, images: np.ndarray, keep: int | None = None) -> tuple[Tensor, Tensor]:
        x = torch.tensor(images, device=self.device).float() / 255
        with torch.no_grad():
            if not self.form.stacked:
                features, logits = self.network(x)
            else:
                features, logits = self.network(x.flatten(0, 1)[:, None])
                features = features.unflatten(0, (len(x), CHANNELS)).flatten(1)
                a, b, c = F.log_softmax(logits, dim=1).unflatten(0, (len(x), CHANNELS)).unbind(1)
                logits = (a[:, :, None, None] + b[:, None, :, None] + c[:, None, None, :]).flatten(1)
        return features[:keep], logits[:keep]

    def save(self, path: str | Path) -> None:
        """Write weights and form, whole or not at all, and take the file's hash as the classifier's own.

        Args:
            path: Where to write, .safetensors.
        """
        from safetensors.torch import save_file

        state = {name: value.detach().cpu().contiguous() for name, value in self.network.state_dict().items()}
        with atomic_write(path) as temporary:
            # one entry, as the order of several is not fixed and the hash is the file's
            save_file(state, temporary, {"form": json.dumps(asdict(self.form))})
        self.hash = file_hash(path)


def load_classifier(path: str | Path, device: str = "cpu") -> Classifier:
    """Read what `Classifier.save` wrote.

    Args:
        path: Where the weights lie, .safetensors.
        device: Device of torch that the network runs on.

    Returns:
        The classifier.

    Raises:
        OtbenchError: Where the file is missing, damaged or something else.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    try:
        with safe_open(path, framework="pt") as file:
            form = json.loads((file.metadata() or {})["form"])
            state = {name: file.get_tensor(name) for name in file.keys()}
        form = Form(form["architecture"], tuple(form["shape"]), form["classes"], form["stacked"])
        network = form.build()
        network.load_state_dict(state)
    except FileNotFoundError as error:
        raise OtbenchError(f"cannot read {path}: there is no such file; `otbench features` makes it") from error
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise OtbenchError(
            f"{path}: expected a classifier's weights, as `otbench features` writes them ({_first_line(error)})"
        ) from error
    return Classifier(form, network, file_hash(path), device)


def network(name: str) -> base.Network:
    """The classifier, for the registry.

    Args:
        name: `classifier`.

    Returns:
        What is known of it; its weights are those of a features folder.
    """

    def fetch() -> Path:
        raise OtbenchError("features classifier: expected the weights that `otbench features` wrote for this data set")

    def find(path: str | Path | None) -> Path | None:
        return None if path is None else Path(path)

    paper = "after LeCun et al. 1998 and He et al. 2016"
    return base.Network(name, paper, find, fetch, load_classifier, MOST_ROWS, trained=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def form_of(data: DataSet) -> Form:
    """Form of the network for a data set.

    Args:
        data: Data set of labelled images.

    Returns:
        LeNet on single channels for stacked MNIST, LeNet for grey images of 8 to 28 pixels, else the residual network.

    Raises:
        OtbenchError: Where its training images have no labels.
    """
    if data.kind != "images" or data.labels_of("train") is None:
        raise OtbenchError(
            f"data set {data.name} has no labelled training images to train a classifier on, expected features of"
            " another extractor: inception"
        )
    c, h, w = data.shape
    if c == CHANNELS and data.classes == STACKED:
        return Form("lenet", (1, h, w), DIGITS, stacked=True)
    small = c == 1 and 8 <= min(h, w) and max(h, w) <= 28
    return Form("lenet" if small else "resnet", (c, h, w), len(data.classes))


def default_steps(form: Form, n: int) -> int:
    """Number of training batches of 128 images.

    More than 60,000 images count as 60,000: stacked MNIST shows each digit many times.

    Args:
        form: Form of the network.
        n: Number of training images.

    Returns:
        Batches of 4 epochs (20 of the residual network), at least 500.
    """
    epochs = LENET_EPOCHS if form.architecture == "lenet" else RESNET_EPOCHS
    return max(LEAST_STEPS, math.ceil(epochs * min(n, MOST_ROWS) / BATCH))


def training_images(form: Form, data: DataSet) -> int:
    """Number of images that the network is trained on.

    Args:
        form: Form of the network.
        data: Data set, whose training split is used.

    Returns:
        Number of images; of stacked ones every channel is one.
    """
    return len(data.train) * (CHANNELS if form.stacked else 1)


def train(
    data: DataSet,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Classifier:
    """Train the data set's classifier on its training split.

    Adam under a cosine decay, batches of 128, cross entropy with label smoothing 0.1 (so that confidence is not 1 for
    everything), each batch shifted by a few pixels, and at random mirrored where the network is residual.

    Args:
        data: Data set of labelled images.
        steps: Number of batches; None for `default_steps`.
        seed: Seed of weights, order and shifts; the same seed gives the same weights on one machine's CPU.
        device: Device of torch to train on.

    Returns:
        The classifier, whose hash is empty until it is saved.

    Raises:
        OtbenchError: Where there are no labels.
    """
    form = form_of(data)
    images, labels = data.train, data.labels_of("train")
    assert labels is not None  # else there is no form
    if form.stacked:  # single digits: every channel is a training image
        images = images.reshape(-1, 1, *images.shape[2:])
        labels = np.stack([labels // 100, labels // 10 % 10, labels % 10], axis=1).reshape(-1)
    steps = default_steps(form, len(images)) if steps is None else steps
    torch.set_flush_denormal(True)  # as in all training; without it the weights' last bits differ
    with one_torch_thread(), torch.random.fork_rng(devices=[]), Bar(f"classifier of {data.name}", steps) as bar:
        torch.manual_seed(generator(seed, "classifier/weights").initial_seed())
        network = form.build().to(device)
        x, y = torch.tensor(images, device=device), torch.tensor(labels, device=device)
        optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for step, (index, shift) in enumerate(_batches(form, len(x), steps, seed)):
            batch = _moved(x[index.to(device)].float() / 255, form, shift)
            loss = F.cross_entropy(network(batch)[1], y[index.to(device)], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if (step + 1) % 50 == 0:
                bar.update(step + 1)
    return Classifier(form, network, "", device)


def _batches(form: Form, n: int, steps: int, seed: int) -> Iterator[tuple[Tensor, tuple[int, int, bool]]]:
    """Row numbers, epoch by epoch, and how the batch is moved: pixels down, pixels right, mirrored."""
    stream = generator(seed, "classifier/order")
    reach = reach_of(form)
    order = torch.randperm(n, generator=stream)
    for _ in range(steps):
        if len(order) < min(BATCH, n):
            order = torch.randperm(n, generator=stream)
        index, order = order[:BATCH], order[BATCH:]
        down, right = torch.randint(-reach, reach + 1, (2,), generator=stream).tolist()
        yield index, (down, right, bool(torch.randint(2, (1,), generator=stream)) and form.architecture == "resnet")


def reach_of(form: Form) -> int:
    """Largest shift in training.

    Args:
        form: Form of the network.

    Returns:
        Pixels: 1 in 16 of the image's height for the LeNet, 1 in 8 for the residual network, at least 1.
    """
    return max(1, form.shape[1] // (16 if form.architecture == "lenet" else 8))


def _moved(x: Tensor, form: Form, shift: tuple[int, int, bool]) -> Tensor:
    down, right, mirrored = shift
    reach = reach_of(form)
    h, w = x.shape[2:]
    x = F.pad(x, (reach,) * 4)[:, :, reach + down : reach + down + h, reach + right : reach + right + w]
    return x.flip(3) if mirrored else x
