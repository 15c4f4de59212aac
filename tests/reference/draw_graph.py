"""Draws a graph file as an SVG for README: nodes where the studio has them, sockets by name, wires by kind.

    python3 tests/reference/draw_graph.py graphs/mgie.json OUTPUTS.json graphs/mgie.svg

OUTPUTS.json is what `mgie nodes --json` prints. Standard library only.
"""

import json
import sys
from xml.sax.saxutils import escape

WIDTH, HEAD, ROW = 226, 30, 22
COLOURS = {
    "image": "#d9a441", "text": "#7fb069", "clip.features": "#5b8def", "mgie.visual_tokens": "#c774e8",
    "mgie.img_embeddings": "#8f6ed5", "sd.conditioning": "#e8743b", "sd.latents": "#4bb8a9", "sd.denoiser": "#d9534f",
}


def main(graph_path, outputs_path, svg_path):
    graph = json.load(open(graph_path))
    described = json.load(open(outputs_path))
    types = {n["id"]: n for n in described["nodes"]}
    boxes = {}
    for name, node in graph["nodes"].items():
        about = types[node["type"]]
        x, y = graph["studio"][name]
        rows = max(len(about["inputs"]), len(about["outputs"]), 1)
        boxes[name] = (x, y, HEAD + rows * ROW + 8, about)
    right = max(x for x, *_ in boxes.values()) + WIDTH + 40
    top = min(y for _, y, *_ in boxes.values()) - 40
    bottom = max(y + h for _, y, h, _ in boxes.values()) + 40
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top} {right} {bottom - top}" font-family="sans-serif" font-size="12">',
        f'<rect y="{top}" width="{right}" height="{bottom - top}" fill="#23262b"/>',
    ]

    def pin(name, sockets, socket, side):
        x, y, _, _ = boxes[name]
        row = [s["id"] for s in sockets].index(socket)
        return x + (WIDTH if side else 0), y + HEAD + row * ROW + ROW // 2 + 2

    for name, node in graph["nodes"].items():
        for socket, source in node.get("inputs", {}).items():
            origin, output = source.split(".")
            outputs = boxes[origin][3]["outputs"]
            x0, y0 = pin(origin, outputs, output, True)
            x1, y1 = pin(name, boxes[name][3]["inputs"], socket, False)
            kind = next(s["kind"] for s in outputs if s["id"] == output)
            bend = max(40, (x1 - x0) / 2)
            out.append(
                f'<path d="M{x0},{y0} C{x0 + bend},{y0} {x1 - bend},{y1} {x1},{y1}" fill="none" '
                f'stroke="{COLOURS.get(kind, "#999")}" stroke-width="2.5"/>'
            )
    for name, (x, y, h, about) in boxes.items():
        out.append(f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{h}" rx="7" fill="#32363d" stroke="#14161a"/>')
        out.append(f'<path d="M{x},{y + HEAD - 4} v-{HEAD - 11} q0,-7 7,-7 h{WIDTH - 14} q7,0 7,7 v{HEAD - 11} z" fill="#454b55"/>')
        out.append(f'<text x="{x + 10}" y="{y + 18}" fill="#fff" font-weight="bold">{escape(about["label"])}</text>')
        out.append(f'<text x="{x + WIDTH - 8}" y="{y + 18}" fill="#aab" font-size="10" text-anchor="end">{escape(name)}</text>')
        for sockets, side in ((about["inputs"], False), (about["outputs"], True)):
            for socket in sockets:
                px, py = pin(name, sockets, socket["id"], side)
                kind = socket["kind"] if side else socket["accepts"][0]
                out.append(f'<circle cx="{px}" cy="{py}" r="5" fill="{COLOURS.get(kind, "#999")}" stroke="#14161a"/>')
                anchor, tx = ("end", px - 11) if side else ("start", px + 11)
                out.append(f'<text x="{tx}" y="{py + 4}" fill="#d5d8de" font-size="11" text-anchor="{anchor}">{escape(socket["id"])}</text>')
    out.append("</svg>")
    open(svg_path, "w").write("\n".join(out) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
