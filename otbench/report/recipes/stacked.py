"""Stacked digits: Tables 2 and 3 of PacGAN, mode collapse among 1,000 modes of images.

The recipe. Three set-ups stand in tables of their own: the one that PacGAN takes from VEEGAN, and that of the unrolled
GAN with a discriminator of a quarter and of half the generator's size.
"""

from __future__ import annotations

from otbench.report.recipes.base import BOTH, Columns, Group, Recipe

NAME = "stacked"

# The rows of the papers' tables in their order.
VEEGAN_ROWS = ("dcgan", "ali", "unrolled-gan", "veegan", "pacdcgan2", "pacdcgan3", "pacdcgan4")
_SMALL = ("dcgan", "unrolled-gan-1", "unrolled-gan-5", "unrolled-gan-10", "pacdcgan2", "pacdcgan3", "pacdcgan4")
QUARTER_ROWS = tuple(f"{name}-quarter" for name in _SMALL)
HALF_ROWS = tuple(f"{name}-half" for name in _SMALL)
CONTROLS = ("real", "memoriser", "collapsed", "noise")

BLOCKS = {
    "veegan": "VEEGAN's set-up (Table 2)",
    "quarter": "Unrolled GAN's set-up, D 1/4 of G (Table 3)",
    "half": "Unrolled GAN's set-up, D 1/2 of G (Table 3)",
    "further": "Further models",
    "control": "Controls",
    "floor": "What true samples reach",
}

_NAMED = {
    "dcgan": "DCGAN",
    "ali": "ALI",
    "unrolled-gan": "Unrolled GAN",
    "veegan": "VEEGAN",
    **{f"unrolled-gan-{k}": f"Unrolled GAN, {k} step{'s' if k > 1 else ''}" for k in (1, 5, 10)},
    **{f"pacdcgan{m}": f"PacDCGAN{m}" for m in (2, 3, 4)},
}
TITLES = (
    {name: _NAMED[name] for name in VEEGAN_ROWS}
    | {f"{name}-quarter": f"{_NAMED[name]}, D 1/4 G" for name in _SMALL}
    | {f"{name}-half": f"{_NAMED[name]}, D 1/2 G" for name in _SMALL}
)

MODES = ("modes", "reverse_kl")
QUALITY = ("fid", "prd_f8", "prd_f1_8", "precision", "recall", "excellence_proxy", "memorised")

# VEEGAN's and the unrolled GAN's own runs of DCGAN, which PacGAN's tables quote beside its own.
OTHER_SETUP = (("VEEGAN", "stacked MNIST"), ("Unrolled GAN", "stacked MNIST"))

WHY_FLOOR = (
    "The row “Held-out real” measures real stacks that no model was trained on. How many of the 1,000 modes a perfect "
    "sampler hits depends on the number of samples n, as does its divergence, which is about 999/(2n) where n is well "
    "above 1,000: published figures are of 26,000 and of 25,600 samples. The test split holds every mode equally "
    "often, so the divergence is to the uniform law, as published; it is measured through this run's classifier, which "
    "sees one channel at a time, as the paper's does."
)
WHY_MEMORISER = (
    "A memoriser gives training stacks back. Modes and divergence cannot tell it from held-out data; “Memorised” can: "
    "it is the share of samples nearer to a training image than 95 % of the test images are."
)

RECIPE = Recipe(
    name=NAME,
    title="Stacked digits",
    kind="images",
    datasets=("stacked-mnist", "stacked-digits"),
    groups=(
        Group("veegan", VEEGAN_ROWS, published=True),
        Group("quarter", QUARTER_ROWS, published=True),
        Group("half", HALF_ROWS, published=True),
        Group("further", ()),
    ),
    blocks=BLOCKS,
    controls=CONTROLS,
    tables=(
        Columns("table2", "PacGAN Table 2: VEEGAN's set-up", MODES, "classifier", ("veegan", "further")),
        Columns("table3_quarter", "PacGAN Table 3: unrolled GAN's set-up, D 1/4 G", MODES, "classifier", ("quarter",)),
        Columns("table3_half", "PacGAN Table 3: unrolled GAN's set-up, D 1/2 G", MODES, "classifier", ("half",)),
        Columns("quality", "quality and memory, on classifier features", QUALITY, "classifier"),
        Columns("pixels", "sharpness, reconstruction and cost", ("sharpness", "l2", "seconds")),
    ),
    questions={
        "modes": "Most of 1,000 modes",
        "reverse_kl": "Best balance over modes (reverse KL)",
        "fid": "Closest to real images (Fréchet distance)",
    },
    titles=TITLES,
    data_titles={"stacked-mnist": "Stacked MNIST", "stacked-digits": "Stacked digits 16x16"},
    short={
        "modes": "Modes, of 1,000",
        "reverse_kl": "Reverse KL, to uniform",
        "memorised": "Memorised, %",
        "excellence_proxy": "Excellence (proxy), %",
    },
    same_setup=(("PacGAN", "Table 2"), ("PacGAN", "Table 3")),
    other_setup=OTHER_SETUP,
    published_features="classifier",
    citations={
        "PacGAN": "Lin, Khetan, Fanti, Oh. PacGAN: the power of two samples in generative adversarial networks. 2018. "
        "arXiv:1712.04086.",
        "VEEGAN": "Srivastava, Valkov, Russell, Gutmann, Sutton. VEEGAN: reducing mode collapse in GANs using implicit "
        "variational learning. 2017. arXiv:1705.07761.",
        "Unrolled GAN": "Metz, Poole, Pfau, Sohl-Dickstein. Unrolled generative adversarial networks. 2017. "
        "arXiv:1611.02163.",
    },
    must_see={
        "modes": frozenset({"collapsed"}),
        "reverse_kl": frozenset({"collapsed"}),
        "fid": BOTH,
        "prd_f8": frozenset({"collapsed"}),
        "prd_f1_8": frozenset({"noise"}),
        "precision": frozenset({"noise"}),
        "recall": frozenset({"collapsed"}),
        "excellence_proxy": frozenset({"noise"}),
    },
    copy_alarms={"memorised": "lower"},
    budget_metrics=("fid",),
    internal_metrics=("l2",),
    empty_rows=False,
    why_floor=WHY_FLOOR,
    why_memoriser=WHY_MEMORISER,
)
