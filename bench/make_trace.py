#!/usr/bin/env python3
"""Writes a trace for llminf-bench --trace: requests that arrive by time, the same for the same arguments.

usage: make_trace.py KIND [--requests N] [--seed N] [--rate N] [--long-every N] [--tail N] > FILE

KIND is one of
  skewed     all at once: short outputs, one in --long-every of them long (where a static batch waits for its longest)
  mixed      lengths with long tails, as of people's chats: 161 tokens in and 338 out in the mean; --rate a second
  burst      quiet, then a quarter of all requests within a tenth of a second, four times
  prefix     one after the other, --tail tokens behind the same 1024: the first one computes them
  cold       the same, but the 1024 of each are its own
  interrupt  eight sessions that make tokens, then a prompt of 4096
"""
import argparse
import math
import random


def log_normal(rng, mean, spread, most):
    """A length of this mean: exp(N(mu, spread)), cut at `most`."""
    mu = math.log(mean) - spread * spread / 2
    return max(1, min(most, round(rng.lognormvariate(mu, spread))))


def skewed(rng, o):
    for i in range(o.requests):
        yield 0, rng.randint(16, 64), rng.randint(220, 260) if i % o.long_every == 0 else rng.randint(4, 16), 0, 0


def mixed(rng, o):
    at = 0.0
    for _ in range(o.requests):
        yield at, log_normal(rng, 161, 1.0, 1024), log_normal(rng, 338, 0.8, 1024), 0, 0
        at += rng.expovariate(o.rate)


def burst(rng, o):
    for i in range(o.requests):
        yield i * 4 // o.requests * 8 + rng.random() / 10, log_normal(rng, 161, 1.0, 1024), rng.randint(8, 64), 0, 0


def prefix(rng, o):
    for i in range(o.requests):
        yield i / o.rate, 1024 + o.tail, 2, 1, 1024


def cold(rng, o):
    for at, prompt, output, _, _ in prefix(rng, o):
        yield at, prompt, output, 0, 0


def interrupt(rng, o):
    for _ in range(8):
        yield 0, 32, 240, 0, 0
    yield 3, 4096, 1, 0, 0


KINDS = {f.__name__: f for f in (skewed, mixed, burst, prefix, cold, interrupt)}


def main():
    parser = argparse.ArgumentParser(description="A trace for llminf-bench --trace.")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--requests", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1.0)
    parser.add_argument("--long-every", type=int, default=16)
    parser.add_argument("--tail", type=int, default=16)
    o = parser.parse_args()
    print(f"# {o.kind}, seed {o.seed}: seconds, prompt, output, prefix, tokens of the prefix")
    for request in sorted(KINDS[o.kind](random.Random(o.seed), o), key=lambda r: r[0]):
        print("%.4f %d %d %d %d" % request)


if __name__ == "__main__":
    main()
