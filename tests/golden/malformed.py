#!/usr/bin/env python3
"""malformed.py TRY_FILES MUTATOR MODEL - writes malformed copies of a small GGUF file and lets TRY_FILES judge them."""
import subprocess
import sys
import tempfile


def main():
    try_files, mutator, model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, mutator, model, folder], check=True)
        return subprocess.run([try_files, folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
