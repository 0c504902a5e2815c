"""The workflow of configs of every kind: which jobs they ask for, and what is refused before anything runs."""

from __future__ import annotations

import yaml

from otbench.registry import THEORIES
from tests.workflow import BARE, copy, jobs, set_up, small, snakemake


def test_the_workflow_passes_snakemakes_own_check_of_style(root, tmp_path):
    copy(root, tmp_path)
    done = snakemake(tmp_path, "--lint")
    assert done.returncode == 0 and "in a good condition" in done.stdout + done.stderr, done.stdout + done.stderr


def test_a_wrong_config_is_refused_before_anything_runs(root, tmp_path):
    set_up(root, tmp_path, modles=["gan"])
    done = snakemake(tmp_path, "--configfile", "own.yaml")
    text = done.stdout + done.stderr
    assert done.returncode != 0 and "modles': there is no such key" in text and "Traceback" not in text
    assert not (tmp_path / "results").exists()


def test_a_config_file_does_not_write_elsewhere(root, tmp_path):
    copy(root, tmp_path)
    for results in (str(tmp_path.parent / "away"), "../away"):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"results": results}))
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
        assert done.returncode != 0 and "is outside this folder" in done.stdout + done.stderr
        allowed = f"allow={tmp_path.parent}"
        assert snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", allowed).returncode == 0
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", f"results={results}")
        assert done.returncode == 0 and f"{results}/small/report.html" in done.stdout


def test_a_config_file_does_not_read_elsewhere(root, tmp_path):
    copy(root, tmp_path)
    for change in ({"data_root": "/data"}, {"published": "../table.csv"}, {"reference": "~/reference"}):
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | change))
        done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
        said = done.stdout + done.stderr
        assert done.returncode != 0 and f"key '{min(change)}'" in said and "is outside this folder" in said
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"data_root": "/data", "allow": "/data"}))
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml")
    assert done.returncode != 0 and "this is for the command line alone" in done.stdout + done.stderr
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", "allow=[/data]")
    assert "outside this folder" not in done.stdout + done.stderr, "said on the command line, in the config or not"


def test_images_get_features_and_the_latent_study(root, tmp_path):
    pictures = {**BARE, "datasets": ["digits"], "models": ["ae-ot", "real"], "steps": 2, "samples": 100}
    set_up(root, tmp_path)
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump(small() | {"studies": {"mode-collapse": None, "images": pictures, "stacked": None}})
    )
    counted = jobs(snakemake(tmp_path, "-n", "--configfile", "own.yaml"))
    assert counted.pop("total") == 2 + 3 * 2 + 6
    assert (counted["features"], counted["latent"], counted["fit"], counted["data"]) == (1, 1, 2, 1)


def test_repeats_and_a_rating_session_are_jobs_of_their_own(root, tmp_path):
    copy(root, tmp_path)
    pictures = {"datasets": ["digits"], "models": ["vae", "noise"], "steps": 2, "samples": 100}
    pictures |= {"search": None, "spread": {"draws": 2}, "rating": {"per_cell": 3}}
    studies = {"mode-collapse": None, "images": pictures, "stacked": None}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"studies": studies}))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    counted = jobs(done)
    assert (counted["spread"], counted["rate"]) == (1, 1), "the default asks for the VAE's spread, and rates both"
    assert "--n 100 --draws 2 --subsets 3" in done.stdout and "--per-cell 3 --real 40" in done.stdout
    assert "--along" not in done.stdout, "models that the study has not are passed over"


def test_a_study_of_the_theory_is_a_job_of_its_own_on_its_own_images(root, tmp_path):
    copy(root, tmp_path)
    theory = {"theory": {"parallel-lines": {"seed": 3}, "blur": {"dataset": "mnist"}, "folding": None}}
    left_out = dict.fromkeys(name for name in THEORIES if name not in ("parallel-lines", "blur"))
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(small() | {"theory": left_out | theory["theory"]}))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml", "--config", "device=cuda")
    counted = jobs(done)
    assert (counted["theory"], counted["data"]) == (2, 2), "images that no other study has are made for it"
    text = " ".join(done.stdout.split())
    assert "otbench theory parallel-lines --options '{}' --seed 3 --device cpu" in text, "it is computed on the CPU"
    assert "otbench theory blur --data results/small/data/mnist.npz --options '{}' --seed 0 --device cuda" in text


def test_braces_in_paths_are_letters(root, tmp_path):
    """Fault 11: they were taken for wildcards."""
    copy(root, tmp_path)
    values = small() | {"data_root": "{x}/{dataset}"}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(values))
    done = snakemake(tmp_path, "-n", "-p", "--configfile", "own.yaml")
    assert done.returncode == 0 and "--root '{x}/{dataset}'" in done.stdout + done.stderr, done.stderr[-2000:]


def test_the_workflow_may_be_called_from_another_folder(root, tmp_path):
    """Fault 15, C14."""
    copy(root, tmp_path / "clone")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "own.yaml").write_text(yaml.safe_dump(small()))
    done = snakemake(
        tmp_path / "here",
        *("-n", "-p", "-s", str(tmp_path / "clone" / "Snakefile"), "--configfile", "own.yaml"),
        code=tmp_path / "clone",
    )
    text = done.stdout + done.stderr
    assert done.returncode == 0 and f"--published {tmp_path}/clone/config/published.csv" in text, text[-2000:]
    (tmp_path / "here" / "Snakefile").write_text(
        "module otbench:\n    snakefile: '../clone/Snakefile'\n    config: config\n\nuse rule * from otbench\n"
    )
    done = snakemake(tmp_path / "here", "-n", "--configfile", "own.yaml", code=tmp_path / "clone")
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def test_a_wrong_reference_is_refused_before_anything_runs(root, tmp_path):
    """Fault 27."""
    set_up(root, tmp_path)
    done = snakemake(tmp_path, "-n", "--configfile", "own.yaml", "--config", "reference=results/nosuch")
    assert done.returncode != 0 and "there is no metrics.parquet in results/nosuch" in done.stdout + done.stderr
