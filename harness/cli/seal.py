"""`harness seal`: sealing an older run, signing a seal."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.runs import complete_run


def seal(
    run: str = typer.Argument(help="Name, its beginning, folder, or `last`.", autocompletion=complete_run),
    sign: Path = typer.Option(None, metavar="KEY", help="Sign the seal with this SSH key."),
) -> None:
    """Sign a run's seal with an SSH key; a run of before there were seals is sealed first, as it is now.

    Every run is sealed when it is written. `harness verify RUN --signers FILE` checks the signature.

    Example: `harness seal last --sign ~/.ssh/id_ed25519`
    """
    from harness.records.run_folder import SEAL_FILE, find_run, open_run
    from harness.records.seal import read_seal, write_seal
    from harness.records.signature import sign_seal
    from harness.settings import load_settings

    found = open_run(find_run(load_settings().runs, run).path, verify=True)
    if (found.path / SEAL_FILE).exists():
        read_seal(found.path)
    else:
        write_seal(found.path, found.record)
    if sign is not None:
        typer.echo(str(sign_seal(found.path, sign.expanduser())))
    else:
        typer.echo(str(found.path / SEAL_FILE))
