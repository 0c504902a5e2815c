"""Images: Tables 1, 3 and 4 and Figures 1, 12, 14 and 15 of the AE-OT paper, the tables of WAE and of AE-OT-GAN, the
search and the choice of snapshots of Lucic et al., and the curves of the OTVAE report.

The recipe. What is drawn beyond the tables of every data set stands in `images`, `papers`, `selection` and `searches`
of `report.tables`, and in `image_plots` and `image_grids` of `report.figures`; the path through the singular set and
the embedding come from `studies.latent`.
"""

from __future__ import annotations

import re

from otbench.report.recipes.base import BOTH, Columns, Group, Recipe
from otbench.report.recipes.published import Published

NAME = "images"

# Models by family, in the order of their papers' tables; one that stands nowhere joins `further`.
ADVERSARIAL = ("mm-gan", "ns-gan", "lsgan", "wgan", "wgan-gp", "dragan", "began")
AUTOENCODERS = ("vae", "wae-vae", "wae-mmd", "wae-gan", "big-vae", "big-wae-mmd", "big-wae-gan", "aae")
LATENT = ("glo", "imle", "glann")
TRANSPORT = ("ae-ot", "ae-ot-paper", "ae-ot-deep", "otvae")
BY_TRANSPORT = ("wgan-lp", "sinkhorn-gan", "swae", "sinkhorn-ae")
OTVAE_PARTS = (
    "otvae-labels",
    "otvae-sinkhorn",
    "otvae-barycentric",
    "otvae-paper",
    "otvae-kernel",
    "otvae-ae",
    "otvae-wae",
)
LARGE_GANS = (
    *("wgan-gp-standard", "wgan-gp-resnet", "pggan", "sngan", "sngan-resnet"),
    *("wgan-div", "wgan-div-resnet", "wgan-qc"),
)
LARGE_TRANSPORT = ("ae-ot-standard", "ae-ot-resnet", "ae-ot-gan", "ae-ot-gan-resnet")
CONTINUOUS = ("fm", "ot-cfm", "rectified-flow", "ddpm")
FURTHER = ("wgan-mlp", "ali")
RECONSTRUCTIONS = ("ae",)
RIVALS = ("ae-gaussian", "ae-gmm", "ae-sinkhorn", "ae-icnn", "ae-not", "ae-fm")
CONTROLS = ("real", "memoriser", "collapsed", "noise")
DATASETS = ("digits", "mnist", "fashion-mnist", "cifar10", "celeba", "celeba-140", "stacked-mnist")
GANS = (*ADVERSARIAL, *LARGE_GANS, *FURTHER, "wgan-lp", "sinkhorn-gan")
"""The adversarial models, of which the paper's figures show the best one."""

TABLES_3_AND_4 = (*ADVERSARIAL, "vae", "glo", "glann", "ae", "ae-ot")
"""The rows of Tables 3 and 4 of AE-OT, and WGAN-GP and DRAGAN of the table of Lucic et al. that they quote."""

WAE_ROWS = {
    "wae-vae": "VAE",
    "wae-mmd": "WAE-MMD",
    "wae-gan": "WAE-GAN",
    "big-vae": "bigVAE",
    "big-wae-mmd": "bigWAE-MMD",
    "big-wae-gan": "bigWAE-GAN",
    "real": "True data",
}
"""Table 1 of WAE: model -> what the table calls it. Its VAE has WAE's networks, not those of Lucic et al."""

AE_OT_GAN_ROWS = {
    "WGAN-GP": ("wgan-gp-standard", "wgan-gp-resnet"),
    "PGGAN": ("", "pggan"),
    "SNGAN": ("sngan", "sngan-resnet"),
    "WGAN-div": ("wgan-div", "wgan-div-resnet"),
    "WGAN-QC": ("", "wgan-qc"),
    "AE-OT": ("ae-ot-standard", "ae-ot-resnet"),
    "AE-OT-GAN": ("ae-ot-gan", "ae-ot-gan-resnet"),
}
"""Table 1 of AE-OT-GAN: row -> the model with the standard network and that with the ResNet; empty where the table has
none."""

BLOCKS = {
    "adversarial": "Adversarial models",
    "autoencoders": "Autoencoders",
    "latent": "Latent optimisation",
    "transport": "Transport in the latent space",
    "rivals": "Codes of AE-OT's autoencoder, another law",
    "by-transport": "Further models by transport",
    "otvae-parts": "OTVAE with one part changed",
    "continuous": "Continuous-time transport",
    "further": "Further models",
    "large": "Larger networks (AE-OT-GAN's table)",
    "reconstructions": "Reconstructions of test images, for reference",
    "control": "Controls",
    "floor": "What true samples reach",
}

