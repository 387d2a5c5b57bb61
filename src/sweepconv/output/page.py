"""The frame of the HTML report: style sheet, head and foot.  Nothing is loaded from anywhere."""

from __future__ import annotations

from html import escape

CSS = """
:root { color-scheme: light; --ink: #222; --soft: #5b5b58; --line: #dcdcd8; --paper: #fff;
        --wash: #f7f7f4; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
       font: 17px/1.55 Charter, "Bitstream Charter", "Sitka Text", Cambria, Georgia, serif; }
main { max-width: 1060px; margin: 0 auto; padding: 2.5rem 1.25rem 5rem; }
h1, h2, h3, table, figcaption, .legend, .sketch, svg text, .kind, footer, .cards h3 {
       font-family: system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .6rem; letter-spacing: -.01em; }
h2 { font-size: 1.35rem; margin: 3.2rem 0 .4rem; padding-top: 1.1rem;
     border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
p, ul { max-width: 44rem; margin: .5rem 0 1rem; }
.lead { font-size: 1.15rem; color: var(--soft); }
.panels { display: grid; gap: 1.5rem 2rem; margin: 1.25rem 0;
          grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
.panels.small { grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
.panels.four { grid-template-columns: repeat(auto-fit, minmax(min(100%, 12rem), 1fr)); }
figure { margin: 0; }
figure > svg { width: 100%; height: auto; display: block; overflow: visible; }
figcaption { font-size: .86rem; line-height: 1.45; color: var(--soft); margin-top: .4rem; }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; font-size: .9rem; margin: .8rem 0; }
.mark { width: .8em; height: .8em; margin-right: .4em; }
.sketch { width: 100%; max-width: 216px; display: block; margin-bottom: .5rem; }
.cards { display: grid; gap: 1.25rem; margin: 1.25rem 0;
         grid-template-columns: repeat(auto-fit, minmax(min(100%, 14rem), 1fr)); }
.cards p { font-size: .95rem; line-height: 1.45; margin: 0; }
.cards > div { border-top: 4px solid; padding-top: .7rem; }
.findings { list-style: none; padding: 0; max-width: none; display: grid; gap: 1.1rem 2rem;
            grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.findings li { padding: .1rem 0 .1rem 1rem; border-left: 4px solid #8a8a86;
               font-size: .96rem; line-height: 1.5; }
.findings li.helps { border-color: #0072B2; }
.findings li.harms { border-color: #D55E00; }
.kind { font-size: .72rem; letter-spacing: .06em; text-transform: uppercase; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums;
        margin: 1rem 0; }
th, td { text-align: right; padding: .28rem .9rem; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
table.wide { font-size: .78rem; }
table.wide th, table.wide td { padding: .2rem .45rem; }
thead th { border-bottom: 1.5px solid var(--ink); }
tr.section th { text-align: left; padding-top: .9rem; color: var(--soft); font-weight: 600;
                border-bottom: 1px solid var(--line); }
td.best { font-weight: 700; }
img { display: block; width: 100%; max-width: 15rem; image-rendering: pixelated;
      border: 1px solid var(--line); background: #fff; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: .6rem; max-width: 21rem; }
.note { background: var(--wash); padding: .8rem 1rem; font-size: .95rem; max-width: 46rem; }
code, pre { font: .88em/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre { background: var(--wash); padding: .8rem 1rem; overflow-x: auto; }
@media print { h2 { break-after: avoid; } figure, .cards > div { break-inside: avoid; } }
"""


def page(title: str, body: str) -> str:
    """A whole document; a number and its per cent sign stay on one line."""
    body = body.replace(" %", "&nbsp;%")
    return ("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            f"<title>{escape(title)}</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
            f"{body}\n</main>\n</body>\n</html>\n")


def section(title: str, *parts: str) -> str:
    return f"<section>\n<h2>{escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: str, kind: str = "") -> str:
    return f"<p{f' class={kind!r}' if kind else ''}>{escape(text)}</p>"


def figure(content: str, caption: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


def panels(*figures: str, kind: str = "") -> str:
    """Figures side by side as far as there is room; `kind` small (three) or four."""
    return f'<div class="panels {kind}">' + "\n".join(figures) + "</div>"


def image(source: str, alt: str) -> str:
    return f'<img src="{source}" alt="{escape(alt)}">'
