"""What the lints share: C text without comments and literals, and the way a lint ends.

A lint is a function `check(root) -> list of findings`. `main` runs it on the repository; with --self-test it runs it on
bad samples, each made in a temporary folder, and demands that each is found: a lint that cannot fail proves nothing.
"""
import pathlib
import re
import sys
import tempfile

TOKEN = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


def blank(match):
    """The same number of lines, nothing in them; a string stays a string."""
    text = match.group(0)
    if text[0] == '"':
        return '""'
    if text[0] == "'":
        return "0"
    return "\n" * text.count("\n") or " "


def code(text):
    """C source without comments and literals, line numbers kept."""
    return TOKEN.sub(blank, text)


def uncommented(text):
    """C source without comments, literals kept (the names of includes are literals)."""
    return TOKEN.sub(lambda m: blank(m) if m.group(0)[0] == "/" else m.group(0), text)


def c_files(root, *folders):
    for folder in folders:
        for path in sorted(pathlib.Path(root, folder).rglob("*.[ch]")):
            yield path, path.relative_to(root).as_posix()


def write(root, name, text):
    path = pathlib.Path(root, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def self_test(check, good, samples):
    """good: {path: text} without a finding; samples: (what must be found, {path: text}), each laid over good."""
    failures = []
    for want, files in [(None, {})] + samples:
        with tempfile.TemporaryDirectory() as root:
            for name, text in {**good, **files}.items():
                write(root, name, text)
            findings = check(root)
        if want is None and findings:
            failures.append("good sample: found " + findings[0])
        elif want is not None and not any(want in finding for finding in findings):
            failures.append(f"bad sample {sorted(files)}: '{want}' was not found")
    return failures


def end(name, findings, n_checked):
    for finding in findings:
        print(f"{name}: {finding}")
    print(f"{name}: {n_checked} checked, {len(findings)} findings")
    sys.exit(1 if findings else 0)


def main(name, check, good, samples):
    """usage: LINT ROOT | LINT --self-test"""
    if sys.argv[1:] == ["--self-test"]:
        end(name + " self-test", self_test(check, good, samples), len(samples) + 1)
    if len(sys.argv) != 2:
        sys.exit(f"usage: {name}.py ROOT | --self-test")
    root = sys.argv[1]
    end(name, check(root), sum(1 for _ in c_files(root, "lib", "include")))
