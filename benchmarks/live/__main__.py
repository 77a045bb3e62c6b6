"""Is anything lost of 500 process variables at 10 Hz, on one core, and is what is lost on the way counted exactly?

A real PVA server in another process (on another core where there is one) sends numbered updates and leaves some out.
Each sample is compared with what the server says that it sent.

    python benchmarks/live --channels 500 --rate 10 --seconds 60 --lose 0
    python benchmarks/live --seconds 60 --lose 0.002
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Schema, concatenate
from lynkeus.sources import open_source


def main() -> None:
    """Run it and print what came."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--channels", type=int, default=500)
    options.add_argument("--rate", type=float, default=10.0)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--lose", type=float, default=0.0)
    given = options.parse_args()
    os.sched_setaffinity(0, {0})
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "sent.txt"
        command = [str(Path(__file__).with_name("device.py")), given.channels, given.rate, log, given.lose]
        device = subprocess.Popen([sys.executable, *map(str, command)], stdout=subprocess.PIPE, text=True)
        assert device.stdout is not None
        port = device.stdout.readline().strip()
        names = [f"LIVE:{k:03d}" for k in range(given.channels)]
        schema = Schema("table", tuple(names), (), (len(names),), given.rate)
        listed = Path(folder) / "list.toml"
        listed.write_text(f'server = "127.0.0.1:{port}"\npvs = {names}\nrate_hz = {given.rate}\n')
        source: Any = open_source(f"epics+pva://{listed}", expected=schema)
        source.for_s = given.seconds
        begun, used, rows = time.monotonic(), time.process_time(), []
        for batch in source:
            rows.append(batch)
        wall, used = time.monotonic() - begun, time.process_time() - used
        device.kill()
        device.wait()
        sent = {int(line.split()[0]): {int(k) for k in line.split()[1:]} for line in log.read_text().splitlines()}
    report(concatenate(rows).values, sent, source)
    print(f"{used / wall:.0%} of a core, by processor time over {wall:.0f} s")


def report(values: Any, sent: dict[int, set[int]], source: Any) -> None:
    """Compare what came with what was sent, from the first whole sample to the last."""
    shots = np.nanmax(values, axis=1).astype(int)
    first = next(k for k in range(len(values)) if not sent[shots[k]] and np.isfinite(values[k]).all())
    values, shots = values[first:], shots[first:]
    wrong = int((np.isfinite(values) & (values != shots[:, None])).sum())
    expected = [np.isin(np.arange(values.shape[1]), list(sent[shot])) for shot in shots]
    missing = np.isnan(values)
    lost = int((missing & ~np.stack(expected)).sum())
    invented = int((~missing & np.stack(expected)).sum())
    whole = [shot for shot in range(shots[0], shots[-1] + 1) if len(sent[shot]) == values.shape[1]]
    gone = set(range(shots[0], shots[-1] + 1)) - set(shots) - set(whole)
    print(f"{len(values)} samples of {values.shape[1]}, {values.size - int(missing.sum())} updates")
    print(f"lost by us: {lost} updates and {len(gone)} samples; in the wrong sample {wrong}, invented {invented}")
    print(f"left out by the server: {int(np.stack(expected).sum())} updates in samples, {len(whole)} whole shots")
    print(f"missing by our count: {source.condition()['counts']}")


if __name__ == "__main__":
    main()
