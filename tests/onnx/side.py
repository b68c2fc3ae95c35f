"""A program of another library as `cargo xtask bench --against` speaks to it.

It says what it is in a line of JSON when it is warm and its logits are written. For every line it reads then it does that once and
answers with a line of JSON: `window` is one window of the network, in milliseconds; `product` a product of square matrices, in 10⁹
operations a second.
"""
import json
import sys
import time

import numpy as np

EDGE = 1024


def serve(about, window, product, logits):
    """`window` returns logits; `product` multiplies matrices of EDGE × EDGE."""
    window().astype(np.float32).tofile(logits)
    product()
    say({"about": about})
    for line in sys.stdin:
        begun = time.perf_counter()
        match line.strip():
            case "window":
                window()
                say({"value": 1e3 * (time.perf_counter() - begun)})
            case "product":
                product()
                say({"value": 2e-9 * EDGE**3 / (time.perf_counter() - begun)})
            case other:
                sys.exit(f"found {other!r}, expected window or product")


def say(message):
    print(json.dumps(message), flush=True)
