"""`slipway pull`: the image of a release from the registry, as far as it is not the runtime's."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from slipway import reference, releases
from slipway.adapters import layout
from slipway.adapters.git import Repository
from slipway.commands import BUILD, Json, Root, agreed, emit, push, verifying
from slipway.errors import Rejected


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """What is at hand now; nothing where nothing was released."""

    schema_version: int = 1
    version: str | None
    image: str | None


def pull(
    version: Annotated[
        str | None, typer.Argument(help="Of a release; by default production's recorded stable.")
    ] = None,
    root: Root = Path(),
    *,
    as_json: Json = False,
) -> None:
    """Bring the image of a release to build/images/VERSION, where `rehearse`, `serve` and `gate --stable` look for it.

    It must have the digest that main's record names, and be signed. The layers of the runtime stay where they are. Does
    nothing before the first promotion.

    Examples:
    ```sh
    slipway pull
    slipway pull 1.4.0
    ```
    """
    from slipway.adapters import registry

    repository = Repository(root.resolve())
    main = agreed.newest(repository).state()
    version = version or main.stable.environments.get(releases.PRODUCTION)
    if version is None:
        emit(Pulled(version=None, image=None), "nothing is promoted to production yet", as_json=as_json)
        return
    if version not in main.releases:
        raise Rejected(f"main has no release {version}", f"It has {', '.join(main.releases) or 'none'}.")
    release = main.releases[version]
    verifying.released(repository, release)
    source = replace(reference.repository(push.named(root)), digest=release.package.image_digest)
    layout.write(root / BUILD / "images" / version, registry.pull(source), version)
    image = f"{source.repository}@{source.digest}"
    emit(Pulled(version=version, image=image), f"[green]pulled[/] {version}: {image}", as_json=as_json)
