"""Downloads: resumed, checked, and a sentence where they cannot be had."""

import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from otbench.data.images import download
from otbench.data.images.download import Remote, fetch
from otbench.errors import OtbenchError, WorkFailed
from tests.data.formats import digest, packed, site

CONTENT = np.random.default_rng(0).bytes(1_000_000)


@pytest.fixture
def web():
    with site({"d/file.bin": CONTENT}) as found:
        yield found


def remote(web, **changes):
    return Remote(
        **{"name": "set/file.bin", "addresses": (web.url + "d/file.bin",), "digest": digest(CONTENT)} | changes
    )


def test_a_file_is_downloaded_once(web, tmp_path):
    path = fetch(remote(web), tmp_path)
    assert path == tmp_path / "set" / "file.bin" and path.read_bytes() == CONTENT
    assert fetch(remote(web), tmp_path) == path and len(web.asked) == 1
    assert [file.name for file in path.parent.iterdir()] == ["file.bin"]


def test_progress_counts_bytes(web, tmp_path, monkeypatch):
    told = []

    class Bar:
        def __init__(self, title, total):
            told.append((title, total))

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def update(self, done, note):
            told.append(done)

    monkeypatch.setattr(download, "Bar", Bar)
    web.cuts = [600_000]
    fetch(remote(web), tmp_path)
    assert told[0] == ("downloading file.bin", len(CONTENT)) and told[-1] == len(CONTENT)
    counts = [value for value in told if isinstance(value, int)]
    assert counts == sorted(counts) and counts[0] < 600_000


def test_what_an_interrupted_download_left_is_gone_on_with(web, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin.part").write_bytes(CONTENT[:400_000])
    assert fetch(remote(web), tmp_path).read_bytes() == CONTENT
    assert web.asked == [("d/file.bin", "bytes=400000-")]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(web, tmp_path):
    web.cuts = [300_000, 300_000]
    assert fetch(remote(web), tmp_path).read_bytes() == CONTENT
    assert [wanted for _, wanted in web.asked] == [None, "bytes=300000-", "bytes=600000-"]


def test_a_connection_that_keeps_breaking_leaves_what_came(web, tmp_path):
    web.cuts = [100_000] * download.TRIES
    with pytest.raises(WorkFailed, match="cannot download file.bin"):
        fetch(remote(web), tmp_path)
    part = tmp_path / "set" / "file.bin.part"
    assert part.read_bytes() == CONTENT[: 100_000 * download.TRIES] and not part.with_suffix("").exists()
    assert fetch(remote(web), tmp_path).read_bytes() == CONTENT, "the next call goes on"
    assert web.asked[-1] == ("d/file.bin", f"bytes={100_000 * download.TRIES}-")


def test_a_server_that_knows_no_parts_sends_it_all(web, tmp_path):
    web.ranges, web.cuts = False, [300_000]
    assert fetch(remote(web), tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("left", "requests"),
    [(bytes(400_000), 2), (CONTENT + b"more", 2), (CONTENT, 1)],
    ids=["another file", "too long", "whole"],
)
def test_what_was_left_of_another_file_is_thrown_away(left, requests, web, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin.part").write_bytes(left)
    assert fetch(remote(web), tmp_path).read_bytes() == CONTENT
    assert len(web.asked) == requests and not (tmp_path / "set" / "file.bin.part").exists()


def test_an_answer_with_another_part_is_not_mixed_in(web, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.bin.part").write_bytes(CONTENT[:400_000])
    web.shifted = True
    with pytest.raises(WorkFailed, match="asked for bytes from 400000, got 'bytes 400001-"):
        fetch(remote(web), tmp_path)
    assert (tmp_path / "set" / "file.bin.part").read_bytes() == CONTENT[:400_000]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_a_wrong_checksum_leaves_nothing(algorithm, web, tmp_path):
    web.files["d/file.bin"] = b"x" + CONTENT[1:]
    with pytest.raises(WorkFailed) as caught:
        fetch(remote(web, digest=digest(CONTENT, algorithm)), tmp_path)
    assert f"expected {digest(CONTENT, algorithm)}, got {digest(web.files['d/file.bin'], algorithm)}" in str(
        caught.value
    )
    assert not list((tmp_path / "set").iterdir()) and caught.value.status == 1


def test_the_checksum_of_a_packed_file_is_that_of_its_content(web, tmp_path):
    web.files["d/file.bin"] = packed(CONTENT)
    assert fetch(remote(web, packed=True), tmp_path).read_bytes() == packed(CONTENT)
    web.files["d/file.bin"] = packed(CONTENT)[:-20]
    with pytest.raises(WorkFailed, match="got what is no gzip file"):
        fetch(remote(web, packed=True, name="set/cut.bin"), tmp_path)


def test_the_next_address_is_tried(web, tmp_path):
    assert fetch(remote(web, addresses=(web.url + "gone", web.url + "d/file.bin")), tmp_path).read_bytes() == CONTENT
    assert [path for path, _ in web.asked] == ["gone", "d/file.bin"]


def test_offline_says_what_to_put_where(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/f.gz"
    with pytest.raises(WorkFailed) as caught:
        fetch(Remote("set/f.gz", (address,), "md5:0"), tmp_path)
    said = str(caught.value)
    assert f"put the file f.gz (from {address}) at {tmp_path / 'set' / 'f.gz'}" in said and "\n" not in said
    assert "Connection refused" in said


def test_an_error_of_the_server_is_named(web, tmp_path):
    with pytest.raises(WorkFailed, match="gone: HTTP 404; other: HTTP 404".replace("other", ".*other")):
        fetch(remote(web, addresses=(web.url + "gone", web.url + "other")), tmp_path)


def test_a_root_that_cannot_be_written_to_gets_a_sentence(web, tmp_path):
    (tmp_path / "set").write_text("a file in the way")
    with pytest.raises(OtbenchError, match="cannot write .*file.bin"):
        fetch(remote(web), tmp_path)


def test_two_downloads_at_once_are_one(web, tmp_path):
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: fetch(remote(web), tmp_path), range(2)))
    assert paths[0] == paths[1] and paths[0].read_bytes() == CONTENT and len(web.asked) == 1
