"""What cells cost on a device of which little is known: protocol ``hw-nas-bench``.

    python benchmarks/hw_nas_bench.py                     # latency
    python benchmarks/hw_nas_bench.py --metric energy

15,625 cells of NAS-Bench-201 on six devices. Each device in turn is held out: everything is known of the other five
(latency, and energy where it was measured), and 0, 10 or 20 random measurements of the sixth. Spearman's rank
correlation and mean absolute percentage error on all its other cells, mean over seeds 0 to 4; in brackets the error
over the cells that have a path from their input to their output: the others compute nothing, and take a thousandth of
the time on some devices.

* ``MACs``: multiply-adds; with measurements, times a factor, by least squares.
* ``layer-wise sum``: what an operator takes plus a constant, by least squares without negative costs on the same
  measurements. ``per edge``: the same with a cost for each operator on each edge.
* ``other devices``: ridge on the logarithms of the other devices' costs alone.
* ``archpredict``: ``DevicePredictor``. With 0 measurements, the mean of the other devices. A second table says how many
  costs its 90 % intervals hold, and the median factor from the cost to the interval's end.

Settings of the predictor were chosen on seeds from 100 on. ``archpredict evaluate --protocol hw-nas-bench`` prints the
same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

from _protocols import add_data_option

from archpredict.predict.device_protocols import METRICS, load_hw_nas_bench
from archpredict.predict.device_validation import DeviceSummary, evaluate_devices, summarize_devices


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_data_option(parser)
    parser.add_argument("--metric", choices=METRICS, default="latency")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    options = parser.parse_args()
    start = time.process_time()
    protocol = load_hw_nas_bench(options.data, options.metric)
    summaries = summarize_devices(evaluate_devices(protocol, seeds=options.seeds))
    for n in protocol.train_sizes:
        _print(n, protocol.devices, [summary for summary in summaries if summary.n == n])
    print(f"CPU seconds: {time.process_time() - start:.0f}")


def _print(n: int, devices: Sequence[str], summaries: Sequence[DeviceSummary]) -> None:
    print(f"\n{n} measurements: Spearman, error (error of cells with a path)\n")
    _heading("method", devices)
    for row in summaries:
        cells = [_cell(figures) for figures in (*row.devices.values(), row.mean)]
        print(f"| {row.method} | {' | '.join(cells)} ± {row.std['spearman']:.3f} |")
    for row in summaries:
        if "coverage_90" in row.mean:
            print()
            _heading("90 % intervals hold, their factor", devices)
            cells = [
                f"{100 * figures['coverage_90']:.1f} %, {figures['interval_factor']:.2f}"
                for figures in (*row.devices.values(), row.mean)
            ]
            print(f"| {row.method} | {' | '.join(cells)} |")


def _heading(first: str, devices: Sequence[str]) -> None:
    print(f"| {first} | {' | '.join(devices)} | mean |")
    print("|---|" + "---|" * (len(devices) + 1))


def _cell(figures: Mapping[str, float]) -> str:
    text = f"{figures['spearman']:.3f}"
    if "error_percent" in figures:
        text += f", {figures['error_percent']:.0f} % ({figures['error_percent_connected']:.0f} %)"
    return text


if __name__ == "__main__":
    main()
