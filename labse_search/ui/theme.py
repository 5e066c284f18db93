"""Colours, type and head of the page. Gradio's own theme fails WCAG AA (2.6:1 for muted text, 2.8:1 on the button);
these pairs are at least 4.5:1, in light and in dark (tests/test_ui.py computes them)."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr

STATIC = Path(__file__).parent / "static"
_COMMENT = re.compile(r"//|/\*\*.*\*/$")  # a line of a script that is one
# Name in Gradio's theme → name in frame.css, where the values stand. They are written out, because Gradio's own
# sign-in page has its theme but not our styles.
_PALETTE = {
    "body_background_fill": "ground",
    "background_fill_primary": "ground",
    "background_fill_secondary": "ground",
    "block_background_fill": "card",
    "block_label_text_color": "muted",
    "block_title_text_color": "muted",
    "block_info_text_color": "muted",
    "body_text_color": "ink",
    "body_text_color_subdued": "muted",
    "border_color_primary": "line",
    "block_border_color": "line",
    "input_background_fill": "card",
    "input_border_color": "faint",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "muted",
    "link_text_color": "accent",
    "color_accent_soft": "accent-soft",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_text_color": "accent-ink",
    "button_primary_border_color": "accent",
    "button_secondary_background_fill": "card",
    "button_secondary_text_color": "ink",
    "button_secondary_border_color": "faint",
    "checkbox_background_color": "card",
    "checkbox_background_color_hover": "soft",
    "checkbox_background_color_focus": "card",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color_selected": "accent",
    "checkbox_border_color_focus": "accent",
    "checkbox_border_color": "faint",
    "checkbox_label_background_fill": "card",
    "checkbox_label_background_fill_hover": "soft",
    "checkbox_label_background_fill_selected": "accent-soft",
    "checkbox_label_text_color": "ink",
    "checkbox_label_text_color_selected": "ink",
    "checkbox_label_border_color": "line",
}


def theme() -> gr.themes.Base:
    """Gradio's theme in the colours of the style sheet, light and dark."""
    light, dark = palette(":root"), palette(".dark")
    values = {key: light[name] for key, name in _PALETTE.items()}
    values |= {f"{key}_dark": dark[name] for key, name in _PALETTE.items()}
    return gr.themes.Base(
        primary_hue="teal",
        neutral_hue="slate",
        radius_size="lg",
        font=["system-ui", "Noto Sans", "sans-serif"],  # plain names: nothing is fetched
        font_mono=["ui-monospace", "monospace"],
    ).set(
        color_accent=f"var(--lb-accent, {light['accent']})",  # has no dark version in Gradio's theme
        block_shadow="none",
        button_primary_shadow="none",
        input_border_width="1px",
        **values,
    )


def palette(scheme: str) -> dict[str, str]:
    """The colours of ":root" (light) or ".dark": name without its prefix → "#rrggbb"."""
    css = style("frame")
    block = css[css.index(f"{scheme} {{") :]
    return dict(re.findall(r"--lb-([\w-]+): (#[0-9a-f]{6})", block[: block.index("}")]))


def style(name: str) -> str:
    """A style sheet without its comments and indentation."""
    css = (STATIC / f"{name}.css").read_text(encoding="utf-8")
    return re.sub(r"\s*\n\s*", "\n", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)).strip()


def script(name: str) -> str:
    """The script of one component, without its comments, its types on lines of their own, and indentation."""
    lines = (line.strip() for line in (STATIC / f"{name}.js").read_text(encoding="utf-8").splitlines())
    return "\n".join(line for line in lines if line and not _COMMENT.match(line))


def head() -> str:
    """Shared functions, before any component is drawn. Nothing in it comes from a document."""
    return (
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        '<link rel="manifest" href="manifest.webmanifest"><link rel="apple-touch-icon" href="icon-192.png">'
        f"<style>{style('frame')}</style><script>{script('page')}{script('early')}{script('feed')}{script('dropping')}{script('steer')}{script('why')}{script('marks')}</script>"
    )
