"""`latentpress models`: every latent space and its models, shipped, cached or at the hub; fetch and
verify them.
"""

from typing import Annotated

import typer

from latentpress.cli.json_output import to_json
from latentpress.cli.listing import show
from latentpress.errors import UsageError, WeightsError

BUILTIN = ("builtin", "lp1")
NO_EXTRA = "extra not installed"

models_app = typer.Typer()


@models_app.callback(invoke_without_command=True)
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List every latent space and its models, and where the weights are; fetch and verify them.

    Example: latentpress models --json
    """
    if context.invoked_subcommand:
        return
    from latentpress.entropy import native

    rows = listing()
    lines = [
        [row[key] or "" for key in ("space", "name", "kind", "status", "where")] for row in rows
    ]
    show(rows, as_json, ("space", "model", "kind", "status", "where"), lines, ("model",))
    if not as_json:
        for row in rows:
            for line in (row["runs"] or "").splitlines():
                typer.echo(f"{row['name']} {line}")
        typer.echo(f"symbols are coded by {native.in_words()}")


def listing() -> list[dict[str, str | None]]:
    """A row a model: space, name, kind ("builtin", "KL" or "tiny"), status ("shipped", "cached",
    "not here" or "extra not installed"), path (of cached weights, else None), where (the path,
    or where the weights would come from) and runs (of the built-in model what runs its transforms,
    a line each, else None).
    """
    from latentpress.transforms import lp1
    from latentpress.transforms.hub import MODELS, cached

    rows: list[dict[str, str | None]] = [
        {
            "space": "lp1",
            "name": "builtin",
            "kind": "builtin",
            "status": "shipped",
            "path": None,
            "where": "the package",
            "runs": "\n".join(lp1.runs_on("auto")),
        }
    ]
    for known in MODELS:
        path, status = None, "not here"
        try:
            if weights := cached(known.name):
                path = str(weights.file)
                status = "cached"
        except WeightsError:
            status = NO_EXTRA
        source = f"huggingface.co/{known.name}" + (
            f" (folder {known.subfolder})" if known.subfolder else ""
        )
        if status == NO_EXTRA:
            source += ", with pip install 'latentpress[sd]'"
        row = {"space": known.space, "name": known.name, "kind": known.kind, "status": status}
        rows.append({**row, "path": path, "where": path or source, "runs": None})
    return rows


@models_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A model of the list, or any hub id OWNER/NAME.")],
) -> None:
    """Download the weights of a model into the cache of the Hugging Face hub, verify them and print
    their path.

    Example: latentpress models fetch madebyollin/taesd
    """
    from latentpress.transforms import hub

    if name in BUILTIN:
        raise UsageError("the built-in model is shipped in the package: there is nothing to fetch")
    if not hub.is_hub_name(name):
        raise UsageError(
            f"{name} is no model of `latentpress models` and no hub id of the form OWNER/NAME"
        )
    found = hub.cached(name) or hub.fetch(name)
    hub.verify(found)
    typer.echo(str(found.file))


@models_app.command()
def verify(
    name: Annotated[
        str,
        typer.Argument(
            help="builtin, a model of the list, a hub id, a folder or a .safetensors file."
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print files, SHA-256 and what is known as JSON.")
    ] = False,
) -> None:
    """Check the weights of a model and print their SHA-256; uses no network.

    A model of the list must be the published file. Of other weights the form is checked, and
    whether their SHA-256 is known.

    Example: latentpress models verify ./my-vae
    """
    results = [
        {"file": str(file), "sha256": sha256, "known": known}
        for file, sha256, known in _verified(name)
    ]
    if as_json:
        typer.echo(to_json(results, 2))
        return
    for result in results:
        typer.echo(
            f"{result['sha256']}  {result['file']}  ok "
            f"({result['known'] or 'a valid file, not one of the published ones'})"
        )


def _verified(name: str) -> list[tuple[str, str, str | None]]:
    """(file, SHA-256, the known model that it belongs to) of every weights file of a model;
    WeightsError for a bad one.
    """
    if name in BUILTIN:
        from latentpress.transforms import lp1

        return [(file, sha256, "builtin") for file, sha256 in lp1.verify()]
    from latentpress.transforms import hub

    at_hub = hub.is_hub_name(name) and not hub.is_here(name)
    found = hub.cached(name) if at_hub else hub.resolve(name)
    if found is None:
        raise WeightsError(
            f"{name} is not in the cache: `latentpress models fetch {name}` downloads it"
        )
    sha256 = hub.verify(found)
    known = hub.known_by_hash(sha256)
    return [(str(found.file), sha256, known.name if known else None)]
