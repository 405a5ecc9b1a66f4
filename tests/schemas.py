#!/usr/bin/env python3
"""Every text that the grammar of a schema lets through is valid under it, says python3-jsonschema. Skipped where that is not.

usage: schemas.py SCHEMA_TEXTS FILE
"""
import json
import subprocess
import sys
import warnings

SKIP = 77
MANY = 1000

try:
    import jsonschema
except ImportError:
    print("schemas: python3-jsonschema is not here")
    sys.exit(SKIP)
warnings.simplefilter("ignore")


def no_constant(name):
    raise ValueError(name)


def main(program, path):
    out = subprocess.run([program, path], check=True, capture_output=True, text=True).stdout
    n_texts, findings, validator = 0, [], None
    for line in out.splitlines():
        if line == ".":
            validator = None
        elif validator is None:
            schema = json.loads(line)
            kind = jsonschema.Draft202012Validator
            validator = kind(schema, format_checker=kind.FORMAT_CHECKER)
        else:
            text = bytes.fromhex(line).decode("utf-8")
            n_texts += 1
            try:
                value = json.loads(text, parse_constant=no_constant)
            except ValueError as error:
                findings.append(f"{schema}: no JSON: {text}: {error}")
                continue
            findings += [f"{schema}: {text}: {error.message}" for error in validator.iter_errors(value)]
    for finding in findings[:20]:
        print(finding)
    print(f"schemas: {n_texts} texts, {len(findings)} findings")
    return bool(findings) or n_texts < MANY


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