TITLES = {
    "mm-gan": "MM GAN",
    "ns-gan": "NS GAN",
    "lsgan": "LSGAN",
    "wgan": "WGAN",
    "wgan-gp": "WGAN-GP",
    "dragan": "DRAGAN",
    "began": "BEGAN",
    "vae": "VAE",
    "wae-vae": "VAE (WAE's networks)",
    "wae-mmd": "WAE-MMD",
    "wae-gan": "WAE-GAN",
    "big-vae": "big VAE",
    "big-wae-mmd": "big WAE-MMD",
    "big-wae-gan": "big WAE-GAN",
    "aae": "AAE",
    "swae": "SWAE",
    "sinkhorn-ae": "Sinkhorn AE",
    "glo": "GLO",
    "imle": "IMLE",
    "glann": "GLANN",
    "ae": "AE (reconstructions)",
    "ae-ot": "AE-OT",
    "ae-ot-paper": "AE-OT (paper's solver)",
    "ae-ot-deep": "AE-OT (two more layers)",
    "ae-sinkhorn": "AE + entropic map",
    "ae-icnn": "AE + W2 (ICNN)",
    "ae-not": "AE + NOT",
    "otvae": "OTVAE",
    "ae-gaussian": "AE + Gaussian",
    "ae-gmm": "AE + Gaussian mixture",
    "otvae-sinkhorn": "OTVAE (Sinkhorn's plan)",
    "otvae-barycentric": "OTVAE (nearest image)",
    "otvae-paper": "OTVAE (AE-OT's rule)",
    "otvae-kernel": "OTVAE (kernel)",
    "otvae-ae": "OTVAE (AE)",
    "otvae-wae": "OTVAE (WAE)",
    "otvae-labels": "OTVAE (labels)",
    "fm": "FM",
    "ot-cfm": "OT-CFM",
    "rectified-flow": "Rectified flow",
    "ddpm": "DDPM (DDIM)",
    "ae-fm": "AE + flow matching",
    "wgan-mlp": "WGAN (MLP)",
    "wgan-lp": "WGAN-LP",
    "sinkhorn-gan": "Sinkhorn GAN",
    "ali": "ALI",
    "wgan-gp-standard": "WGAN-GP (standard)",
    "wgan-gp-resnet": "WGAN-GP (ResNet)",
    "pggan": "PGGAN",
    "sngan": "SNGAN (standard)",
    "sngan-resnet": "SNGAN (ResNet)",
    "wgan-div": "WGAN-div (standard)",
    "wgan-div-resnet": "WGAN-div (ResNet)",
    "wgan-qc": "WGAN-QC",
    "ae-ot-standard": "AE-OT (standard)",
    "ae-ot-resnet": "AE-OT (ResNet)",
    "ae-ot-gan": "AE-OT-GAN (standard)",
    "ae-ot-gan-resnet": "AE-OT-GAN (ResNet)",
}

DATA_TITLES = {
    "mnist": "MNIST",
    "fashion-mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "celeba": "CelebA",
    "celeba-140": "CelebA (crop of 140)",
}

SHORT = {
    "modes": "Classes hit",
    "reverse_kl": "Reverse KL over classes",
    "is": "Class score",
    "fid_train": "Fréchet distance to training images",
    "fid_validation": "Fréchet distance to validation images",
    "memorised": "Memorised, %",
    "excellence": "Excellence (people), %",
    "excellence_proxy": "Excellence (proxy), %",
    "l2": "L2, test images",
    "l2_train": "L2, training images",
}

QUALITY = ("fid", "kid", "is", "prd_f8", "prd_f1_8")
NEIGHBOURS = ("precision", "recall", "density", "coverage")
CLASSES = ("modes", "reverse_kl", "excellence_proxy", "memorised", "data_copying")
OWN = ("sharpness", "sharpness_min", "l2", "l2_train", "seconds")

# Figures of the AE-OT paper's own set-up; what its slides print for the same runs is kept apart.
SAME_SETUP = (
    ("AE-OT", "Table 1"),
    ("AE-OT", "Table 3"),
    ("AE-OT", "Table 4"),
    ("Lucic et al.", "FID table"),
)
OTHER_SETUP = (("AE-OT slides", "Table 2"),)

CITATIONS = {
    "AE-OT": "Lei, An, Guo, Su, Liu, Luo, Yau, Gu. A geometric understanding of deep learning. Engineering 6, 2020.",
    "Lucic et al.": "Lucic, Kurach, Michalski, Gelly, Bousquet. Are GANs created equal? A large-scale study. 2018. "
    "arXiv:1711.10337.",
    "AE-OT slides": "Zhang. Generative models (lecture slides); they print the figures of An, Guo, Lei, Luo, Yau, Gu. "
    "AE-OT: a new generative model based on extended semi-discrete optimal transport. ICLR 2020.",
    "WAE": "Tolstikhin, Bousquet, Gelly, Schölkopf. Wasserstein auto-encoders. ICLR 2018. arXiv:1711.01558.",
    "AE-OT-GAN": "An, Guo, Zhang, Qi, Lei, Yau, Gu. AE-OT-GAN: training GANs from data specific latent distribution. "
    "2020. arXiv:2001.03698.",
    "OTVAE": "A geometric view of generative adversarial networks and improved algorithms (project report, in "
    "Chinese); code at github.com/jimcui3/OTVAE.",
}

