"""Runs a party that signs false check values about one dealer, so that the coordinator settles.

python liar.py DEALER COMMAND …    what follows is the command line of `secfpp`
"""

from __future__ import annotations

import sys

from secfpp.cli import main
from secfpp.protocol import opening

if __name__ == "__main__":
    victim = sys.argv.pop(1)
    true_values = opening.check_values
    opening.check_values = lambda params, dealer, *rest: tuple(
        value ^ (dealer == victim) for value in true_values(params, dealer, *rest)
    )
    main()
