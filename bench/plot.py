#!/usr/bin/env python3
"""Draws what llminf-bench --json measured, as SVG. The standard library is enough.

usage: plot.py KIND FILE... > PLOT.svg

KIND is one of
  roofline    operations a second over operations for a byte: the machine's limits, products alone (--kernels --types q4_0),
              whole steps (--forecast)
  throughput  tokens a second over the batch, measured and foreseen, with B* (--forecast)
  kv          bytes of K and V: held, in blocks, and reserved for the longest (--trace; one file for each, named by the file)
  ttft        time to the first token (--trace; one file for each, named by the file)
A FILE holds lines of JSON; those of other tests are passed over.
"""
import json
import math
import pathlib
import sys
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 760, 460
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 52, 62
COLOURS = ["#1f5fa8", "#c8501e", "#2b8a4b", "#7a3fa0", "#6b6b6b", "#a8871f"]


# ---- a drawing

class Axis:
    """From data to pixels: linear from 0, or logarithmic."""

    def __init__(self, label, low, high, start, end, is_log):
        self.label, self.low, self.high, self.start, self.end, self.is_log = label, low, high, start, end, is_log

    def at(self, value):
        low, high = (math.log(v) if self.is_log else v for v in (self.low, self.high))
        part = ((math.log(value) if self.is_log else value) - low) / (high - low)
        return self.start + part * (self.end - self.start)

    def ticks(self):
        if not self.is_log:
            step = 10 ** math.floor(math.log10(self.high / 4))
            step *= next(m for m in (1, 2, 2.5, 5, 10) if self.high / (step * m) <= 6)
            return [i * step for i in range(int(self.high / step) + 1)]
        if self.high / self.low <= 200:
            return [2 ** i for i in range(math.ceil(math.log2(self.low) - 1e-9), math.floor(math.log2(self.high) + 1e-9) + 1)]
        return [10 ** i for i in range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)]


def number(value):
    return f"{value:g}" if value >= 0.001 or value == 0 else f"{value:.0e}"