MUST_SEE = {
    "fid": BOTH,
    "kid": BOTH,
    "is": BOTH,
    "prd_f8": frozenset({"collapsed"}),
    "prd_f1_8": frozenset({"noise"}),
    "precision": frozenset({"noise"}),
    "recall": frozenset({"collapsed"}),
    "density": frozenset({"noise"}),
    "coverage": BOTH,
    "modes": frozenset({"collapsed"}),
    "reverse_kl": frozenset({"collapsed"}),
    "excellence_proxy": frozenset({"noise"}),
}

WHY_FLOOR = (
    "The row “Held-out real” measures real images that no model was trained on in the same way as the models' samples: "
    "its Fréchet distance is not zero, because both sides are finite samples, and no model can be told to be better "
    "than it. “AE (reconstructions)” are test images through the autoencoder: what a decoder can show at best, so the "
    "floor of every model that draws codes for it. Figures on Inception's features may stand beside published ones; "
    "those on a classifier's features, which was trained on the data set itself, may not, and never do here."
)
WHY_MEMORISER = (
    "A memoriser gives training images back, and AE-OT and OTVAE interpolate between training codes. Fréchet distance, "
    "PRD, precision and recall take a memoriser for real data; “Memorised” (share of samples nearer to a training "
    "image than 95 % of the test images are; 5 % for a perfect sampler) and C_T (about 0 for a perfect sampler, far "
    "below it for a copier, far above it for samples off the data) are there to see it, and say nothing of quality."
)
WHY_PROXY = (
    "The excellence rate of the OTVAE report is the share of images that people call realistic. What is shown here is "
    "a proxy: the share of samples that the classifier recognises with a confidence that 95 % of held-out real images "
    "pass. It cannot see what a classifier does not look at; where people rated a session, their rate "
    "stands in a table of its own."
)

RECIPE = Recipe(
    name=NAME,
    title="Images",
    kind="images",
    datasets=DATASETS,
    groups=(
        Group("adversarial", ADVERSARIAL, published=True),
        Group("autoencoders", AUTOENCODERS, published=True),
        Group("latent", LATENT, published=True),
        Group("transport", TRANSPORT, published=True),
        Group("otvae-parts", OTVAE_PARTS),
        Group("rivals", RIVALS),
        Group("by-transport", BY_TRANSPORT),
        Group("continuous", CONTINUOUS),
        Group("further", FURTHER),
        Group("large", (*LARGE_GANS, *LARGE_TRANSPORT)),
        Group("reconstructions", RECONSTRUCTIONS, published=True),
    ),
    blocks=BLOCKS,
    controls=CONTROLS,
    unranked=RECONSTRUCTIONS,
    tables=(
        Columns("inception", "distances on Inception features", QUALITY, "inception"),
        Columns("classifier", "distances on classifier features", QUALITY, "classifier"),
        Columns("classes", "classes, recognition and memory, by the classifier", CLASSES, "classifier"),
        Columns("neighbours_inception", "nearest-neighbour metrics on Inception features", NEIGHBOURS, "inception"),
        Columns("neighbours_classifier", "nearest-neighbour metrics on classifier features", NEIGHBOURS, "classifier"),
        Columns("pixels", "sharpness, reconstruction and cost", OWN),
    ),
    questions={
        "fid": "Closest to real images (Fréchet distance)",
        "prd_f1_8": "Best precision (PRD F1/8)",
        "prd_f8": "Best recall (PRD F8)",
        "excellence_proxy": "Most samples recognised (excellence, proxy)",
    },
    titles=TITLES,
    data_titles=DATA_TITLES,
    short=SHORT,
    same_setup=SAME_SETUP,
    other_setup=OTHER_SETUP,
    published_features="inception",
    citations=CITATIONS,
    must_see=MUST_SEE,
    copy_alarms={"memorised": "lower", "data_copying": "higher"},
    budget_metrics=("fid",),
    internal_metrics=("l2", "l2_train", "l2_before", "l2_before_train"),
    empty_rows=False,
    why_floor=WHY_FLOOR,
    why_memoriser=WHY_MEMORISER,
)


def excellence(records: list[Published], dataset: str) -> list[tuple[Published, float, float]]:
    """Published excellence rates on a data set, given by people, not by a classifier.

    Args:
        records: All published figures; their epochs stand in `setup`, as in "3 to 4 epochs".
        dataset: Name of the data set.

    Returns:
        (figure, least epochs, most epochs) of every rate.
    """
    rates = []
    for record in records:
        epochs = re.search(r"(\d+)(?: to (\d+))? epochs", record.setup)
        if record.metric == "excellence" and record.dataset == dataset and epochs:
            rates.append((record, float(epochs[1]), float(epochs[2] or epochs[1])))
    return rates
