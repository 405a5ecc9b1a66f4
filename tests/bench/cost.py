#!/usr/bin/env python3
"""llminf-cost on the command line: numbers that are known, all three forms of output, what is refused.

usage: cost.py LLMINF_COST MODEL
"""
import json
import subprocess
import sys

SHAPE = "n_layers=32,n_embd=4096,n_heads=32,n_kv_heads=8,n_ff=14336,n_vocab=128256"
KNOWN = {"params": 8030261248, "matmul_params": 6979321856, "standard_params": 6442450944, "kv_bytes_per_token": 131072,
         "comm_bytes": 8 * (65 * 16384 + 4 * 128256), "comm_messages": 66, "b_star": 4.68, "memory_bound": 0,
         "bubble": 1 / 3}


def run(*args, status=0):
    result = subprocess.run(args, capture_output=True, text=True)
    if result.returncode != status:
        sys.exit(f"cost: {args}: status {result.returncode}, want {status}\n{result.stdout}{result.stderr}")
    return result.stdout if status == 0 else result.stderr


def expect(got, want):
    if got != want:
        sys.exit(f"cost: got {got}, want {want}")


def main(cost, model):
    flags = ["--shape", SHAPE, "--weights", "q4_0", "--batch", "8", "--context", "512", "--tp", "2", "--pp", "2",
             "--machine", "bandwidth=20e9,flops=332.8e9,link=4e9,latency=1000"]
    plan = json.loads(run(cost, *flags, "--json"))
    for key, value in KNOWN.items():
        expect((key, abs(plan[key] - value) < 1e-5), (key, True))
    expect("max_params" in plan, False)  # wants a memory
    expect("max_params" in json.loads(run(cost, *flags, "--json", "--memory", "16GiB")), True)
    lines = dict(line.split(",")[:2] for line in run(cost, *flags, "--csv").splitlines())
    expect({key: float(value) for key, value in lines.items()}, plan)
    expect([line.split()[0] for line in run(cost, *flags).splitlines()], list(plan))
    here = json.loads(run(cost, "-m", model, "--machine", "auto", "--threads", "1", "--batch", "4", "--json"))
    expect(all(here[key] > 0 for key in ("step_ns", "tokens_per_s", "b_star", "floor_ns", "prefill_tokens_per_s")), True)
    guessed = json.loads(run(cost, "-m", model, "--draft", model, "--guesses", "4", "--json"))
    expect((round(guessed["tokens_per_step"], 4), guessed["draft_kv_bytes"] > 0), (3.3616, True))
    for wrong in (["--shape", SHAPE, "--machine", "auto"], ["-m", model, "--machine", "speed=1"],
                  ["-m", model, "--context", "5", "--gen", "1"]):
        run(cost, *wrong, status=2)
    expect("tensor_parallel" in run(cost, "--shape", SHAPE, "--tp", "3", status=1), True)
    print("cost: all as known")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
