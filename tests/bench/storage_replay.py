"""An API server of recorded pages: `python -m bench.storage_replay FOLDER PAGES`, served like bench.stub.

The pages are those that bench.storage_client has kept; every other list is empty. Without PAGES all are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from aiohttp import web

from bench import stub

_GROUPS = ("apps", "batch", "snapshot.storage.k8s.io", "storage.k8s.io")
_EMPTY = b'{"kind":"List","apiVersion":"v1","metadata":{},"items":[]}'


def application(pages: dict[str, bytes]) -> web.Application:
    """The server's routes. `pages`: path and page token, with a space between -> body."""

    async def version(_request: web.Request) -> web.Response:
        return web.json_response({"major": "1", "minor": "36", "gitVersion": "v1.36.0-replay"})

    async def groups(_request: web.Request) -> web.Response:
        return web.json_response({"kind": "APIGroupList", "groups": [{"name": name} for name in _GROUPS]})

    async def page(request: web.Request) -> web.Response:
        body = pages.get(f"{request.path} {request.query.get('continue', '')}", _EMPTY)
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_get("/version", version)
    app.router.add_get("/apis", groups)
    app.router.add_get("/{path:.*}", page)
    return app


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.storage_replay", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("pages", type=Path, nargs="?")
    chosen = parser.parse_args()
    pages = {}
    if chosen.pages is not None:
        index = json.loads((chosen.pages / "index.json").read_text())
        pages = {key: (chosen.pages / file).read_bytes() for key, file in index.items()}
    asyncio.run(stub.serve(chosen.folder, application(pages)))


if __name__ == "__main__":
    main()
