"""Tiny files in the publishers' formats, and a web site that offers them with the faults asked for."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import struct
import tarfile
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image


def digest(content: bytes, algorithm: str = "md5") -> str:
    """`algorithm:` and the digest of `content`."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def idx(values: np.ndarray) -> bytes:
    """An idx file of bytes."""
    return bytes([0, 0, 8, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def tar(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A tar.gz of regular files, and of symbolic links name -> target."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return packed.getvalue()


def picture(path: Path, pixels: np.ndarray) -> None:
    """Write (h, w) or (h, w, 3) uint8 pixels in the format that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def deep_png(pixels: np.ndarray) -> bytes:
    """A PNG of (h, w, channels) uint16 pixels, of one to four channels; Pillow writes but the first kind."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    parts = {b"IHDR": struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0), b"IDAT": zlib.compress(rows)}
    parts[b"IEND"] = b""
    chunks = (struct.pack(">I", len(v)) + k + v + struct.pack(">I", zlib.crc32(k + v)) for k, v in parts.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def family(seed: int = 0, counts: tuple[int, int] = (12, 5), side: int = 3) -> dict[str, np.ndarray]:
    """The four arrays of a small set like MNIST, by the names of their files."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for part, count in zip(("train", "t10k"), counts, strict=True):
        arrays[f"{part}-images-idx3-ubyte"] = draw.integers(0, 256, (count, side, side), np.uint8)
        arrays[f"{part}-labels-idx1-ubyte"] = draw.integers(0, 10, count, np.uint8)
    return arrays


def packed(content: bytes) -> bytes:
    """A gzip file of `content`."""
    return gzip.compress(content, mtime=0)


class Site:
    """Offers `files` (path -> content) at `url`.

    cuts: bytes of each answer's body after which the connection breaks, one for every request to come. ranges: whether
    a part may be asked for; `shifted` answers with another part than was asked for. asked: path and Range of requests.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files, self.cuts, self.ranges, self.shifted = files, [], True, False
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, wanted = request.path.lstrip("/"), request.headers.get("Range")
        self.asked.append((path, wanted))
        if path not in self.files:
            return request.send_error(404)
        body, start = self.files[path], 0
        if wanted and self.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if start >= len(body):
                return request.send_error(416)
        request.send_response(206 if wanted and self.ranges else 200)
        if wanted and self.ranges:
            request.send_header("Content-Range", f"bytes {start + self.shifted}-{len(body) - 1}/{len(body)}")
        request.send_header("Content-Length", str(len(body) - start))
        request.end_headers()
        request.wfile.write(body[start:][: self.cuts.pop(0) if self.cuts else None])


@contextmanager
def site(files: dict[str, bytes]) -> Iterator[Site]:
    """A `Site` on this machine while the block runs."""
    told = Site(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
