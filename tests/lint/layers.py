#!/usr/bin/env python3
"""Who may include whom: a folder includes itself and folders of strictly lower layers, never a sibling."""
import re

import source

LAYER = {
    "base": 1,
    "file": 2, "kv": 2, "backend": 2, "cost": 2, "parallel": 2,
    "text": 3, "model": 3,
    "forward": 4, "grammar": 4,
    "sample": 5,
    "engine": 6,
    "api": 7,
}
# By their layers these could; the pick of a token needs logits and numbers, no network and no vocabulary.
APART = {"sample": {"file", "kv", "backend", "text", "model", "forward", "grammar"}}
PUBLIC = {"status.h": set(LAYER), "llminf.h": {"api"}, "version.h": {"api"}, "comm.h": {"parallel", "engine", "api"}}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def judge(folder, quote, name):
    """What is wrong with one include of a file in lib/<folder>, or None."""
    head, _, tail = name.partition("/")
    if head == "llminf":
        if folder not in PUBLIC.get(tail, set()):
            return f"{name} is not for {folder}/"
        return None if quote == '"' else f"<{name}>, want quotes"
    if quote == "<":
        return None
    if not tail or head not in LAYER:
        return f'"{name}" is not written from lib/ ("folder/file.h")'
    if head != folder and (LAYER[head] >= LAYER[folder] or head in APART.get(folder, set())):
        return f"{folder}/ (layer {LAYER[folder]}) includes {name} (layer {LAYER[head]})"
    return None


def check(root):
    findings = []
    for path, name in source.c_files(root, "lib"):
        text = source.uncommented(path.read_text(encoding="utf-8"))
        folder = name.split("/")[1]
        if folder not in LAYER:
            findings.append(f"{name}: folder {folder} has no layer in tests/lint/layers.py")
            continue
        for quote, included in INCLUDE.findall(text):
            wrong = judge(folder, quote, included)
            if wrong:
                findings.append(f"{name}: {wrong}")
    for path, name in source.c_files(root, "include"):
        for quote, included in INCLUDE.findall(source.uncommented(path.read_text(encoding="utf-8"))):
            if (quote, included) not in (("<", "stddef.h"), ("<", "stdint.h"), ('"', "status.h"), ('"', "version.h")):
                findings.append(f"{name}: a public header includes {included}")
    for path, name in source.c_files(root, "examples"):
        for quote, included in INCLUDE.findall(source.uncommented(path.read_text(encoding="utf-8"))):
            if included.split("/")[0] in LAYER:
                findings.append(f"{name}: an example includes {included}, want public headers only")
    return findings


GOOD = {
    "lib/kv/pool.h": '#include <stddef.h>\n#include "base/alloc.h"\n#include "llminf/status.h"\n',
    "lib/kv/pool.c": '#include "kv/pool.h"\n/* #include "api/handles.h" */\n',
    "lib/api/model.c": '#include "llminf/llminf.h"\n#include "engine/engine.h"\n',
    "include/llminf/llminf.h": '#include <stdint.h>\n#include "status.h"\n',
    "examples/minimal.c": "#include <llminf/llminf.h>\n#include <stdio.h>\n",
}
BAD = [
    ("layer 7", {"lib/engine/step.c": '#include "api/handles.h"\n'}),
    ("layer 3", {"lib/text/vocab.c": '#include "model/config.h"\n'}),
    ("layer 2", {"lib/base/map.c": '#  include "kv/pool.h"\n'}),
    ("sample/", {"lib/sample/chain.c": '#include "model/config.h"\n'}),
    ("not for engine/", {"lib/engine/step.c": '#include "llminf/llminf.h"\n'}),
    ("not for base/", {"lib/base/map.c": '#include <llminf/llminf.h>\n'}),
    ("not written from lib/", {"lib/kv/table.c": '#include "pool.h"\n'}),
    ("not written from lib/", {"lib/kv/table.c": '#include "../api/handles.h"\n'}),
    ("has no layer", {"lib/util/misc.c": "\n"}),
    ("public header", {"include/llminf/status.h": "#include <stdio.h>\n"}),
    ("an example", {"examples/generate.c": '#include "base/alloc.h"\n'}),
]

if __name__ == "__main__":
    source.main("layers", check, GOOD, BAD)
