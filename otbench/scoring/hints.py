"""What usually makes a Frechet distance differ from somebody else's, looked for on both sides and said."""

from __future__ import annotations

from otbench.scoring.sides import Side

ENOUGH = 10_000
"""Images of a side from which on the bias of the Frechet distance is usually small against differences of models."""
LOSSY = ("JPEG", "WEBP", "MPO")


def hints(real: Side, generated: Side, width: int, resizer: str = "") -> list[str]:
    """Sentences about what the numbers depend on here.

    Args:
        real: The real side, read.
        generated: The generated side, read.
        width: Number of features.
        resizer: How the network brings images to its size; empty for features and points.

    Returns:
        Sentences, the gravest first; empty where nothing was found.
    """
    found = [*_numbers(real, generated, width), *_copies(real, generated), *_splits(real)]
    if real.kind == "images":
        found += [*_compression(real, generated), *_sizes(real, generated, resizer)]
        for side in (real, generated):
            found += _changed(side)
    return found


def _numbers(real: Side, generated: Side, width: int) -> list[str]:
    found = []
    for what, side in (("real", real), ("generated", generated)):
        if side.n <= width:
            found.append(
                f"n: {side.n:,} {what} rows are too few for a covariance of {width:,} features: FID is far too high and"
                " compares with figures of the same n alone; see fid_infinity"
            )
    if not found and min(real.n, generated.n) < ENOUGH:
        found.append(
            f"n: with {min(real.n, generated.n):,} rows FID is biased upwards; compare at the same n alone (published"
            " figures: 10,000 to 50,000)"
        )
    if real.n != generated.n:
        found.append(
            f"n: {real.n:,} real and {generated.n:,} generated rows; most published figures have equal numbers"
        )
    return found


def _copies(real: Side, generated: Side) -> list[str]:
    if real.digest == generated.digest:
        return ["both sides have the same content: a perfect score says nothing"]
    shared = len(set(real.hashes) & set(generated.hashes))
    return [f"copies: {shared:,} files are on both sides"] if shared else []


def _splits(real: Side) -> list[str]:
    if real.part == "train":
        return ["split: REAL is what models are trained on: a memoriser scores best; test data are in `:test`"]
    return []


def _compression(real: Side, generated: Side) -> list[str]:
    lossy = [sum(side.census.formats[kind] for kind in LOSSY) for side in (real, generated)]
    shares = [count / side.n for count, side in zip(lossy, (real, generated), strict=True)]
    if abs(shares[0] - shares[1]) > 0.01:
        return [
            f"compression: {shares[0]:.0%} of the real and {shares[1]:.0%} of the generated pictures are JPEG or WebP;"
            " its traces alone move FID by several units, so save both sides as PNG or both alike"
        ]
    if any(lossy):
        return ["compression: both sides are JPEG or WebP; FID depends on the quality that they were saved with"]
    return []


def _size_set(side: Side) -> set[tuple[int, int]]:
    if side.array is not None:
        return {(side.array.shape[2], side.array.shape[3])}
    return set(side.census.sizes)


def _sizes(real: Side, generated: Side, resizer: str) -> list[str]:
    ours, theirs = _size_set(real), _size_set(generated)
    if ours == theirs and len(ours) == 1:
        return []
    if len(ours) == len(theirs) == 1:
        (a, b), (c, d) = *ours, *theirs
        return [
            f"size: real pictures are {b}x{a} and generated ones {d}x{c}; the resize ({resizer or 'none'}) leaves its"
            " own traces on each, so bring both to one size by the same filter first"
        ]
    return [
        f"size: {len(ours)} sizes of real and {len(theirs)} of generated pictures; each is resized by itself"
        f" ({resizer or 'none'}), and pictures that are no squares are squeezed by most networks"
    ]


def _changed(side: Side) -> list[str]:
    census = side.census
    parts = [
        (census.transparent, "have transparency, which is dropped"),
        (census.deep, "have 16 bits, which are rounded to 8"),
        (census.turned, "are turned as their EXIF data say; torch-fidelity leaves them lying"),
        (census.animated, "are animations, of which the first frame is taken"),
    ]
    found = [f"{side.name}: {count:,} of {side.n:,} pictures {what}" for count, what in parts if count]
    if side.left_out:
        found.append(f"{side.name}: left out {', '.join(f'{n} *{ending}' for ending, n in side.left_out.items())}")
    return found + [f"range: {side.name}: {note}" for note in side.notes if "rounded" in note or "-1" in note]
