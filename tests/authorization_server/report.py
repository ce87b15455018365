"""What the tests here print: a line for each, and one that counts."""

import sys


def report(outcomes):
    """Prints each name with what is wrong, or nothing; ends the process, with 1 if anything is."""
    passed, failed = 0, 0
    for name, problem in outcomes:
        print(f"{'FAILED' if problem else 'ok    '} {name}", flush=True)
        if problem:
            print(problem)
        passed, failed = passed + (not problem), failed + bool(problem)
    print(f"{passed} passed, {failed} failed")
    sys.exit(failed > 0)
