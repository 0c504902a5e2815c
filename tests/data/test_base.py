"""What a data set is: splits, labels, checks, digest, and what its file keeps."""

import dataclasses

import numpy as np
import pytest

from otbench.data import load, save
from otbench.data.base import DataSet
from otbench.errors import OtbenchError


def images(n, value=0, c=1):
    return np.full((n, c, 4, 4), value, np.uint8)


def numbers(*values):
    return np.array(values, np.int64)


FULL = DataSet(
    "small",
    images(3, 1),
    images(2, 2),
    title="Small",
    source="test",
    validation=images(4, 3),
    labels={"train": numbers(0, 1, 1), "test": numbers(1, 0), "validation": numbers(0, 0, 1, 1)},
    classes=("cat", "dög"),
)


def changed(**changes):
    return dataclasses.replace(FULL, **changes)


def test_the_validation_split_is_held_out_and_the_test_split_the_reference():
    assert FULL.check() is FULL and FULL.kind == "images" and FULL.shape == (1, 4, 4)
    assert FULL.reference is FULL.test and FULL.held_out is FULL.validation
    assert FULL.labels_of("reference").tolist() == [1, 0] and FULL.labels_of("held_out").tolist() == [0, 0, 1, 1]
    assert FULL.labels_of("train").tolist() == [0, 1, 1]


def test_without_a_validation_split_the_test_split_is_halved():
    data = changed(test=images(5, 2), validation=None, labels={"test": numbers(0, 1, 0, 1, 1)}).check()
    assert len(data.reference) == 3 and len(data.held_out) == 2
    assert data.labels_of("reference").tolist() == [0, 1, 0] and data.labels_of("held_out").tolist() == [1, 1]
    assert data.labels_of("train") is None and list(data.splits) == ["train", "test"]


def test_its_file_keeps_all_of_it(tmp_path):
    save(FULL, tmp_path / "d.npz")
    again = load(str(tmp_path / "d.npz"))
    for split, values in FULL.splits.items():
        assert np.array_equal(again.splits[split], values) and again.splits[split].dtype == np.uint8
        assert np.array_equal(again.labels[split], FULL.labels[split]) and again.labels[split].dtype == np.int64
    assert again.classes == ("cat", "dög") and (again.name, again.title, again.source) == ("small", "Small", "test")
    assert again.digest() == FULL.digest()
    save(changed(labels={"test": numbers(1, 1)}), tmp_path / "e.npz")
    assert list(load(str(tmp_path / "e.npz")).labels) == ["test"]
    save(changed(validation=None, labels={}, classes=()), tmp_path / "f.npz")
    plain = load(str(tmp_path / "f.npz"))
    assert plain.validation is None and plain.labels == {} and plain.classes == ()


OTHERS = {
    "train": changed(train=images(3, 9)),
    "test": changed(test=images(2, 9)),
    "validation": changed(validation=images(4, 9)),
    "no validation": changed(validation=None, labels={k: FULL.labels[k] for k in ("train", "test")}),
    "a label": changed(labels=FULL.labels | {"train": numbers(1, 1, 1)}),
    "no labels": changed(labels={}),
    "labels of another split": changed(labels={"train": numbers(0, 1, 1)}),
    "classes": changed(classes=("cat", "cow")),
}


def test_the_digest_tells_every_value_apart():
    digests = {name: data.digest() for name, data in OTHERS.items()} | {"itself": FULL.digest()}
    assert len(set(digests.values())) == len(digests)
    assert changed(name="other", source="elsewhere").digest() == FULL.digest()


def test_the_digest_of_points_is_as_it_was():
    """Fits that were made before data sets had labels are still found by their digest."""
    points = np.arange(6, dtype=np.float32).reshape(3, 2)
    assert DataSet("x", points, points + 1).digest() == "3c54088a0de0"


WRONG = {
    "split validation: expected shape .n, d. or .n, c, h, w., got .4, 1, 5, 4.": {
        "validation": np.zeros((4, 1, 5, 4), np.uint8)
    },
    "split validation: expected uint8, got float32": {"validation": np.zeros((4, 1, 4, 4), np.float32)},
    "split validation: it is empty": {"validation": images(0)},
    "split train: expected images .n, c, h, w. with c 1 or 3, got .3, 2, 4, 4.": {"train": images(3, 0, 2)},
    "labels of train: expected int64 of shape .3,., got int64 .2,.": {"labels": {"train": numbers(0, 1)}},
    "labels of train: expected int64 of shape .3,., got int32": {"labels": {"train": np.zeros(3, np.int32)}},
    "labels of test: expected int64 of shape .2,., got float64": {"labels": {"test": np.zeros(2)}},
    "labels of test: expected values from 0 to 1, got 0 to 2": {"labels": {"test": numbers(0, 2)}},
    "labels of test: expected values from 0 to 1, got -1 to 0": {"labels": {"test": numbers(0, -1)}},
    "labels of validation: there is no such split; there are train, test": {"validation": None},
    "labels of train: the data set names no classes": {"classes": ()},
    "classes: expected names that are not empty and differ, got 'a', 'a'": {"classes": ("a", "a")},
    "classes: expected names that are not empty and differ, got 'a', ''": {"classes": ("a", "")},
}


@pytest.mark.parametrize("sentence", WRONG)
def test_a_wrong_data_set_gets_a_sentence(sentence):
    with pytest.raises(OtbenchError, match=f"^data set small, {sentence}"):
        changed(**WRONG[sentence]).check()


def test_a_file_with_wrong_labels_or_classes_gets_a_sentence(tmp_path):
    save(FULL, tmp_path / "d.npz")
    arrays = dict(np.load(tmp_path / "d.npz"))
    np.savez(tmp_path / "e.npz", **arrays | {"classes": np.array([1, 2])})
    with pytest.raises(OtbenchError, match="e.npz: expected classes to be text of shape .K,., got int64"):
        load(str(tmp_path / "e.npz"))
    np.savez(tmp_path / "f.npz", **arrays | {"test_labels": numbers(0)})
    with pytest.raises(OtbenchError, match="labels of test: expected int64 of shape .2,., got int64 .1,."):
        load(str(tmp_path / "f.npz"))
