"""Exact transport in the plane against closed forms, a linear programme and invariances."""

import numpy as np
import ot
import pytest

from otbench.errors import OtbenchError
from otbench.transport import box, load, polygon, solve
from otbench.transport.cells2d import cut_cell


def test_two_points_with_unequal_weights():
    found = solve([[0.0, 0], [1, 0]], weights=[3, 1])
    # The cells are [-1/2, 1/4] and [1/4, 1/2] in x: the planes 0 and x + h meet at x = -h.
    assert found.heights[1] - found.heights[0] == pytest.approx(-0.25, abs=1e-12)
    # W2^2 = int x^2 over the first + int (x - 1)^2 over the second + int y^2.
    truth = (0.25**3 + 0.5**3) / 3 + (0.75**3 - 0.5**3) / 3 + 1 / 12
    assert found.wasserstein() ** 2 == pytest.approx(truth, abs=1e-12)
    assert found.certificate()["map_cost"] == pytest.approx(truth, abs=1e-12)
    assert found(np.array([[0.2, 0.3], [0.3, -0.4]])).tolist() == [[0, 0], [1, 0]]


def test_three_points_on_a_line_are_quantiles():
    found = solve([[0.0, 0], [1, 0], [5, 0]], weights=[0.2, 0.5, 0.3])
    # Breaks at x = -0.3 and 0.2.
    assert np.diff(found.heights) == pytest.approx([0.3, -0.8], abs=1e-12)


def test_four_symmetric_points_have_equal_heights():
    found = solve([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
    assert found.heights == pytest.approx(np.zeros(4), abs=1e-12)
    # Each quarter's |x - y|^2 = 2 int (1 - t)^2 dt / (1/2) over t in [0, 1/2].
    assert found.wasserstein() ** 2 == pytest.approx(2 * 2 * (1 - 0.5**3) / 3, abs=1e-12)


def test_one_point():
    found = solve([[3.0, 4.0]])
    assert found.certificate()["map_max_cell_error"] == 0
    assert found.wasserstein() ** 2 == pytest.approx(25 + 1 / 6)


def test_a_quarter_turn_of_a_symmetric_target_turns_the_heights():
    side = np.linspace(-1, 1, 6)
    y = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    h = solve(y).heights.reshape(6, 6)
    assert h == pytest.approx(np.rot90(h), abs=1e-9)
    assert h == pytest.approx(h.T, abs=1e-9)


def test_one_dimensional_quantiles():
    """A target on the first axis: the breaks between cells are the cumulated weights, whatever the points are."""
    random = np.random.default_rng(3)
    y, nu = np.sort(random.standard_normal(200)), random.random(200) + 0.1
    found = solve(np.column_stack([y, np.zeros(200)]), weights=nu)
    breaks = -np.diff(found.heights) / np.diff(y)
    assert breaks == pytest.approx(np.cumsum(nu / nu.sum())[:-1] - 0.5, abs=1e-9)


SQUARE = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])


def area_of(corners):
    following = np.roll(corners, -1, axis=0)
    return 0.5 * float((corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]).sum())


