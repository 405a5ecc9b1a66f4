#!/usr/bin/env python3
"""llminf-bench, compare.py and plot.py at work with tiny counts: every line parses and has its fields. No speed is judged.

usage: smoke.py BENCH MODEL COMPARE
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from xml.etree import ElementTree

EACH = {"test": str, "backend": str, "threads": int}
SPEED = {"tokens_per_second": float, "limit_tokens_per_second": float, "limit_share": float, "bound": str, "limit_drift": float}
FIELDS = {
    "limits": {"isa": str, "read_bytes_per_second": int, "integer_ops_per_second": int, "float_ops_per_second": int,
               "buffer_bytes": int},
    "load": {"cache": str, "seconds": float, "first_token_seconds": float, "file_bytes": int, "peak_rss_bytes": int},
    "model": {"arch": str, "kv": str, "params": int, "bytes_per_token": int, "integer_ops_per_token": int,
              "float_ops_per_token": int, "kv_bytes_per_position": int},
    "prefill": {"n": int, **SPEED},
    "decode": {"n": int, "depth": int, **SPEED},
    "decode_sessions": {"sessions": int, "prompt": int, "gen": int, **SPEED},
    "trace": {"mode": str, "requests": int, "failed": int, "tokens_per_second": float, "first_p99": float, "gap_p99": float,
              "hit_share": float, "kv_utilisation": float, "kv_held_bytes": int, "kv_paged_bytes": int, "kv_contiguous_bytes": int, "schedule_ns_per_step": int},
    "scatter": {"n": int, "depth": int, "seconds_in_order": float, "seconds_scattered": float, "step_ratio": float},
    "speculate": {"text": str, "same_tokens": int, "plain_tokens_per_second": float, "tokens_per_second": float, "ratio": float,
                  "drafted": int, "accepted": int},
    "kernel": {"kernel": str, "limit_share": float},
    "forecast": {"phase": str, "sessions": int, "context": int, "tokens_per_second": float, "predicted": float, "error": float, "drift": float,
                 "intensity": float, "step_gop_per_second": float, "b_star": float},
    "forecast_all": {"points": int, "median_error": float, "worst_error": float},
}
SMALL = ["--threads", "2", "--runs", "2", "--buffer", "4"]


def run(command, status=0):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != status:
        sys.exit(f"smoke: {command}: status {result.returncode}, want {status}\n{result.stdout}{result.stderr}")
    return result.stdout


def check_line(line):
    result = json.loads(line)
    for key, kind in {**EACH, **FIELDS[result["test"]]}.items():
        if not isinstance(result.get(key), kind):
            sys.exit(f"smoke: {key} is {result.get(key)!r}, want {kind.__name__}: {line}")
    for key, value in result.items():
        if isinstance(value, (int, float)) and not (-1 if key == "error" else 0) <= value < float("inf"):
            sys.exit(f"smoke: {key} is {value}: {line}")
    return result


def run_json(bench, *flags):
    return [check_line(line) for line in run([bench, "--json", *SMALL, *flags]).splitlines()]


def expect(got, want):
    if got != want:
        sys.exit(f"smoke: got {got}, want {want}")


def plots(plot, steps, trace):
    """Every kind gives a whole drawing, all of it inside the frame, with each group's name and unit."""
    with tempfile.TemporaryDirectory() as folder:
        for name, lines in ("steps", steps), ("some_trace", trace), ("other_trace", trace):
            pathlib.Path(folder, name + ".json").write_text("".join(json.dumps(line) + "\n" for line in lines))
        for kind, files, words in (("roofline", ["steps"], ["Gop/s", "limit"]), ("throughput", ["steps"], ["tokens/s", "B* = "]),
                                   ("kv", ["some_trace"], ["MiB", "some trace"]),
                                   ("ttft", ["some_trace", "other_trace"], ["ms", "some trace", "other trace"])):
            svg = run([plot, kind, *(str(pathlib.Path(folder, name + ".json")) for name in files)])
            texts = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("}text")]
            expect([word for word in words if not any(word in text for text in texts)], [])
            places = [float(v) for v in re.findall(r'(?:[ cr]x|[ cr]y|width|height)="(-?[0-9.]+)"', svg)]
            places += [float(v) for pair in re.findall(r'points="([^"]+)"', svg) for v in re.split("[ ,]", pair)]
            expect(min(places) >= 0 and max(places) <= 760, True)
        run([plot, "ttft", str(pathlib.Path(folder, "steps.json"))], status=1)
        run([plot, "pie", str(pathlib.Path(folder, "steps.json"))], status=1)


