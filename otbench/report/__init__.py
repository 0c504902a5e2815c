"""The report of a run: tables, figures and one page, from the files that `otbench gather` writes."""

from __future__ import annotations

from pathlib import Path

from otbench.files import write_text


def render(
    run_dir: str | Path,
    published: str | Path,
    reference: str | Path | None = None,
    out: str | Path | None = None,
) -> Path:
    """Write tables/, figures/ and report.html into `out` (default: `run_dir`) and return the path of the page.

    Reads metrics.parquet, run.json and scatter.npz of `run_dir`, the CSV of published figures and, where given, the
    first two of `reference`, a folder of the same form; where that is the run itself, it is not shown twice. Every file
    is written whole or not at all. Raises OtbenchError where a file is missing or wrong.

    Example: `render("results/default", "config/published.csv", "results/reference")`.
    """
    from otbench.report import figures, page, tables
    from otbench.report.compare import Comparison
    from otbench.report.gathered import load_run
    from otbench.report.published import read_published

    run_dir, out = Path(run_dir), Path(out or run_dir)
    records = tuple(read_published(published))
    run = load_run(run_dir)
    other = None if reference is None or _same(run_dir, Path(reference)) else load_run(reference, scatter=False)
    is_reference = reference is not None and other is None
    comparison = Comparison(run, other, records, is_reference)
    drawn = {dataset: figures.draw(comparison, dataset, out / "figures") for dataset in comparison.datasets}
    found = page.contents(comparison, drawn)
    tables.write_tables(found.tables, out / "tables")
    path = out / "report.html"
    write_text(path, page.page(comparison, found))
    return path


def _same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
