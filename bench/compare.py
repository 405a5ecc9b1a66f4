#!/usr/bin/env python3
"""compare.py - llminf-bench and other engines on one file, in turn, A B A B ...; medians and ratios as a Markdown table.

    bench/compare.py -m FILE --bench build/bench/llminf-bench \\
        --peer 'llama.cpp=env LD_LIBRARY_PATH=DIR PROGRAM bench {file} {prefill} {decode} {prompt} {gen} {sessions}' \\
        --peer-env PEER_T={threads} --threads 2 --rounds 3

A peer is NAME=COMMAND; braces stand for this run's numbers, {sessions} for several words. It prints lines like these, of
which the last of a kind counts:

    pp512 X t/s                        the prompt
    tg64 X t/s                         one session, token by token
    N=16 prefill X t/s decode X t/s    so many sessions together

Runs follow one another, never side by side, so that a machine whose speed drifts treats all alike.
"""
import argparse
import json
import os
import re
import shlex
import statistics
import subprocess
import sys

OWN = "llminf"
NUMBER = r"([0-9.]+)"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-m", dest="file", required=True, help="GGUF file")
    parser.add_argument("--bench", required=True, help="command of llminf-bench; flags may follow")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND", help="may be given again")
    parser.add_argument("--peer-env", action="append", default=[], metavar="NAME=VALUE", help="for all peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--gen", type=int, default=32)
    parser.add_argument("--sessions", default="4,16")
    parser.add_argument("--json", action="store_true", help="the medians as one JSON object instead")
    return parser.parse_args()


def run(command, environment=None):
    """What the command prints; an end with failure ends this program."""
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})})
    if result.returncode != 0:
        sys.exit(f"compare: {shlex.join(command)}: status {result.returncode}")
    return result.stdout


def run_own(args):
    """{(kind, count): (tokens per second, share of the limit)}"""
    command = shlex.split(args.bench) + ["-m", args.file, "--json", "--runs", "1", "--threads", str(args.threads)]
    for name in ("prefill", "decode", "prompt", "gen", "sessions"):
        command += ["--" + name, str(getattr(args, name))]
    found = {}
    for line in run(command).splitlines():
        result = json.loads(line)
        kind = {"prefill": "prefill", "decode": "decode", "decode_sessions": "sessions"}.get(result["test"])
        if kind:
            count = result["sessions"] if kind == "sessions" else result["n"]
            found[kind, count] = result["tokens_per_second"], result["limit_share"]
    return found


def read_peer(text):
    """The same from a peer's lines, without shares."""
    found = {}
    for kind, pattern in (("prefill", rf"^pp(\d+) {NUMBER} t/s"), ("decode", rf"^tg(\d+) {NUMBER} t/s"),
                          ("sessions", rf"^N=(\d+) .*decode {NUMBER} t/s")):
        for count, rate in re.findall(pattern, text, re.M):
            found[kind, int(count)] = float(rate), None
    return found


def run_peer(args, command):
    numbers = {name: str(getattr(args, name)) for name in ("file", "prefill", "decode", "prompt", "gen", "threads")}
    words = []
    for word in shlex.split(command):
        words += args.sessions.split(",") if word == "{sessions}" else [word.format(**numbers)]
    environment = dict(pair.format(**numbers).split("=", 1) for pair in args.peer_env)
    return read_peer(run(words, environment))


def medians(rounds):
    """[{key: (rate, share)}] -> {key: (rate, share)}"""
    out = {}
    for key in rounds[0]:
        seen = [found[key] for found in rounds if key in found]
        shares = [share for _, share in seen if share is not None]
        out[key] = statistics.median(rate for rate, _ in seen), statistics.median(shares) if shares else None
    return out


def name_test(kind, count):
    return {"prefill": f"prefill {count}", "decode": f"decode {count}", "sessions": f"decode, {count} sessions"}[kind]


def table(results, peers):
    """Markdown: tokens per second of each, ours with its share of the limit, and how many times a peer's ours is."""
    head = ["test", OWN, "of the limit"] + [column for peer in peers for column in (peer, "ratio")]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for key, (rate, share) in results[OWN].items():
        cells = [name_test(*key), f"{rate:.1f}", f"{100 * share:.0f} %"]
        for peer in peers:
            other = results[peer].get(key)
            cells += [f"{other[0]:.1f}", f"{rate / other[0]:.2f} x"] if other else ["-", "-"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    args = arguments()
    peers = dict(peer.split("=", 1) for peer in args.peer)
    rounds = {name: [] for name in [OWN, *peers]}
    for i in range(args.rounds):
        for name in rounds:
            print(f"round {i + 1} of {args.rounds}: {name}", file=sys.stderr)
            rounds[name].append(run_own(args) if name == OWN else run_peer(args, peers[name]))
    results = {name: medians(found) for name, found in rounds.items()}
    if args.json:
        print(json.dumps({name: {name_test(*key): value[0] for key, value in found.items()} for name, found in results.items()}))
    else:
        print(table(results, list(peers)))


if __name__ == "__main__":
    main()
