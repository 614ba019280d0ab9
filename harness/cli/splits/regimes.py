"""`harness splits regimes`: the ways to divide a dataset."""

from __future__ import annotations

import typer

from harness.cli.names.splits import complete_regime
from harness.cli.show import JSON_OPTION


def regimes(
    regime: str | None = typer.Argument(
        None, help="One regime, with its parameters.", autocompletion=complete_regime
    ),
    as_json: bool = JSON_OPTION,
) -> None:
    """List the regimes of `splits create`, or the parameters of one.

    Example: `harness splits regimes`

    Example: `harness splits regimes context_ood`
    """
    from harness.cli.show import print_json, print_table
    from harness.splits.regimes import find_regime
    from harness.splits.regimes import regimes as known

    specs = [find_regime(regime)] if regime else list(known().values())
    facts = [
        {
            "name": spec.name,
            "summary": spec.summary,
            "parameters": {key: p.default for key, p in spec.parameters.items()},
        }
        for spec in specs
    ]
    if as_json:
        print_json(facts[0] if regime else facts)
    elif regime:
        typer.echo(specs[0].summary)
        rows = [(key, "" if p.default is None else p.default) for key, p in specs[0].parameters.items()]
        print_table(f"Parameters of {regime}", ["parameter", "unless told"], rows)
    else:
        print_table("Regimes", ["regime", "what it does"], [(spec.name, spec.summary) for spec in specs])
