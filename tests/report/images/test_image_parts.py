"""Parts of the image study's report, each against what was worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from otbench.report.comparison import Comparison
from otbench.report.figures import image_grids, image_plots, marks
from otbench.report.figures.tiles import tile
from otbench.report.labels import metric_label
from otbench.report.recipes.images import RECIPE
from otbench.report.results import RunResults, load_run, network_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_images) -> RunResults:
    networks = {"digits": ("classifier",), "mnist": ("classifier", "inception")}
    folder = make_images(tmp_path_factory.mktemp("run"), networks=networks, models=("vae", "ns-gan", "wgan", "otvae"))
    return load_run(folder)


@pytest.fixture(scope="module")
def comparison(run: RunResults) -> Comparison:
    return Comparison(run.of("images"), None, (), study=RECIPE)


def test_tiles_stand_in_rows_with_white_between() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) * np.ones((5, 1, 2, 3), np.uint8)
    sheet = tile(images, 2, gap=1)
    assert sheet.shape == (3 * 2 + 2, 2 * 3 + 1, 3)
    assert sheet[:2, :3].max() == 0 and (sheet[0, 4:] == 1).all() and (sheet[3, :3] == 2).all()
    assert (sheet[2] == 255).all() and (sheet[:, 3] == 255).all() and (sheet[6:, 4:] == 255).all()
    colour = np.stack([np.full((2, 2), value, np.uint8) for value in (10, 20, 30)])[None]
    assert (tile(colour, 1, scale=3) == [10, 20, 30]).all() and tile(colour, 1, scale=3).shape == (6, 6, 3)


@pytest.mark.parametrize(
    ("protocol", "network"),
    [
        ("features=classifier-0badf00d;n_real=500", "classifier"),
        ("features=inception-6726825d;split=test", "inception"),
        ("features=coordinates;n_real=2500", ""),
        ("features=pixels;n_generated=500;range=0..1", ""),
        ("certificate", ""),
        (float("nan"), ""),
    ],
)
def test_networks_are_read_from_protocols(protocol: object, network: str) -> None:
    assert network_of(protocol) == network


def test_names_say_the_features() -> None:
    assert metric_label("fid@inception").label == "FID"
    assert metric_label("fid@classifier").label == "Fréchet distance, classifier features"
    assert metric_label("prd_f8@inception").label == "PRD F8, Inception features"
    assert metric_label("excellence_proxy@classifier").number(0.954) == "95.4"
    assert metric_label("kid@inception").number(0.00123456, 0.0001) == "0.00123 ± 0.00010"


def test_metrics_are_told_apart_by_their_features(run: RunResults) -> None:
    assert run.key("mnist", "fid", "inception") == "fid@inception"
    assert run.key("digits", "fid", "inception") == "fid"  # not measured so
    assert ("mnist", "fid") not in run.protocols and ("mnist", "sharpness") in run.protocols
    assert "inception-6726825d" in run.protocol("mnist", "fid@inception")


def test_a_run_is_seen_study_by_study(tmp_path: Path, make, make_images) -> None:
    folder = make_images(make(tmp_path, datasets=("ring",), models=("gan", "wgan"), seeds=(0,)), models=("wgan", "vae"))
    run = load_run(folder)
    points, images = run.of("mode-collapse"), run.of("images")
    assert points.datasets == ["ring"] and images.datasets == ["digits"]
    assert set(points.info["models"]) == {"gan", "wgan"} and set(images.info["models"]) == {"wgan", "vae"}
    assert points.info["models"]["wgan"]["title"] == "" and images.info["models"]["wgan"]["title"] == "WGAN"
    assert (points.steps("ring", "gan"), images.steps("digits", "vae")) == (3000, 400)
    assert points.last == images.last == 1.0 and len(images.info["snapshots"]) == 4
    assert set(points.table["dataset"]) == {"ring"} and images.budget.startswith("small budget: 400 training steps")


def test_the_papers_budget_is_that_of_the_data_set(run: RunResults) -> None:
    info = run.info | {"config": {"studies": {"images": {"steps": "paper"}}}}
    about = {"vae": {"steps": 15_625, "paper_steps": {"digits": 15_625, "cifar10": 78_125}}}
    paper = RunResults(Path("."), run.table, info | {"models": about}, {}).of("images")
    assert paper.steps("digits", "vae") == 15_625
    view = RunResults(Path("."), run.table, info | {"models": about, "datasets": {"cifar10": {"study": "images"}}}, {})
    assert view.steps("cifar10", "vae") == 78_125


def test_epochs_are_steps_times_batch_over_images(comparison: Comparison) -> None:
    assert image_plots.epochs(comparison, "digits", "vae") == pytest.approx(400 * 64 / 797)
    assert image_plots.epochs(comparison, "digits", "otvae") == pytest.approx(400 * 100 / 797)


def test_curves_are_those_of_the_run(comparison: Comparison) -> None:
    found = image_plots.prd_curves(comparison, "mnist", "otvae", "inception")
    assert found.shape == (3, 2, 1001)
    assert (found[1, 0] == comparison.run.curves["mnist/otvae/inception/1/recall"]).all()
    assert (found[2, 1] == comparison.run.curves["mnist/otvae/inception/2/precision"]).all()
    assert image_plots.prd_curves(comparison, "digits", "otvae", "inception") is None


def test_training_is_followed_where_it_was_measured(comparison: Comparison) -> None:
    assert image_plots.followed(comparison, "mnist", "fid@classifier") == ["ns-gan", "wgan", "vae", "otvae"]
    assert image_plots.followed(comparison, "mnist", "fid@inception") == []  # at the end alone


def test_the_best_gan_and_the_last_images(comparison: Comparison) -> None:
    assert image_grids.best_gan(comparison, "digits") == "wgan"  # OTVAE has more, and is no GAN
    gallery = comparison.run.gallery
    assert image_grids.last(comparison, "digits", "vae") is gallery["digits/vae/0/1"]
    assert image_grids.snapshots(comparison, "digits") == ["0.03", "0.1", "0.3", "1"]
    order = [(model, seed) for model, seed, _, _ in image_grids.cells(comparison, "mnist")]
    assert order[0] == ("ns-gan", 0) and order[-1] == ("otvae", 2) and len(order) == 4 * 3 * 4


def test_many_models_are_shared_out_by_family(run: RunResults) -> None:
    few = Comparison(run.of("images"), None, (), study=RECIPE)
    assert few.families("digits") == [("", "", ["ns-gan", "wgan", "vae", "otvae"])]
    every = [model for group in RECIPE.groups for model in group.models] + ["mine"]
    info = run.info | {"expected": [["digits", model, 0] for model in every]}
    many = Comparison(RunResults(Path("."), run.table.iloc[:0], info, {}), None, (), study=RECIPE)
    found = many.families("digits")
    keys = ["adversarial", "autoencoders", "latent", "otvae-parts", "rivals", "by-transport", "further", "large"]
    assert [key for key, _, _ in found] == keys
    shown_models = [model for _, _, models in found for model in models]
    assert sorted(shown_models) == sorted(set(every) - {"ae"})  # each once, and no reconstructions
    # these are few enough to share; a ninth model would be too many
    assert found[5][1] == "Further models by transport; continuous-time transport" and len(found[5][2]) == 8
    assert found[6][2] == ["wgan-mlp", "ali", "mine"]


def test_marks_of_the_study_differ() -> None:
    models = [model for group in RECIPE.groups for model in group.models]
    drawn = [(marks.MARKS[model].colour, marks.MARKS[model].marker, marks.MARKS[model].letter) for model in models]
    assert len(set(drawn)) == len(models)
