"""docs/architecture.md: its layers are those of the package and its import contract, its pipeline that of the rules."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.pages import block


@pytest.fixture(scope="module")
def text(root) -> str:
    return (root / "docs" / "architecture.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def layers(text) -> list[list[str]]:
    """The layers from the top, each with its packages and modules."""
    return [re.findall(r"\w+", line) for line in block(text, "text").strip().splitlines()]


def test_the_layers_are_the_packages_and_modules_that_there_are(root, layers):
    names = [name for layer in layers for name in layer]
    package = root / "otbench"
    there = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    there |= {path.parent.name for path in package.glob("*/__init__.py")}
    assert sorted(names) == sorted(there)


def test_the_layers_are_those_of_the_import_contract(root, layers):
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"].get("importlinter", {})
    for contract in settings.get("contracts", []):
        if contract["type"] == "layers":
            held = [re.findall(r"(?:otbench\.)?(\w+)", layer) for layer in contract["layers"]]
            assert [sorted(layer) for layer in held] == [sorted(layer) for layer in layers]


def test_every_layer_has_a_paragraph(text, layers):
    heads = re.findall(r"^\*\*([a-z, ]+)\.\*\* ", text, re.M)
    assert [head.split(", ") for head in heads] == layers


def test_the_pipeline_is_that_of_the_rules(root, text):
    rules = "\n".join(path.read_text(encoding="utf-8") for path in sorted((root / "workflow" / "rules").glob("*.smk")))
    # rules take the paths of files from the layout of a run
    paths = rules + (root / "otbench" / "runs" / "layout.py").read_text(encoding="utf-8")
    boxes = dict(re.findall(r'(\w+)\["<b>\w+</b><br/>([^"]+)"\]', block(text, "mermaid")))
    assert list(boxes) == ["data", "fit", "draw", "measure", "features", "gather", "report", "theory"]
    described = (root / "docs" / "files.md").read_text(encoding="utf-8")
    for verb, files in boxes.items():
        assert f"otbench {verb} " in rules, verb
        for file in re.split(r"<br/>| ", files):
            name = file.rpartition("/")[2] or file
            assert (
                name.replace("DATASET", "<dataset>").replace("MODEL", "<model>").replace("STUDY", "<study>")
                in described
            )
            in_paths = name.replace("DATASET", "{dataset}").replace("MODEL", "{model}").replace("STUDY", "{name}")
            assert in_paths.rstrip("/") in paths, file


@pytest.mark.parametrize("page", ["architecture.md", "add-a-model.md", "add-a-metric.md", "add-a-data-set.md"])
def test_paths_and_links_of_the_pages_lead_somewhere(root, page):
    text = (root / "docs" / page).read_text(encoding="utf-8")
    added = {"otbench/models/points/affine.py", "otbench/metrics/duplicates.py", "otbench/data/points/triangle.py"}
    paths = {found.rstrip("/") for found in re.findall(r"`((?:otbench|config|workflow|tests)/[\w/.-]+)`", text)} - added
    assert all((root / path).exists() for path in paths), [path for path in paths if not (root / path).exists()]
    links = re.findall(r"\]\(([^)#:]+)\)", re.sub(r"```.*?```", "", text, flags=re.S))
    assert all((root / "docs" / link).exists() for link in links), links
