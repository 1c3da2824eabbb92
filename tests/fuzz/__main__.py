"""`make fuzz`: bytes → Submission, guided by coverage. It is here among the tests, since it shares their corpus.

It prints the seed, the executions and the coverage; at the first finding it ends with an error, and the input is in
build/fuzz. `--seed` and `--runs` make a run that can be repeated.
"""

from __future__ import annotations

import argparse
import sys
from hashlib import sha256
from pathlib import Path
from random import SystemRandom

import atheris

from tests.fuzz.mutate import mutated
from tests.fuzz.seeds import seeds


def main() -> None:
    """It has run as long as asked for, and ended the process: with 0 if nothing was found."""
    arguments = _arguments()
    with atheris.instrument_imports(include=["acuse.domain", "tests.fuzz"]):
        from tests.fuzz.oracle import MAX_BODY, Oracle  # noqa: PLC0415  (it is instrumented as it is imported)

    folder: Path = arguments.folder
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / sha256(seed).hexdigest()).write_bytes(seed)
    oracle = Oracle()

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        return mutated(data, most, seed, atheris.Mutate)

    atheris.Setup(
        [
            sys.argv[0],
            str(corpus),
            f"-seed={arguments.seed}",
            f"-max_len={MAX_BODY}",
            f"-artifact_prefix={folder}/",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
            f"-runs={arguments.runs}" if arguments.runs else f"-max_total_time={arguments.seconds}",
        ],
        oracle.check,
        custom_mutator=mutator,
    )
    atheris.Fuzz()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Look for bytes that parse() gets wrong.")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, help="so many executions, however long they take")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1, 2**31))
    parser.add_argument("--folder", type=Path, default=Path("build/fuzz"), help="keeps the corpus and what was found")
    return parser.parse_args()


if __name__ == "__main__":
    main()
