"""`combmesh schema`: the JSON Schema of a network file."""

import json

import typer


def schema() -> None:
    """Print the JSON Schema of a network file, for editors and validators."""
    from combmesh.config.explain import network_schema

    typer.echo(json.dumps(network_schema(), indent=2, ensure_ascii=False))
