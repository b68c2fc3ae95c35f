"""onnxruntime on the CPU, as `side.py` says: `onnxruntime_side.py FOLDER THREADS LOGITS [PROFILE]`."""
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

from side import EDGE, serve


def session(path, threads, profile=None):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Who waits for its turn keeps no core busy.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = str(profile)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main():
    folder, threads, logits, *profile = sys.argv[1:]
    folder, threads = Path(folder), int(threads)
    facts = json.loads((folder / "facts.json").read_text())
    window = np.fromfile(folder / "window.f32", np.float32).reshape(facts["input"]["shape"])
    network, product = (session(folder / name, threads) for name in ("model.onnx", "product.onnx"))
    square = np.random.default_rng(1).standard_normal((EDGE, EDGE), np.float32)
    if profile:
        write_profile(session(folder / "model.onnx", threads, folder / "onnxruntime"), window, Path(profile[0]))
    serve(
        f"onnxruntime {onnxruntime.__version__}",
        lambda: network.run(["logits"], {"window": window})[0],
        lambda: product.run(["product"], {"a": square, "b": square}),
        logits,
    )


def write_profile(session, window, path, runs=5):
    """Milliseconds of a run by node, the median of several runs after one that is not counted."""
    for _ in range(runs + 1):
        session.run(["logits"], {"window": window})
    written = Path(session.end_profiling())
    nodes = {}
    for event in json.loads(written.read_text()):
        if event["cat"] == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            nodes.setdefault((name, event["args"]["op_name"]), []).append(event["dur"] / 1e3)
    written.unlink()
    path.write_text(json.dumps([{"name": name, "kind": kind, "ms": float(np.median(times[1:]))} for (name, kind), times in nodes.items()]))


if __name__ == "__main__":
    main()
