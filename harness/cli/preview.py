"""`harness preview`: a published board in the browser, from this machine to this machine only."""

from __future__ import annotations

from pathlib import Path

import typer

from harness.cli.publish import OUT


def preview(
    site: Path = typer.Argument(OUT, help="Folder of a published site."),
    port: int = typer.Option(8000, min=0, max=65535, help="Port on loopback; 0 takes a free one."),
    open_it: bool = typer.Option(False, "--open", help="Open the browser."),
) -> None:
    """Serve a published board on loopback until Ctrl-C. Nobody else can reach it.

    Example: `harness preview reports/site --port 8000`
    """
    from harness.reporting.board.serve import server

    with server(site, port) as httpd:
        address = f"http://127.0.0.1:{httpd.server_address[1]}/"
        typer.echo(address)
        if open_it:
            import webbrowser

            webbrowser.open(address)
        try:
            httpd.serve_forever()
        except KeyboardInterrupt:
            typer.echo("stopped")
