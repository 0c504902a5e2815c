"""CIFAR-10's binary version, on small batches in the same format."""

import numpy as np
import pytest

from otbench.data.images import cifar
from otbench.data.images.download import Remote
from otbench.errors import OtbenchError, WorkFailed
from tests.data.formats import digest, site, tar

COUNT = 4
draw = np.random.default_rng(3)
IMAGES = {name: draw.integers(0, 256, (COUNT, 3, 32, 32), np.uint8) for name in cifar.BATCHES}
LABELS = {name: draw.integers(0, 10, COUNT, np.uint8) for name in cifar.BATCHES}
CONTENTS = {
    name: b"".join(bytes([label]) + image.tobytes() for label, image in zip(LABELS[name], IMAGES[name], strict=True))
    for name in cifar.BATCHES
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(cifar, "COUNT", COUNT)
    monkeypatch.setattr(cifar, "VALIDATION", COUNT)
    monkeypatch.setattr(cifar, "BATCHES", {name: digest(content, "sha1") for name, content in CONTENTS.items()})
    monkeypatch.setattr(cifar, "ARCHIVE", Remote("cifar-10-binary.tar.gz", ("http://127.0.0.1:9/c.tar.gz",), "md5:0"))


def members(changes=None):
    return {f"cifar-10-batches-bin/{name}": content for name, content in (CONTENTS | (changes or {})).items()}


def lay_folder(root, changes=None):
    for name, content in members(changes).items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(content)


def read(root, unverified=False):
    return cifar.load("cifar10", root, unverified).check()


def check_values(data):
    *train, test = cifar.BATCHES
    assert np.array_equal(data.train, np.concatenate([IMAGES[name] for name in train[:-1]]))
    assert np.array_equal(data.labels["train"], np.concatenate([LABELS[name] for name in train[:-1]]))
    assert np.array_equal(data.validation, IMAGES[train[-1]]) and np.array_equal(data.test, IMAGES[test])
    assert np.array_equal(data.labels["validation"], LABELS[train[-1]])
    assert np.array_equal(data.labels["test"], LABELS[test]) and data.source == "Krizhevsky 2009 (CIFAR-10)"


def test_batches_are_read_from_their_folder(tmp_path):
    lay_folder(tmp_path)
    check_values(read(tmp_path))


@pytest.mark.parametrize("prefix", ["", "./"])
def test_batches_are_read_from_the_archive(prefix, tmp_path):
    packed = tar({prefix + name: content for name, content in members().items()} | {"readme.html": b"hello"})
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(packed)
    check_values(read(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["cifar-10-binary.tar.gz"], "nothing is unpacked"


def test_the_archive_is_downloaded(tmp_path, monkeypatch):
    packed = tar(members())
    with site({"c.tar.gz": packed}) as web:
        remote = Remote("cifar-10-binary.tar.gz", (web.url + "c.tar.gz",), digest(packed, "sha256"))
        monkeypatch.setattr(cifar, "ARCHIVE", remote)
        check_values(read(tmp_path))
        check_values(read(tmp_path))
    assert len(web.asked) == 1


def test_offline_says_what_to_put_where(tmp_path):
    name = "cifar-10-binary.tar.gz"
    with pytest.raises(WorkFailed) as caught:
        read(tmp_path)
    assert f"put the file {name} (from http://127.0.0.1:9/c.tar.gz) at {tmp_path / name}" in str(caught.value)


@pytest.mark.parametrize("archive", [False, True])
def test_other_images_are_let_in_only_where_that_is_said(archive, tmp_path):
    content = CONTENTS["data_batch_2.bin"]
    changes = {"data_batch_2.bin": content[:-1] + bytes([content[-1] ^ 1])}
    if archive:
        (tmp_path / "cifar-10-binary.tar.gz").write_bytes(tar(members(changes)))
    else:
        lay_folder(tmp_path, changes)
    with pytest.raises(OtbenchError, match="data_batch_2.bin is not the publisher's file: expected sha1:"):
        read(tmp_path)
    data = read(tmp_path, unverified=True)
    assert data.source.endswith("; unverified: data_batch_2.bin differs from the publisher's")
    assert data.train[7, 2, 31, 31] == IMAGES["data_batch_2.bin"][3, 2, 31, 31] ^ 1


def test_a_wrong_label_gets_a_sentence(tmp_path):
    lay_folder(tmp_path, {"test_batch.bin": b"\x0a" + CONTENTS["test_batch.bin"][1:]})
    with pytest.raises(OtbenchError, match="test_batch.bin: expected labels from 0 to 9, found 10"):
        read(tmp_path, unverified=True)


def test_a_batch_that_is_cut_short_or_missing_gets_a_sentence(tmp_path):
    lay_folder(tmp_path, {"data_batch_5.bin": CONTENTS["data_batch_5.bin"][:-7]})
    with pytest.raises(OtbenchError, match="data_batch_5.bin: expected 12,292 bytes, found 12,285"):
        read(tmp_path, unverified=True)
    (tmp_path / "cifar-10-batches-bin" / "data_batch_5.bin").unlink()
    with pytest.raises(OtbenchError, match="cannot read .*data_batch_5.bin: No such file or directory"):
        read(tmp_path)


LAST = "cifar-10-batches-bin/test_batch.bin"
ARCHIVES = {
    "cannot read .*tar.gz": tar(members())[:-100],
    "cannot read .*gz: .*": b"no archive",
    "there is no cifar-10-batches-bin/test_batch.bin in the archive": tar(
        {name: content for name, content in members().items() if name != LAST}
    ),
    "expected cifar-10-batches-bin/test_batch.bin to be a regular file": tar(
        {name: content for name, content in members().items() if name != LAST}, {LAST: "/etc/passwd"}
    ),
    "test_batch.bin: expected 12,292 bytes, found more": tar(members({"test_batch.bin": bytes(20_000_000)})),
}


@pytest.mark.parametrize("sentence", ARCHIVES)
def test_a_wrong_archive_gets_a_sentence(sentence, tmp_path):
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(ARCHIVES[sentence])
    with pytest.raises(OtbenchError, match=sentence):
        read(tmp_path, unverified=True)


def test_an_archive_cannot_write_anywhere(tmp_path):
    root = tmp_path / "inner" / "root"
    root.mkdir(parents=True)
    hostile = {"../evil.bin": b"evil", "/tmp/evil-otbench.bin": b"evil", "cifar-10-batches-bin/../../evil.bin": b"evil"}
    (root / "cifar-10-binary.tar.gz").write_bytes(tar(hostile | members(), {"cifar-10-batches-bin/out": "../.."}))
    check_values(read(root))
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [root / "cifar-10-binary.tar.gz"]
