#!/usr/bin/env python3
"""The pages for people: README shows examples/minimal.c as it stands, docs are short, CHANGELOG has every heading."""
import pathlib
import re

import source

MAX_PAGE = 150
HEADINGS = ("ABI", "Added", "Changed", "Fixed", "Speed")


def blocks(text, language):
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def check(root):
    root, findings = pathlib.Path(root), []
    minimal = (root / "examples/minimal.c").read_text(encoding="utf-8")
    if minimal not in blocks((root / "README.md").read_text(encoding="utf-8"), "c"):
        findings.append("README.md does not show examples/minimal.c as it stands")
    for page in sorted(root.glob("docs/*.md")):
        n_lines = page.read_text(encoding="utf-8").count("\n")
        if n_lines > MAX_PAGE:
            findings.append(f"docs/{page.name}: {n_lines} lines, want at most {MAX_PAGE}")
    version = (root / "include/llminf/version.h").read_text(encoding="utf-8")
    numbers = re.findall(r"define LLMINF_VERSION_\w+ (\d+)", version)
    releases = re.split(r"^## ", (root / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    if not releases or not releases[0].startswith(".".join(numbers)):
        findings.append(f"CHANGELOG.md: the newest release is not {'.'.join(numbers)} of version.h")
    for release in releases:
        name = release.split("\n")[0]
        absent = [heading for heading in HEADINGS if f"\n### {heading}\n" not in release]
        findings += [f"CHANGELOG.md: {name} has no '### {heading}'" for heading in absent]
    return findings


RELEASE = "# Changes\n\n## 0.1.0\n\n" + "".join(f"### {heading}\n\n- no change\n" for heading in HEADINGS)
GOOD = {
    "README.md": "# x\n```c\nint main(void);\n```\n",
    "examples/minimal.c": "int main(void);\n",
    "CHANGELOG.md": RELEASE,
    "include/llminf/version.h": "#define LLMINF_VERSION_MAJOR 0\n#define LLMINF_VERSION_MINOR 1\n#define LLMINF_VERSION_PATCH 0\n",
    "docs/abi.md": "# abi\n",
}
BAD = [
    ("does not show", {"examples/minimal.c": "int main(void)\n{\n}\n"}),
    ("151 lines", {"docs/abi.md": "a\n" * 151}),
    ("no '### Speed'", {"CHANGELOG.md": RELEASE.replace("### Speed\n", "")}),
    ("not 0.1.0", {"CHANGELOG.md": RELEASE.replace("0.1.0", "0.2.0")}),
]

if __name__ == "__main__":
    source.main("pages", check, GOOD, BAD)
