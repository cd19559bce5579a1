#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Draws what a benchmark found as SVG, with gnuplot.

usage: plot.py latency OUT.svg <RESULTS.json    how late the probe was, by share of its wakeups
       plot.py sweep OUT.svg <RESULTS.json      figures against the values of one tunable
       plot.py timeline OUT.svg <TRACE.json     which worker ran in the first moments of a trace
"""
import json
import subprocess
import sys

COLOURS = {"alone": "#7f7f7f", "naive": "#d98c00", "morpheus": "#1f6fb4"}
NAMES = {"alone": "the kernel alone", "naive": "yield at every safe point", "morpheus": "Morpheus"}
PANELS = {"lateness, p99": "probe lateness p99, us", "yields": "yields", "work, of alone": "work, % of the kernel alone"}
TIMES = "'1 us' 1, '10 us' 10, '100 us' 100, '1 ms' 1000, '10 ms' 10000, '100 ms' 100000"
TIMELINE_MS = 30
# what a worker does, as morpheusctl trace names it, from the bottom up: colour
STRETCHES = {"waiting": "#f0d9a8", "waiting inside a critical section": "#dd7f6a", "running": "#7fb2dd"}
WIDTH, HEIGHT = 760, 420


def gnuplot(out, size, lines, data):
    """`data` are blocks of rows, which the lines name as $block0 and so on."""
    width, height = size
    script = [f"set terminal svg size {width},{height} font 'sans-serif,12' background '#ffffff'",
              f"set output '{out}'", "set grid lc rgb '#e0e0e0'", "set key top left"]
    for number, rows in enumerate(data):
        script += [f"$block{number} << EOD", *(" ".join(map(str, row)) for row in rows), "EOD"]
    done = subprocess.run(["gnuplot"], input="\n".join(script + lines) + "\n", text=True, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"plot: gnuplot: {done.stderr.strip()}")


def load_of(results):
    """What was played, and where."""
    arguments = results["arguments"]
    return f"{arguments['workers']} workers, a safe point every {arguments['safe_point_us']} us, {arguments['mode']} mode, " \
           f"Linux {results['machine']['kernel']}"


def latency(out, results):
    lateness = {samples["subject"]: samples["values"] for samples in results["samples"] if samples["values"]}
    present = [name for name in NAMES if name in lateness]
    data = [[(i / 10, max(value, 1)) for i, value in enumerate(lateness[name])] for name in present]
    gnuplot(out, (WIDTH, HEIGHT), [
        "set title \"Lateness of a thread that wakes 1,000 times a second beside CPU-bound workers\\n"
        f"{{/*0.8 {load_of(results)}}}\"",
        "set key bottom right", "set lmargin 14", "set rmargin 4",
        "set xlabel 'share of the wakeups that were no later'", "set ylabel 'lateness'", "set logscale y",
        f"set ytics ({TIMES})",
        "set xtics ('0 %%' 0, '90 %%' 1, '99 %%' 2, '99.9 %%' 3, '99.99 %%' 4)",
        "plot " + ", ".join(f"$block{i} using 1:2 with lines lw 2 lc rgb '{COLOURS[name]}' title '{NAMES[name]}'"
                            for i, name in enumerate(present))], data)


def sweep(out, results):
    """Each of the figures in PANELS against the tunable."""
    found = {(figure["name"], figure["variant"]): figure["median"] for figure in results["figures"]
             if figure["subject"] == "morpheus"}
    values, name = results["arguments"]["values"], results["arguments"]["tunable"]
    data = [[(value / 1000, found[figure, str(value)]) for value in values] for figure in PANELS]
    tunable, title = (text.replace("_", r"\_") for text in (name, f"{name}: {load_of(results)}"))  # no subscripts
    lines = [f"set multiplot layout 1,{len(PANELS)} title '{title}' font 'sans-serif,13'", "unset key",
             f"set xlabel '{tunable}, ms'", "set xtics rotate by -40", "set yrange [0:*]"]
    if min(values) > 0:
        lines.append("set logscale x")
    for number, heading in enumerate(PANELS.values()):
        lines += [f"set title '{heading}'",
                  f"plot $block{number} using 1:2 with linespoints lw 2 pt 7 ps 0.6 lc rgb '{COLOURS['morpheus']}'"]
    gnuplot(out, (310 * len(PANELS), 300), lines + ["unset multiplot"], data)


def timeline(out, trace):
    events = trace["traceEvents"]
    named = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["ph"] == "M" and e["name"] == "thread_name"}
    runs = [e for e in events if e["ph"] == "X" and e["name"] in STRETCHES and e["pid"] < 5_000_000]
    if not runs:
        sys.exit("plot: the trace holds no runs")
    # the first moments belong to the recorder's own start
    start = min(e["ts"] for e in runs) + 20_000
    end = start + TIMELINE_MS * 1000
    tracks = sorted({(e["pid"], e["tid"]) for e in runs}, key=lambda track: (named.get(track, "worker"), track))
    lanes = {track: lane for lane, track in enumerate(reversed(tracks))}

    def boxes(name):
        return [((max(e["ts"], start) + min(e["ts"] + e["dur"], end)) / 2000 - start / 1000, lanes[e["pid"], e["tid"]],
                 (min(e["ts"] + e["dur"], end) - max(e["ts"], start)) / 2000, 0.32)
                for e in runs if e["name"] == name and e["ts"] < end and e["ts"] + e["dur"] > start]

    def marks(phase, prefix, ended=None):
        return [((e["ts"] - start) / 1000, lanes[e["pid"], e["tid"]]) for e in events
                if e["ph"] == phase and e["name"].startswith(prefix) and start <= e["ts"] < end
                and (e["pid"], e["tid"]) in lanes and ended in (None, e["args"].get("ended"))]

    blocks = [(boxes(name), f"with boxxyerrorbars fs solid 1 noborder lc rgb '{colour}' title '{name}'")
              for name, colour in STRETCHES.items()]
    blocks += [(marks("b", "hint"), "with points pt 11 ps 0.8 lc rgb '#c02020' title 'hint'"),
               (marks("e", "hint", "acknowledged"), "with points pt 7 ps 0.6 lc rgb '#207020' title 'acknowledged'"),
               (marks("i", "escalated"), "with points pt 2 ps 1 lw 2 lc rgb '#000000' title 'escalated'")]
    blocks = [(rows, style) for rows, style in blocks if rows]
    labels = ", ".join(f"'{named.get(track, 'worker')}' {lane}" for track, lane in lanes.items())
    gnuplot(out, (WIDTH, 150 + 42 * len(lanes)), [
        "set title 'Which worker had the CPU, which waited, which was hinted'", "set format x '%g ms'", "set xtics out nomirror",
        f"set xrange [0:{TIMELINE_MS}]", f"set yrange [-0.6:{len(lanes) - 0.4}]", f"set ytics ({labels}) scale 0", "set rmargin 4",
        "set key below center horizontal samplen 2 width -1",
        "plot " + ", ".join(f"$block{i} {style}" for i, (_, style) in enumerate(blocks))], [rows for rows, _ in blocks])


def main():
    kinds = {"latency": latency, "sweep": sweep, "timeline": timeline}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        print(__doc__, file=sys.stderr)
        return 64
    kinds[sys.argv[1]](sys.argv[2], json.load(sys.stdin))
    return 0


if __name__ == "__main__":
    sys.exit(main())