class Plot:
    def __init__(self, title, x, y):
        """x, y: (label, low, high, is_log); x None: groups of bars have names of their own."""
        self.x = Axis(x[0], x[1], x[2], LEFT, WIDTH - RIGHT, x[3]) if x else None
        self.y = Axis(y[0], y[1], y[2], HEIGHT - BOTTOM, TOP, y[3])
        self.parts = [f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']
        self.text(WIDTH / 2, 24, title, "middle", size=16, weight="bold")
        self.axes()
        self.keys = []

    def text(self, x, y, text, anchor="start", size=13, colour="#222222", weight="normal", turn=None):
        turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn is not None else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
                          f'font-weight="{weight}" stroke="#ffffff" stroke-width="3" paint-order="stroke"{turned}>'
                          f'{escape(text)}</text>')

    def line(self, points, colour, width=1.0, dash=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>')

    def axes(self):
        for value in self.y.ticks():
            at = self.y.at(value)
            self.line([(LEFT, at), (WIDTH - RIGHT, at)], "#dddddd")
            self.text(LEFT - 8, at + 4, number(value), "end")
        self.text(20, (TOP + HEIGHT - BOTTOM) / 2, self.y.label, "middle", turn=-90)
        if self.x:
            for value in self.x.ticks():
                at = self.x.at(value)
                self.line([(at, HEIGHT - BOTTOM), (at, HEIGHT - BOTTOM + 5)], "#222222")
                self.text(at, HEIGHT - BOTTOM + 20, number(value), "middle")
            self.text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 16, self.x.label, "middle")
        self.line([(LEFT, TOP), (LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)], "#222222", 1.2)

    def series(self, points, colour, dash=""):
        self.line([(self.x.at(x), self.y.at(y)) for x, y in points], colour, 2.0, dash)

    def marks(self, points, colour, shape="circle"):
        for x, y in points:
            px, py = self.x.at(x), self.y.at(y)
            if shape == "circle":
                self.parts.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="5" fill="{colour}"/>')
            else:
                self.parts.append(f'<rect x="{px - 4.5:.1f}" y="{py - 4.5:.1f}" width="9" height="9" fill="{colour}"/>')

    def key(self, text, colour, kind="circle"):
        self.keys.append((text, colour, kind))

    def bars(self, groups, names, colours, form):
        """groups: (name, values); the value stands above its bar."""
        width = (WIDTH - LEFT - RIGHT) / len(groups)
        bar = min(90.0, width * 0.8 / len(names))
        for g, (name, values) in enumerate(groups):
            middle = LEFT + (g + 0.5) * width
            self.text(middle, HEIGHT - BOTTOM + 22, name, "middle")
            for i, value in enumerate(values):
                x, top = middle + (i - len(values) / 2) * bar, self.y.at(max(value, self.y.low))
                self.parts.append(f'<rect x="{x + 3:.1f}" y="{top:.1f}" width="{bar - 6:.1f}" '
                                  f'height="{HEIGHT - BOTTOM - top:.1f}" fill="{colours[i]}"/>')
                self.text(x + bar / 2, top - 6, form(value), "middle")
        for name, colour in zip(names, colours):
            self.key(name, colour, "square")

    def svg(self, corner):
        """corner: where the key stands: its left edge and its top."""
        x, y = corner
        if self.keys:
            width = 44 + 7.2 * max(len(text) for text, _, _ in self.keys)
            self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{20 * len(self.keys) + 10}" '
                              f'fill="#ffffff" fill-opacity="0.9" stroke="#bbbbbb"/>')
        for i, (text, colour, kind) in enumerate(self.keys):
            at = y + 19 + 20 * i
            if kind == "circle":
                self.parts.append(f'<circle cx="{x + 18:.1f}" cy="{at - 4:.1f}" r="5" fill="{colour}"/>')
            elif kind == "square":
                self.parts.append(f'<rect x="{x + 13:.1f}" y="{at - 9:.1f}" width="10" height="10" fill="{colour}"/>')
            else:
                self.line([(x + 6, at - 4), (x + 30, at - 4)], colour, 2.0, kind if kind != "line" else "")
            self.text(x + 38, at, text)
        return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
                f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n' + "\n".join(self.parts) + "\n</svg>\n")


# ---- the plots

def of(lines, test, **fields):
    return [line for line in lines if line["test"] == test and all(line.get(k) == v for k, v in fields.items())]


def need(lines, what):
    if not lines:
        sys.exit(f"plot.py: no line of {what}")
    return lines