def main(bench, model, compare):
    with tempfile.NamedTemporaryFile("w", suffix=".trace") as trace:
        trace.write("# a trace\n0 40 5 1\n0.01 40 5 1 39\n0.02 7 3 0\n")
        trace.flush()
        for mode in "static", "continuous", "inflight":
            result, = run_json(bench, "-m", model, "--trace", trace.name, "--mode", mode)
            expect([result[key] for key in ("test", "mode", "requests", "failed")], ["trace", mode, 3, 0])
            expect(0 < result["kv_held_bytes"] and 0 < result["kv_paged_bytes"] <= result["kv_contiguous_bytes"], True)
    for kind in "skewed", "mixed", "burst", "prefix", "cold", "interrupt":
        flags = ["--requests", "8", "--seed", "3"]
        lines, again = (run([str(pathlib.Path(compare).with_name("make_trace.py")), kind, *flags]) for _ in range(2))
        expect(lines, again)
        requests = [list(map(float, line.split())) for line in lines.splitlines() if not line.startswith("#")]
        expect(len(requests), 9 if kind == "interrupt" else 8)
        expect([request[0] for request in requests], sorted(request[0] for request in requests))
        expect(all(len(request) == 5 and request[1] >= 1 and request[2] >= 1 for request in requests), True)
    guesses = run_json(bench, "-m", model, "--speculate", "40")
    expect([(result["text"], result["same_tokens"]) for result in guesses], [("greedy", 1), ("quoted", 1)])
    expect(guesses[1]["accepted"] > 20, True)
    scatter = run_json(bench, "-m", model, "--prefill", "0", "--sessions", "0", "--decode", "2", "--depth", "50", "--scatter")
    expect([result["test"] for result in scatter], ["limits", "load", "model", "decode", "scatter"])
    counts = ["--prefill", "20", "--decode", "3", "--depth", "40", "--sessions", "1,3", "--prompt", "5", "--gen", "2"]
    results = run_json(bench, "-m", model, *counts, "--cold", "--kv", "f32")
    expect([result["test"] for result in results],
           ["limits", "load", "load", "model", "prefill", "decode", "decode_sessions", "decode_sessions"])
    expect([(result["n"], result.get("depth")) for result in results[4:6]], [(20, None), (3, 40)])
    expect([result["sessions"] for result in results[6:]], [1, 3])
    # The model's K and V: two vectors of every KV head in each layer, 4 bytes an element here.
    halves = run_json(bench, "-m", model, "--prefill", "0", "--decode", "0", "--sessions", "0", "--threads", "1")
    expect([result["test"] for result in halves], ["limits", "load", "model"])
    expect(results[3]["kv_bytes_per_position"], 2 * halves[2]["kv_bytes_per_position"])
    expect(halves[2]["threads"], 1)

    kernels = run_json(bench, "--kernels", "--rows", "1,3", "--shape", "256,64", "--kernel-ms", "1", "--depth", "40",
                       "--runs", "1", "--kv", "q8_0")
    expect({result["test"] for result in kernels[1:]}, {"kernel"})
    names = {result["kernel"] for result in kernels[1:]}
    expect(names >= {"matmul", "quantise", "rmsnorm", "exp", "swiglu", "attention_decode", "attention_prefill"}, True)
    expect({result["rows"] for result in kernels[1:] if result["kernel"] == "matmul"}, {1, 3})

    forecast = run_json(bench, "-m", model, "--forecast", "--sessions", "1,3", "--contexts", "20,40", "--runs", "1", "--budget", "64")
    points = [result for result in forecast if result["test"] == "forecast"]
    expect([(point["phase"], point["sessions"], point["context"]) for point in points],
           [("decode", 1, 20), ("decode", 3, 20), ("decode", 1, 40), ("decode", 3, 40), ("prefill", 1, 20), ("prefill", 1, 40)])
    expect(all(point["tokens_per_second"] > 0 and point["predicted"] > 0 for point in points), True)
    expect(all(abs(point["predicted"] / point["tokens_per_second"] - 1 - point["error"]) < 0.01 for point in points), True)
    expect((forecast[-1]["test"], forecast[-1]["points"]), ("forecast_all", 6))
    plots(str(pathlib.Path(compare).with_name("plot.py")), forecast + kernels, [result])

    table = run([bench, *SMALL, "-m", model, *counts])
    expect(all(word in table for word in ("limit_share", "prefill", "decode_sessions")), True)
    run([bench, "-m", model, "--prefill", "many"], status=2)
    run([bench, "-m", model, "--backend", "none"], status=1)
    run([bench, "-m", model + ".absent"], status=1)

    with tempfile.NamedTemporaryFile("w", suffix=".py") as peer:
        peer.write("import sys\nprint(f'load 0.1 s\\npp{sys.argv[2]} 10.0 t/s\\ntg{sys.argv[3]} 5.0 t/s')\n"
                   "for n in sys.argv[4:]:\n    print(f'N={n} prefill 1.0 t/s decode 2.0 t/s')\n")
        peer.flush()
        table = run([sys.executable, compare, "-m", model, "--bench", f"{bench} --buffer 4", "--rounds", "2", "--threads", "1",
                     "--prefill", "8", "--decode", "2", "--sessions", "2", "--prompt", "3", "--gen", "2", "--peer",
                     f"other={sys.executable} {peer.name} {{file}} {{prefill}} {{decode}} {{sessions}}"])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    expect(rows[0], ["test", "llminf", "of the limit", "other", "ratio"])
    expect([(row[0], row[3]) for row in rows[2:]], [("prefill 8", "10.0"), ("decode 2", "5.0"), ("decode, 2 sessions", "2.0")])
    print("smoke: all lines parsed")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
