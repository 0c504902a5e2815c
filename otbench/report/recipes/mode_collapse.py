"""Mode collapse in the plane: Table 2 of the AE-OT paper (grid) and Table 1 of PacGAN (ring and grid).

The recipe: which models stand in which order, which metrics are columns, which published figures stand beside them, and
what the controls must show. The numbers come from a gathered run.
"""

from __future__ import annotations

from otbench.report.recipes.base import BOTH, Columns, Group, Recipe

NAME = "mode-collapse"
TITLE = "Mode collapse in the plane"

# The rows of PacGAN Table 1 and AE-OT Table 2, in the papers' order.
PAPER_MODELS = ("gan", "ali", "md-gan", "pacgan2", "pacgan3", "pacgan4", "ae-ot")
FURTHER_MODELS = (
    *("unrolled-gan", "veegan", "wgan", "wgan-gp", "wgan-lp", "sinkhorn-gan"),
    *("sinkhorn-barycentric", "w2-icnn", "not"),
)
VARIANTS = ("ae-ot-10k", "ae-ot-paper", "ae-ot-pyomt")
CONTINUOUS = ("fm", "ot-cfm", "rectified-flow", "ddpm")
CONTROLS = ("real", "memoriser", "collapsed", "noise")
DATASETS = ("grid", "ring", "grid-pyomt", "ring-pyomt", "swissroll", "synthetic-1200")

BLOCKS = {
    "paper": "Models of the papers' tables",
    "further": "Further models",
    "variant": "Variants",
    "continuous": "Continuous-time transport",
    "control": "Controls",
    "floor": "What true samples reach",
}

TITLES = {
    "gan": "GAN",
    "ali": "ALI",
    "md-gan": "MD",
    "pacgan2": "PacGAN2",
    "pacgan3": "PacGAN3",
    "pacgan4": "PacGAN4",
    "ae-ot": "AE-OT",
    "unrolled-gan": "Unrolled GAN",
    "veegan": "VEEGAN",
    "wgan": "WGAN",
    "wgan-gp": "WGAN-GP",
    "wgan-lp": "WGAN-LP",
    "sinkhorn-gan": "Sinkhorn GAN",
    "sinkhorn-barycentric": "Entropic map",
    "w2-icnn": "W2 (ICNN)",
    "not": "NOT",
    "ae-ot-10k": "AE-OT (10k points)",
    "ae-ot-paper": "AE-OT (paper's solver)",
    "ae-ot-pyomt": "AE-OT (pyOMT's rule)",
    "fm": "FM",
    "ot-cfm": "OT-CFM",
    "rectified-flow": "Rectified flow",
    "ddpm": "DDPM (DDIM)",
    "real": "Held-out real",
    "memoriser": "Memoriser",
    "collapsed": "Collapsed",
    "noise": "Noise",
}

HEADLINE = ("modes", "high_quality", "reverse_kl", "reverse_kl_train")
FURTHER = ("reverse_kl_hq", "reverse_kl_hq_train", "mode_mixture", "w2", "prd_f8", "prd_f1_8", "seconds")
EXTRA = ("precision", "recall", "density", "coverage")
SHORT = {
    "reverse_kl": "Reverse KL, true weights",
    "reverse_kl_train": "Reverse KL, training histogram",
    "reverse_kl_hq": "Reverse KL of HQ, true weights",
    "reverse_kl_hq_train": "Reverse KL of HQ, training histogram",
}

# Papers whose set-up this study follows. VEEGAN's figures come from another set-up and stand in a table of their own.
SAME_SETUP = (("PacGAN", "Table 1"), ("AE-OT", "Table 2"))
OTHER_SETUP = (("VEEGAN", "Table 1"),)

CITATIONS = {
    "PacGAN": "Lin, Khetan, Fanti, Oh. PacGAN: the power of two samples in generative adversarial networks. 2018. "
    "arXiv:1712.04086.",
    "AE-OT": "Lei, An, Guo, Su, Liu, Luo, Yau, Gu. A geometric understanding of deep learning. Engineering 6, 2020.",
    "VEEGAN": "Srivastava, Valkov, Russell, Gutmann, Sutton. VEEGAN: reducing mode collapse in GANs using implicit "
    "variational learning. 2017. arXiv:1705.07761.",
}

# The controls that a metric is there to rank below held-out real data. The others it may miss, but must not prefer.
MUST_SEE = {
    "modes": frozenset({"collapsed"}),
    "high_quality": frozenset({"noise"}),
    "reverse_kl": frozenset({"collapsed"}),
    "reverse_kl_train": frozenset({"collapsed"}),
    "reverse_kl_hq": frozenset({"collapsed"}),
    "reverse_kl_hq_train": frozenset({"collapsed"}),
    "mode_mixture": frozenset({"noise"}),
    "w2": BOTH,
    "prd_f8": frozenset({"collapsed"}),
    "prd_f1_8": frozenset({"noise"}),
    "precision": frozenset({"noise"}),
    "recall": frozenset({"collapsed"}),
    "density": frozenset({"noise"}),
    "coverage": BOTH,
}

WHY_ABOVE_CEILING = (
    "The published 99.8 % high quality is above the 98.89 % (1 − exp(−4.5)) that true samples reach, because AE-OT "
    "mixes neighbouring training points, which shrinks each mode's variance; and its reverse KL of 0.007 can only be "
    "reached against the histogram of its own 512 training points, whose own distance to the true weights is about "
    "(K − 1)/(2n) = 0.023."
)
WHY_FLOOR = (
    "The row “Perfect sampler (expected)” gives what exact samples of the true law score on average under this run's "
    "protocol: high quality 1 − exp(−4.5) = 98.89 % in the plane, reverse KL about (K − 1)/(2N) for N points over K "
    "modes. A mean clearly better than that row does not mean a better model: it means that the model's law is "
    "narrower, or its reference nearer, than the truth. The row “Held-out real” measures fresh real points in the same "
    "way as the models."
)
WHY_MEMORISER = (
    "A memoriser gives training points back. None of these metrics can tell it from held-out real data when there are "
    "many training points, so a good figure here says nothing about whether a model generates anything new."
)

RECIPE = Recipe(
    name=NAME,
    title=TITLE,
    kind="points",
    datasets=DATASETS,
    groups=(
        Group("paper", PAPER_MODELS, published=True),
        Group("further", FURTHER_MODELS),
        Group("variant", VARIANTS),
        Group("continuous", CONTINUOUS),
    ),
    blocks=BLOCKS,
    controls=CONTROLS,
    tables=(
        Columns("headline", "the papers' metrics", HEADLINE),
        Columns("further", "further metrics and cost", FURTHER),
        Columns("neighbours", "nearest-neighbour metrics", EXTRA),
    ),
    table_titles={
        "grid_headline": "AE-OT Table 2 and PacGAN Table 1",
        "ring_headline": "PacGAN Table 1",
    },
    questions={
        "modes": "Most modes",
        "high_quality": "Most points of high quality",
        "reverse_kl": "Best balance over modes (reverse KL)",
        "w2": "Closest to the law as a whole (W2)",
    },
    titles=TITLES,
    short=SHORT,
    same_setup=SAME_SETUP,
    other_setup=OTHER_SETUP,
    citations=CITATIONS,
    must_see=MUST_SEE,
    budget_metrics=("high_quality", "reverse_kl"),
    ceiling=("ae-ot", "high_quality"),
    why_ceiling=WHY_ABOVE_CEILING,
    why_floor=WHY_FLOOR,
    why_memoriser=WHY_MEMORISER,
)
