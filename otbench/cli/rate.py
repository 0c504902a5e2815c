"""The verb `rate`: blind rating sessions of images, and raters' answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from otbench.cli.options import AsJson, DataArgument, load_data, print_result
from otbench.utils.bounds import SEED_MOST

app = typer.Typer(no_args_is_help=True, help="Rate images by eye: make blind sessions, import answers.")

Folder = Annotated[Path, typer.Argument(help="Folder of the session, results/<run>/ratings/<dataset>.")]


@app.callback()
def _main() -> None:
    pass


@app.command()
def sheet(
    data: DataArgument,
    samples: Annotated[list[Path], typer.Option("--samples", help="Samples of one model; may be given many times.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the session, results/<run>/ratings/<dataset>.")],
    per_cell: Annotated[int, typer.Option(min=1, help="Images of every seed at every snapshot shown.")] = 2,
    along: Annotated[list[str] | None, typer.Option(help="A model of which all snapshots are shown, not the last.")] = (
        None
    ),
    real: Annotated[int, typer.Option(min=0, help="Held-out real images: the ceiling.")] = 20,
    checks: Annotated[int, typer.Option(min=0, help="Further held-out real images: attention checks.")] = 6,
    repeats: Annotated[int, typer.Option(min=0, help="Images shown a second time: a rater's consistency.")] = 10,
    seed: Annotated[
        int, typer.Option(min=0, max=SEED_MOST, help="Seed of the choice of images and of their order.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Make a blind rating session: a page, a printable sheet with its form, and the key, which raters must not see.

    Example: otbench rate sheet --data digits.npz --samples otvae.npz --along otvae --out ratings/digits

    \f
    Args:
        data: Name or file of a data set of images.
        samples: Files of samples, .npz, one for each model.
        out: Folder of the session.
        per_cell: Images of every seed at every snapshot shown.
        along: Models of which all snapshots are shown; of the others only the last.
        real: Held-out real images that count for the ceiling.
        checks: Further held-out real images that test attention.
        repeats: Images shown a second time, for a rater's consistency.
        seed: Seed of the choice of images and of their order.
        as_json: Whether to print JSON.
    """
    from otbench.data.samples import read_samples
    from otbench.ratings.answers import stored
    from otbench.ratings.sheet import Plan, session, write_session

    plan = Plan(per_cell, tuple(along or ()), real, checks, repeats, seed)
    made = session(load_data(data), [read_samples(path) for path in samples], plan)
    stale = sum(answer.session != made.key.session for answer in stored(out))
    write_session(made, out)
    summary = {
        "session": made.key.session,
        "items": len(made.key.items),
        "left_out": list(made.left_out),
        "stale": stale,
    }
    text = f"session {made.key.session}: {len(made.key.items)} images to rate, in {out}; give raters rate.html or"
    text += " sheet.pdf with form.csv, and never key.json"
    text += f"\nleft out: {'; '.join(made.left_out)}" if made.left_out else ""
    text += f"\n{stale} answers to an earlier session stay in answers.csv and no longer count" if stale else ""
    print_result(summary, as_json, text)


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Raters' files, JSON or CSV.")],
    into: Annotated[Path, typer.Option("--into", help="Folder of the session, results/<run>/ratings/<dataset>.")],
    partial: Annotated[bool, typer.Option("--partial", help="Take raters who did not finish.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check raters' files and merge them into answers.csv; one wrong file, and nothing changes.

    Example: otbench rate import ratings-*.json --into results/default/ratings/digits

    \f
    Args:
        files: Raters' files, .json or .csv.
        into: Folder of the session.
        partial: Whether to take raters who did not finish.
        as_json: Whether to print JSON.
    """
    from otbench.ratings.analysis import session_of
    from otbench.ratings.answers import merge

    key, _ = session_of(into)
    added = merge(files, key, into, partial)
    raters = sorted({answer.rater for answer in added})
    summary = {"session": key.session, "raters": raters, "answers": len(added)}
    print_result(summary, as_json, f"{len(added)} answers of {', '.join(raters)} added to {into / 'answers.csv'}")


@app.command()
def show(
    folder: Folder,
    table: Annotated[Path | None, typer.Option(help="Tidy table with the classifier proxy to set beside.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what people's answers say: rates with intervals, raters, agreement.

    Example: otbench rate show results/default/ratings/digits --table results/default/metrics.parquet

    \f
    Args:
        folder: Folder of the session.
        table: Tidy table with the classifier's proxy to compare with; None for none.
        as_json: Whether to print JSON.
    """
    from otbench.metrics.table import read_table
    from otbench.ratings.analysis import analyse, proxies_of, session_of

    key, answers = session_of(folder)
    analysis = analyse(key, answers, proxies_of(key, read_table(table)) if table else None)
    print_result(analysis, as_json, _said(analysis))


def _said(told: dict[str, Any]) -> str:
    lines = [
        f"session {told['session']}, {told['dataset']}: {told['answers']} answers of {told['raters']} raters"
        + (f"; {told['stale']} answers to other sessions left out" if told["stale"] else "")
    ]
    rates = [(f"{entry['model']} at {entry['snapshot']:.3g}", entry) for entry in told["rates"]]
    rates += [("held-out real images", told["real"])] if told["real"] else []
    for name, entry in rates:
        both = f", over raters and images {_span(entry['bootstrap'])}" if entry["bootstrap"] else ""
        lines.append(
            f"{name:28} {entry['rate']:6.1%}  Wilson {_span(entry['wilson'])}{both};"
            f" {entry['answers']} answers, {entry['raters']} raters"
        )
    for entry in told["by_rater"]:
        lines.append(
            f"rater {entry['rater']}: {entry['answers']} answers, attention {_share(entry['attention'])},"
            f" consistency {_share(entry['consistency'])}" + ("  <- below the threshold" if entry["flagged"] else "")
        )
    alpha, kappa = told["agreement"]["krippendorff_alpha"], told["agreement"]["fleiss_kappa"]
    if alpha is not None and kappa is not None:
        lines.append(f"agreement: Krippendorff's alpha {alpha:.3f}, Fleiss' kappa {kappa:.3f}")
    if told["proxy"]["pearson"] is not None:
        proxy = told["proxy"]
        lines.append(f"proxy: Pearson {proxy['pearson']:.3f}, Spearman {proxy['spearman']:.3f}, n = {proxy['n']}")
    return "\n".join(lines)


def _span(pair: list[float]) -> str:
    return f"{pair[0]:.1%} to {pair[1]:.1%}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"
