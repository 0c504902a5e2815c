"""The report of a run: tables, figures and one page, from the files that `otbench gather` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from otbench.utils.files import write_text

if TYPE_CHECKING:
    from otbench.report.comparison import Comparison
    from otbench.report.recipes.published import Published
    from otbench.report.results import RunResults


def render(
    run_dir: str | Path,
    published: str | Path,
    reference: str | Path | None = None,
    out: str | Path | None = None,
    single_file: bool = False,
) -> Path:
    """Write the report of a run: tables/, figures/, sheets/, pages/, report.md and report.html.

    One part a study of the run, in the order of `recipes.recipes`. Every file is written whole or not at all.

    Args:
        run_dir: Folder of the gathered run: metrics.parquet, run.json and the arrays that `otbench gather` writes.
        published: The table of published figures, .csv.
        reference: Folder of the reference results, with metrics.parquet and run.json; None for no columns of them.
            Where it is the run itself, it is not shown twice.
        out: Folder to write to; default: `run_dir`.
        single_file: Whether to write report-single.html too, which holds all pages and figures.

    Returns:
        Path of report.html.

    Raises:
        OtbenchError: Where a file is missing or wrong.

    Example: `render("results/default", "config/published.csv", "results/reference")`.
    """
    from otbench.report.page import html, markdown, site
    from otbench.report.recipes.published import read_published
    from otbench.report.results import load_run
    from otbench.report.tables.files import write_tables
    from otbench.report.theory import chapters, uncomputed

    run_dir, out = Path(run_dir), Path(out or run_dir)
    records = tuple(read_published(published))
    run = load_run(run_dir)
    other = None if reference is None or _same(run_dir, Path(reference)) else load_run(reference, scatter=False)
    shorts = _shorts(run_dir, reference) if other is not None and reference is not None else ()
    comparisons = _comparisons(run, other, records, reference is not None and other is None, shorts)
    parts = [html.part(comparison, out) for comparison in comparisons]
    models = html.models_of(parts)
    contents = html.contents(parts, list(chapters(run.theory, out)), uncomputed(run), models)
    write_tables(contents.tables, out / "tables")
    (out / "sheets").mkdir(parents=True, exist_ok=True)
    write_text(out / "report.md", markdown.markdown(run, other, contents))
    if single_file:
        site.write_single(run, other, contents, models, out / site.SINGLE)
    return site.write_site(run, other, contents, models, out)


def _comparisons(
    run: RunResults,
    other: RunResults | None,
    records: tuple[Published, ...],
    is_reference: bool,
    shorts: tuple[RunResults, ...] = (),
) -> list[Comparison]:
    """One comparison for each study of the run that has data, in the order of the report."""
    from otbench.report.comparison import Comparison
    from otbench.report.recipes import recipe, recipes

    used = {run.study_of(dataset) for dataset in run.datasets} or set(run.studies)
    for name in used:
        recipe(name)  # an unknown study is an error, not an empty part
    return [
        Comparison(
            run.of(name),
            other.of(name) if other and name in other.studies else None,
            records,
            is_reference,
            chosen,
            tuple(short.of(name) for short in shorts if name in short.studies),
        )
        for name, chosen in recipes().items()
        if name in used
    ]


def _shorts(run_dir: Path, reference: str | Path) -> tuple[RunResults, ...]:
    """The short references beside the reference: folders of its name with `-short` at the end."""
    from otbench.report.results import load_run

    folder = Path(reference).resolve()
    beside = sorted(folder.parent.glob(f"{folder.name}*-short"))
    return tuple(
        load_run(path, scatter=False)
        for path in beside
        if (path / "metrics.parquet").is_file() and not _same(path, run_dir)
    )


def _same(first: Path, second: Path) -> bool:
    return first.resolve() == second.resolve()
