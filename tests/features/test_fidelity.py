"""torch-fidelity, given the classifier as an extractor, finds what `measure` finds."""

import numpy as np
import pytest
import torch
import torch_fidelity
from torch.utils.data import Dataset

from otbench.features.classifier import train
from otbench.features.fidelity import NAME, register
from otbench.features.store import make_features
from otbench.metrics import measure
from otbench.metrics.reference import open_features


class Pictures(Dataset):
    """uint8 images (3, h, w) one at a time, as torch-fidelity takes them."""

    def __init__(self, images):
        self.images = torch.tensor(np.repeat(images, 3, axis=1))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_its_metrics_are_ours(corners, tmp_path):
    make_features(corners, tmp_path, ["classifier"], steps=40)
    generated = corners.train[:120]
    names = ["fid", "kid", "is", "precision", "recall"]
    ours = {s.metric: s.value for s in measure(corners, generated, 0, names, open_features(tmp_path, corners))}
    register()
    register()
    theirs = torch_fidelity.calculate_metrics(
        input1=Pictures(generated),
        input2=Pictures(corners.test),
        feature_extractor=NAME,
        feature_extractor_weights_path=str(tmp_path / "classifier.safetensors"),
        fid=True,
        kid=True,
        isc=True,
        prc=True,
        kid_subset_size=120,
        kid_subsets=1,
        isc_splits=1,
        cuda=False,
        cache=False,
        verbose=False,
    )
    # the scales differ: features reach far, so a Frechet distance is exact to the digits of its largest term
    assert ours["fid"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-5, abs=1e-5)
    assert ours["kid"] == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4, abs=1e-6)
    assert ours["is"] == pytest.approx(theirs["inception_score_mean"], rel=1e-6)
    assert ours["precision"] == pytest.approx(theirs["precision"], abs=1e-6)
    assert ours["recall"] == pytest.approx(theirs["recall"], abs=1e-6)


def test_stacked_images_keep_their_channels():
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    from otbench.data.base import DataSet

    images = np.random.default_rng(0).integers(0, 256, (20, 3, 16, 16), dtype=np.uint8)
    classes = tuple(f"{k:03d}" for k in range(1000))
    labels = {"train": np.arange(20) * 7}
    network = train(DataSet("s", images, images, validation=images, labels=labels, classes=classes), steps=2)
    register()
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "c.safetensors")
        extractor = FEATURE_EXTRACTORS_REGISTRY[NAME](
            NAME, ["logits", "features"], feature_extractor_weights_path=Path(folder) / "c.safetensors"
        )
    logits, features = extractor(torch.tensor(images))
    seen = network.extract(images)
    np.testing.assert_allclose(features.numpy(), seen.features, atol=1e-6)
    np.testing.assert_allclose(logits.numpy(), seen.logits, atol=1e-6)
