"""The MNIST family and stacked MNIST, on small files in the same format."""

import dataclasses

import numpy as np
import pytest

from otbench.data.images import mnist
from otbench.data.images.stacked import stacked
from otbench.errors import OtbenchError, WorkFailed
from tests.data.formats import digest, family, idx, packed, site

ARRAYS = family()
SMALL = mnist.IdxSet(
    title="small",
    source="test",
    addresses=("http://127.0.0.1:9/",),
    digests={name: digest(idx(values)) for name, values in ARRAYS.items()},
    classes=tuple("0123456789"),
    counts=(12, 5),
    validation=4,
    side=3,
)


def lay(root, pack=True, **contents):
    """The four files below root/small; contents: other bytes of some, `_` for `-` in the name."""
    (root / "small").mkdir()
    others = {name.replace("_", "-"): content for name, content in contents.items()}
    for name, values in ARRAYS.items():
        content = others.get(name, packed(idx(values)) if pack else idx(values))
        (root / "small" / (f"{name}.gz" if pack else name)).write_bytes(content)
    return root


def read(root, unverified=False):
    return mnist.assemble("small", SMALL, root, unverified).check()


def check_values(data):
    images, labels = ARRAYS["train-images-idx3-ubyte"], ARRAYS["train-labels-idx1-ubyte"]
    assert np.array_equal(data.train, images[:8, None]) and np.array_equal(data.labels["train"], labels[:8])
    assert np.array_equal(data.validation, images[8:, None]) and np.array_equal(data.labels["validation"], labels[8:])
    assert np.array_equal(data.test, ARRAYS["t10k-images-idx3-ubyte"][:, None])
    assert np.array_equal(data.labels["test"], ARRAYS["t10k-labels-idx1-ubyte"])


@pytest.mark.parametrize("pack", [True, False])
def test_files_are_read_packed_or_not(pack, tmp_path):
    data = read(lay(tmp_path, pack))
    check_values(data)
    assert data.source == "test" and data.classes == tuple("0123456789") and data.name == "small"


def test_files_are_downloaded_where_they_are_not_there(tmp_path):
    with site({f"m/{name}.gz": packed(idx(values)) for name, values in ARRAYS.items()}) as web:
        known = dataclasses.replace(SMALL, addresses=(web.url + "m/",))
        check_values(mnist.assemble("small", known, tmp_path))
        assert sorted(path for path, _ in web.asked) == sorted(f"m/{name}.gz" for name in ARRAYS)
    check_values(read(tmp_path))


def test_offline_says_what_to_put_where(tmp_path):
    with pytest.raises(WorkFailed) as caught:
        read(tmp_path)
    name = "train-images-idx3-ubyte.gz"
    assert f"put the file {name} (from http://127.0.0.1:9/{name}) at {tmp_path / 'small' / name}" in str(caught.value)


def test_another_file_is_let_in_only_where_that_is_said(tmp_path):
    other = ARRAYS["t10k-images-idx3-ubyte"] ^ 1
    lay(tmp_path, t10k_images_idx3_ubyte=packed(idx(other)))
    with pytest.raises(OtbenchError, match="is not the publisher's file: expected md5:.*--unverified") as caught:
        read(tmp_path)
    assert SMALL.digests["t10k-images-idx3-ubyte"] in str(caught.value) and digest(idx(other)) in str(caught.value)
    data = read(tmp_path, unverified=True)
    assert np.array_equal(data.test, other[:, None])
    assert data.source == "test; unverified: t10k-images-idx3-ubyte.gz differs from the publisher's"


LABELS = idx(ARRAYS["train-labels-idx1-ubyte"])
WRONG = {
    "expected 20 bytes, found 19": packed(LABELS[:-1]),
    "expected 20 bytes, found more": packed(LABELS + bytes(5_000_000)),
    "expected an idx file of bytes with 1 axes .it starts with 00 00 08 01., found 00 00 09 01": packed(
        b"\0\0\x09\x01" + LABELS[4:]
    ),
    "found 00 00 08 03": packed(b"\0\0\x08\x03" + LABELS[4:]),
    "expected an array of shape .12,., found .13,.": packed(LABELS[:7] + b"\x0d" + LABELS[8:]),
    "cannot read .*train-labels": packed(LABELS)[:-9],
    "cannot read .*train-labels-idx1-ubyte.gz: .*": b"\x1f\x8b no gzip file at all",
    "expected 20 bytes, found 0": b"",
}


@pytest.mark.parametrize("sentence", WRONG)
@pytest.mark.parametrize("unverified", [False, True])
def test_a_wrong_file_gets_a_sentence_even_where_other_content_is_let_in(sentence, unverified, tmp_path):
    lay(tmp_path, train_labels_idx1_ubyte=WRONG[sentence])
    with pytest.raises(OtbenchError, match=sentence):
        read(tmp_path, unverified)


def test_labels_beyond_the_classes_get_a_sentence(tmp_path):
    lay(tmp_path, train_labels_idx1_ubyte=packed(idx(np.full(12, 10, np.uint8))))
    with pytest.raises(OtbenchError, match="labels of train: expected values from 0 to 9, got 10 to 10"):
        read(tmp_path, unverified=True)


def test_the_publishers_sets_say_all_that_is_needed():
    for known in mnist.SETS.values():
        assert set(known.digests) == set(ARRAYS) and len(known.classes) == 10 and len(known.addresses) > 1
        assert all(address.endswith("/") for address in known.addresses)


def test_stacks_are_three_digits_of_their_own_split(tmp_path):
    digits = read(lay(tmp_path))
    counts = {"train": (400, 1), "test": (300, 2), "validation": (300, 3)}
    data = stacked("stacks", digits, counts).check()
    assert data.shape == (3, 3, 3) and len(data.classes) == 1000 and data.classes[7] == "007"
    for split, (count, _) in counts.items():
        of = {image.tobytes(): label for image, label in zip(digits.splits[split], digits.labels[split], strict=True)}
        found = [[of[channel.tobytes()] for channel in image] for image in data.splits[split]]
        expected = [int("".join(map(str, three))) for three in found]
        assert len(found) == count and data.labels[split].tolist() == expected
        # every digit of the split comes up about equally often in every channel
        for channel in range(3):
            seen = [image[channel].tobytes() for image in data.splits[split]]
            shares = [seen.count(key) / count * len(of) for key in of]
            assert min(shares) > 0.4 and max(shares) < 1.8
    again = stacked("stacks", digits, counts)
    assert again.digest() == data.digest() and "same split" in data.source


def test_the_stacks_of_the_protocol_never_change():
    from otbench.data.images.stacked import COUNTS

    first = {split: np.random.RandomState(seed).randint(50_000, size=3).tolist() for split, (_, seed) in COUNTS.items()}
    assert {split: count for split, (count, _) in COUNTS.items()} == {
        "train": 128_000,
        "test": 26_000,
        "validation": 26_000,
    }
    assert len({tuple(three) for three in first.values()}) == 3, "splits are picked independently"
