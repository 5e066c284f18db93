"""What makes the page an app of the desktop: its manifest, its icons, and a shell that is there when the app is not.

Everything here is open to all and tells nothing of documents: browsers fetch it without the page's token.
"""

from __future__ import annotations

import json
from html import escape

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse

from labse_search.languages import is_right_to_left
from labse_search.ui.theme import STATIC, palette
from labse_search.ui.translations import COOKIE, chosen, table

ICONS = {"icon-192.png": "192x192", "icon-512.png": "512x512", "icon-maskable.png": "512x512"}
MANIFEST, WORKER, SHELL = "/manifest.webmanifest", "/worker.js", "/shell"


def add_desktop(app: FastAPI, usual_language: str) -> None:
    """The addresses that make the page an app of the desktop: manifest, icons, worker."""

    def words(request: Request) -> tuple[str, dict[str, str]]:
        language = chosen(request.cookies.get(COOKIE, ""), request.headers.get("accept-language", ""), usual_language)
        return language, {key: value for key, value in table(language).items() if isinstance(value, str)}

    @app.get(MANIFEST)
    async def manifest(request: Request) -> Response:
        language, known = words(request)
        return Response(json.dumps(_manifest(language, known)), media_type="application/manifest+json")

    @app.get(WORKER)
    async def worker() -> Response:
        return FileResponse(STATIC / "worker.js", media_type="text/javascript", headers={"cache-control": "no-cache"})

    @app.get(SHELL)
    async def shell(request: Request) -> Response:
        language, known = words(request)
        return Response(_shell(language, known), media_type="text/html", headers={"cache-control": "no-cache"})

    @app.get("/icon-{size}.png")
    async def picture(size: str) -> Response:
        icon = f"icon-{size}.png"
        if icon not in ICONS:
            return Response(status_code=404)
        return FileResponse(STATIC / icon, media_type="image/png", headers={"cache-control": "public, max-age=86400"})


def _manifest(language: str, words: dict[str, str]) -> dict[str, object]:
    colours = palette(":root")
    icons = [
        {"src": icon, "sizes": sizes, "type": "image/png", "purpose": "maskable" if "maskable" in icon else "any"}
        for icon, sizes in ICONS.items()
    ]
    return {
        "name": words["app"],
        "short_name": words["app"],
        "description": words["tagline"],
        "id": "/",
        "start_url": ".",
        "display": "standalone",
        "lang": language,
        "dir": "rtl" if is_right_to_left(language) else "ltr",
        "background_color": colours["ground"],
        "theme_color": colours["accent"],
        "icons": icons,
    }


def _shell(language: str, words: dict[str, str]) -> str:
    """A page of its own: nothing else can be fetched when it is shown. It opens the app as soon as that answers."""
    light, dark = palette(":root"), palette(".dark")

    def colours(one: dict[str, str]) -> str:
        return f"body {{ background: {one['ground']}; color: {one['ink']}; }} p {{ color: {one['muted']}; }}"

    direction = "rtl" if is_right_to_left(language) else "ltr"
    return f"""<!doctype html>
<html lang="{language}" dir="{direction}"><head><meta charset="utf-8"><title>{escape(words["app"])}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body {{ font: 1.05rem/1.6 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid;
place-content: center; padding: 24px; max-width: 46ch; margin-inline: auto; }}
h1 {{ font-size: 1.3rem; margin: 0 0 .4em; }}
{colours(light)} @media (prefers-color-scheme: dark) {{ {colours(dark)} }}</style></head>
<body><main><h1>{escape(words["shell_title"])}</h1><p>{escape(words["shell_text"])}</p><p><code>labse-search</code></p>
<script>
setInterval(() => fetch("healthz", {{ cache: "no-store" }})
  .then(answer => answer.ok && location.reload(), () => 0), 2000);
</script>
</main></body></html>
"""