def shape(name, mixture):
    """512 points (256 in pyOMT's mixtures) of a named layout."""
    random = np.random.default_rng(0)
    angle = np.arange(512) * 2 * np.pi / 512
    plain = {
        "random": lambda: random.random((512, 2)),
        "outside": lambda: random.random((512, 2)) + 100,
        "aligned": lambda: np.stack(np.meshgrid(np.arange(16.0), np.arange(32.0)), axis=-1).reshape(-1, 2),
        "axis": lambda: np.column_stack([np.arange(512.0), np.zeros(512)]),
        "diagonal": lambda: np.outer(np.linspace(-2, 1, 512), [1, 2]),
        "circle": lambda: np.stack([np.cos(angle), np.sin(angle)], axis=1),
        "heavy tails": lambda: random.standard_t(1.0, size=(512, 2)),
        "flat": lambda: random.random((512, 2)) * [1, 1e-4],
        "lines": lambda: np.column_stack([random.random(512), np.arange(512) % 5]),
        "clusters on a line": lambda: np.outer(
            np.repeat(np.arange(8.0), 64) + 0.2 / 64 * (np.tile(np.arange(64), 8) + 0.3 * random.random(512)), [2, 1]
        ),
        "lattices": lambda: np.stack(
            [np.arange(512) // 8 % 8 * 0.01 + np.arange(512) // 64, np.arange(512) % 8 * 0.01], axis=1
        ),
    }
    return plain[name]() if name in plain else mixture(name)[2]


SHAPES = (
    *("grid", "grid-pyomt", "ring", "ring-pyomt", "random", "outside"),
    *("aligned", "axis", "diagonal", "circle", "heavy tails", "flat"),
    *("lines", "clusters on a line", "lattices"),
)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_to_1e9(mixture, name, weighted):
    y = shape(name, mixture)
    weights = np.random.default_rng(1).random(len(y)) + 0.05 if weighted else None
    found = solve(y, weights)
    numbers = found.certificate()
    assert numbers["map_max_cell_error"] <= 1e-9
    assert numbers["map_tolerance_met"] == 1
    assert 0 <= numbers["map_dual_gap"] <= 1e-9 * (1 + numbers["map_cost"])
    assert numbers["map_cost"] == pytest.approx(numbers["map_w2"] ** 2, rel=1e-8)
    # The same cells cut out one by one, without the hull that the solver and the certificate use.
    middle = (y.max(0) + y.min(0)) / 2
    chosen = np.random.default_rng(2).choice(len(y), 40, replace=False)
    cut = [area_of(cut_cell(i, y - middle, found.heights, SQUARE, slack=0.0)[0]) for i in chosen]
    assert cut == pytest.approx(found.weights[chosen], rel=1e-7)


def test_a_lattice_is_cut_into_rectangles():
    """Equal weights on a lattice: the breaks between rows and columns are the quantiles, also where four cells meet."""
    y = np.stack(np.meshgrid(np.arange(16.0), 3 * np.arange(32.0), indexing="ij"), axis=-1).reshape(-1, 2)
    h = solve(y).heights.reshape(16, 32)
    assert -np.diff(h, axis=0) == pytest.approx(np.tile(np.arange(1, 16)[:, None] / 16 - 0.5, 32), abs=1e-10)
    assert -np.diff(h, axis=1) / 3 == pytest.approx(np.tile(np.arange(1, 32) / 32 - 0.5, (16, 1)), abs=1e-10)


def test_near_duplicates_end_at_the_rounding_of_the_heights():
    """Three rows of 170 points 5e-7 of the extent apart: a height's last digit is 1e-8 of a cell, and `rounding` says
    so.
    """
    y = np.column_stack([np.repeat([-1.0, 0, 1], 170) + np.tile(1e-6 * np.arange(170), 3), np.zeros(510)])
    found = solve(y)
    assert found.info["reason"] == "rounding"
    assert found.certificate()["map_tolerance_met"] == 0
    # By hand: heights of up to 1/4 have a half spacing of 2.8e-17; two facets a cell, two heights a facet, a cell 1/510
    # wide.
    assert 1e-9 < found.info["rounding"] < 4 * 2.8e-17 / 1e-6 * 510
    assert found.info["error"] <= 4 * found.info["rounding"]
    # The breaks are the quantiles all the same, to that rounding.
    breaks = -np.diff(found.heights) / np.diff(y[:, 0])
    assert breaks == pytest.approx(np.arange(1, 510) / 510 - 0.5, abs=1e-9)


def test_rounding_is_far_below_the_tolerance_where_points_are_apart():
    found = solve(np.random.default_rng(14).random((512, 2)))
    assert found.info["rounding"] < 1e-10


def test_fresh_points_fall_as_the_weights_say(mixture):
    """The masses by brute force, without cells: 400,000 points, five standard deviations."""
    _, _, y = mixture("grid", n=100)
    nu = np.random.default_rng(2).random(100) + 0.2
    found = solve(y, nu)
    x = found.source.sample(400_000, np.random.default_rng(9))
    index = np.argmax(x @ y.T + found.heights, axis=1)
    assert (found.cell(x) == index).all()
    share = np.bincount(index, minlength=100) / len(x)
    assert np.abs(share - found.weights).max() < 5 * np.sqrt(found.weights.max() / len(x))


def test_against_a_linear_programme():
    """The same problem with the square replaced by the middles of 40 x 40 small squares, solved by POT's network
    simplex.
    """
    y = np.random.default_rng(4).standard_normal((20, 2))
    nu = np.random.default_rng(5).random(20) + 0.5
    nu /= nu.sum()
    side = (np.arange(40) + 0.5) / 40 - 0.5
    x = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    cost = ((x[:, None] - y) ** 2).sum(2)
    plan = ot.emd(np.full(1600, 1 / 1600), nu, cost)
    found = solve(y, nu)
    # Moving each small square to its middle changes the cost by its own second moment and by what the cells cut, O(1 /
    # 40^2).
    assert found.wasserstein() ** 2 == pytest.approx((plan * cost).sum(), abs=2e-3)
    agree = (plan * 1600)[np.arange(1600), found.cell(x)]
    assert agree.mean() > 0.93


def test_translation_and_scaling():
    y = np.random.default_rng(6).standard_normal((64, 2))
    plain, moved, scaled = solve(y), solve(y + [3, -7]), solve(2.5 * y)
    x = plain.source.sample(2000, np.random.default_rng(0))
    assert (plain.cell(x) == moved.cell(x)).all()
    assert (plain.cell(x) == scaled.cell(x)).all()
    assert scaled.heights == pytest.approx(2.5 * plain.heights, abs=1e-8)
    assert moved.wasserstein() ** 2 - plain.wasserstein() ** 2 == pytest.approx(
        58 + 2 * (y.mean(0) @ [3, -7]), abs=1e-9
    )


def test_moving_the_source_tilts_the_heights():
    y = np.random.default_rng(7).standard_normal((64, 2))
    centred, corner = solve(y), solve(y, source=box([0, 0], [1, 1]))
    tilt = centred.heights - y @ [0.5, 0.5]
    assert corner.heights == pytest.approx(tilt - tilt.mean(), abs=1e-9)


def test_other_polygons():
    y = np.random.default_rng(8).standard_normal((100, 2))
    angle = np.arange(7) * 2 * np.pi / 7
    found = solve(y, source=polygon(np.stack([1 + np.cos(angle), 2 * np.sin(angle)], axis=1)[::-1]))
    assert found.certificate()["map_max_cell_error"] <= 1e-9


def test_potentials():
    y = np.random.default_rng(9).standard_normal((50, 2))
    found = solve(y)
    x = found.source.sample(500, np.random.default_rng(1))
    slack = ((x[:, None] - y) ** 2).sum(2) / 2 - found.kantorovich(x)[:, None] - found.kantorovich_target
    assert slack.min() > -1e-12
    assert slack[np.arange(500), found.cell(x)] == pytest.approx(np.zeros(500), abs=1e-12)
    # phi integrates with psi to half of W2 squared.
    many = found.source.sample(400_000, np.random.default_rng(2))
    dual = found.kantorovich(many).mean() + found.weights @ found.kantorovich_target
    assert 2 * dual == pytest.approx(found.wasserstein() ** 2, abs=0.01)


def test_cyclical_monotonicity():
    y = np.random.default_rng(10).standard_normal((50, 2))
    found = solve(y)
    x = found.source.sample(300, np.random.default_rng(1))
    t = found(x)
    order = np.random.default_rng(2).permutation(300)
    assert (x * t).sum() >= (x * t[order]).sum()
    assert ((x[:, None] - x) * (t[:, None] - t)).sum(2).min() >= -1e-12


def test_duplicates_share_a_cell():
    y = np.array([[0.0, 0], [1, 0], [0, 0], [1, 1]])
    found = solve(y, weights=[0.1, 0.4, 0.3, 0.2])
    assert found.heights[0] == found.heights[2]
    assert found.masses() == pytest.approx([0.1, 0.4, 0.3, 0.2], abs=1e-10)
    assert found.certificate()["map_max_cell_error"] <= 1e-9


def test_all_points_equal():
    found = solve(np.ones((5, 2)))
    assert found.masses() == pytest.approx(np.full(5, 0.2))
    assert found.wasserstein() ** 2 == pytest.approx(2 + 1 / 6)


def test_warm_start_takes_no_step():
    y = np.random.default_rng(11).standard_normal((100, 2))
    found = solve(y)
    again = solve(y, start=found)
    assert again.info["steps"] == 0
    assert again.heights == pytest.approx(found.heights, abs=1e-12)


def test_a_missed_tolerance_is_said():
    found = solve(np.random.default_rng(12).standard_normal((100, 2)), tolerance=1e-30)
    assert found.info["reason"] == "rounding"
    assert found.certificate()["map_tolerance_met"] == 0


def test_centroids_and_neighbours_on_four_corners():
    found = solve([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])
    assert found.centroids() == pytest.approx(found.target / 4, abs=1e-12)
    assert {(0, 1), (1, 2), (2, 3), (0, 3)} <= {tuple(p) for p in found.neighbours().tolist()}


def test_save_and_load(tmp_path):
    found = solve(np.random.default_rng(13).standard_normal((30, 2)), source=polygon([[0, 0], [2, 0], [0, 1]]))
    found.save(tmp_path / "map.npz")
    again = load(tmp_path / "map.npz")
    assert (again.heights == found.heights).all()
    assert again.info == found.info
    assert again.certificate() == found.certificate()


@pytest.mark.parametrize("content", [None, b"", b"not a map"])
def test_load_refuses_what_is_no_map(tmp_path, content):
    path = tmp_path / "map.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OtbenchError, match="map.npz"):
        load(path)


@pytest.mark.parametrize(
    ("target", "options", "sentence"),
    [
        (np.empty((0, 2)), {}, "at least one point"),
        ([1.0, 2.0], {}, "shape"),
        (np.empty((3, 0)), {}, "shape"),
        ([[1.0, np.nan], [1, 2]], {}, "1 of 2 points are not finite"),
        ("words", {}, "expected numbers"),
        ([[0.0, 0], [1, 1]], {"weights": [1, 0]}, "not positive"),
        ([[0.0, 0], [1, 1]], {"weights": [1, -1]}, "not positive"),
        ([[0.0, 0], [1, 1]], {"weights": [1, 1, 1]}, "one for each"),
        ([[0.0, 0], [1, 1]], {"source": "sphere"}, "source"),
        ([[0.0, 0], [1, 1]], {"source": box([0], [1])}, "2"),
        ([[0.0, 0], [1, 1]], {"tolerance": 0}, "positive"),
        ([[0.0, 0], [1, 1]], {"method": "guess"}, "method"),
        ([[0.0] * 5] * 2, {"method": "exact"}, "exact"),
        ([[0.0, 0], [1, 1]], {"start": np.zeros(3)}, "start"),
        ([[0.0, 0], [1, 1]], {"batch": 3}, "no option batch"),
    ],
)
def test_bad_input_gets_a_sentence(target, options, sentence):
    with pytest.raises(OtbenchError, match=sentence):
        solve(target, **options)


def test_weights_need_no_unit():
    assert solve([[0.0, 0], [1, 0]], weights=[30, 10]).heights == pytest.approx(
        solve([[0.0, 0], [1, 0]], weights=[0.75, 0.25]).heights
    )


@pytest.mark.parametrize("vertices", [[[0, 0], [1, 0]], [[0, 0], [1, 0], [2, 0]], [[0, 0], [1, 0], [0.1, 0.1], [0, 1]]])
def test_polygons_that_are_none(vertices):
    with pytest.raises(OtbenchError, match="polygon"):
        polygon(vertices)