def middle(values):
    return sorted(values)[len(values) // 2]


def roofline(files):
    lines = [line for _, some in files for line in some]
    limits = need(of(lines, "limits"), "limits")
    read, whole, floats = (max(line[key] / 1e9 for line in limits) for key in
                           ("read_bytes_per_second", "integer_ops_per_second", "float_ops_per_second"))
    read = max([read, *(line["read_gb_per_second"] for line in of(lines, "forecast"))])  # the most of a memory that drifts
    kernels = need(of(lines, "kernel", kernel="matmul"), "kernels")
    steps = need(of(lines, "forecast", phase="decode"), "forecasts")
    shortest = min(line["context"] for line in steps)
    points = [(line["gops_per_second"] / line["gbytes_per_second"], line["gops_per_second"], line["rows"]) for line in kernels]
    batches = [(line["intensity"], line["step_gop_per_second"], line["sessions"]) for line in steps
               if line["context"] == shortest]
    low, high = min(p[0] for p in points + batches) / 2, max(p[0] for p in points + batches) * 2
    plot = Plot("Roofline: what memory gives, what the cores compute, what was reached",
                ("operations for each byte of weights, K and V that is read", low, high, True),
                ("Gop/s", min(low * read, *(p[1] for p in points + batches)) / 2, whole * 2, True))
    for ceiling, name, colour, dash in ((whole, "limit: the most read, then products of bytes", COLOURS[4], "line"),
                                        (floats, "limit of products of floats", COLOURS[5], "6 4")):
        corner = min(max(ceiling / read, low), high)
        start = low if ceiling == whole else corner
        plot.series([(x, min(x * read, ceiling)) for x in (start, corner, high)], colour, "" if dash == "line" else dash)
        plot.key(name, colour, dash)
    plot.marks([p[:2] for p in points], COLOURS[0], "square")
    plot.key(f"{kernels[0]['type']} product alone, by rows", COLOURS[0], "square")
    plot.marks([p[:2] for p in batches], COLOURS[1])
    plot.key(f"whole step, by sessions of {shortest:g} tokens", COLOURS[1])
    for x, y, n in points:
        plot.text(plot.x.at(x) - 9, plot.y.at(y) - 8, f"{n:g}", "end", colour=COLOURS[0])
    for x, y, n in batches:
        plot.text(plot.x.at(x) + 9, plot.y.at(y) + 16, f"{n:g}", colour=COLOURS[1])
    return plot.svg((WIDTH - RIGHT - 374, HEIGHT - BOTTOM - 104))


def throughput(files):
    lines = need([line for _, some in files for line in of(some, "forecast", phase="decode")], "forecasts")
    contexts = sorted({line["context"] for line in lines})
    most = max(line["sessions"] for line in lines)
    plot = Plot("Tokens a second of all sessions, measured and foreseen",
                ("sessions that make a token in the same step", 1, most * 1.1, True),
                ("tokens/s", 0, 1.15 * max(max(line["tokens_per_second"], line["predicted"]) for line in lines), False))
    for context, colour in zip(contexts, COLOURS):
        rows = sorted((line for line in lines if line["context"] == context), key=lambda line: line["sessions"])
        plot.series([(line["sessions"], line["predicted"]) for line in rows], colour)
        plot.marks([(line["sessions"], line["tokens_per_second"]) for line in rows], colour)
        plot.key(f"context of {context:g}", colour)
    plot.key("foreseen", "#444444", "line")
    star = middle([line["b_star"] for line in lines])
    at = plot.x.at(min(max(star, 1), most))
    if 1 <= star <= most:
        plot.line([(at, TOP + 14), (at, HEIGHT - BOTTOM)], "#888888", 1.2, "5 4")
    plot.text(at, TOP + 8, f"B* = {star:.1f}", "middle", colour="#555555")
    return plot.svg((LEFT + 14, TOP + 8))


def kv(files):
    groups = []
    for name, lines in files:
        line = need(of(lines, "trace"), "traces")[0]
        groups.append((name, [line[key] / 2 ** 20 for key in ("kv_contiguous_bytes", "kv_paged_bytes", "kv_held_bytes")]))
    plot = Plot("K and V of the sessions that run, in the mean of the trace", None,
                ("MiB", 0, 1.45 * max(max(values) for _, values in groups), False))
    plot.bars(groups, ["a place of full length for each", "blocks in use", "what the sessions hold"],
              [COLOURS[4], COLOURS[0], COLOURS[2]], lambda v: f"{v:.0f}" if v >= 100 else f"{v:.1f}")
    return plot.svg((WIDTH - RIGHT - 290, TOP))


def ttft(files):
    groups = []
    for name, lines in files:
        line = need(of(lines, "trace"), "traces")[0]
        groups.append((name, [1e3 * line[key] for key in ("first_p50", "first_p90")]))
    plot = Plot("Time to the first token", None, ("ms", 0, 1.4 * max(max(values) for _, values in groups), False))
    plot.bars(groups, ["median", "90 of 100 are faster"], [COLOURS[0], COLOURS[1]], lambda v: f"{v:.0f}" if v >= 10 else f"{v:.1f}")
    return plot.svg((WIDTH - RIGHT - 210, TOP + 4))


KINDS = {f.__name__: f for f in (roofline, throughput, kv, ttft)}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in KINDS:
        sys.exit(__doc__)
    files = [(pathlib.Path(path).stem.replace("_", " "),
              [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line.startswith("{")])
             for path in sys.argv[2:]]
    sys.stdout.write(KINDS[sys.argv[1]](files))


if __name__ == "__main__":
    main()
