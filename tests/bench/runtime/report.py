# SPDX-License-Identifier: GPL-2.0-only
"""The results as records, and as a table for people."""
import json
import statistics

OURS = "morpheus"


def record(quantity, subject, variant, values):
    return {"measure": quantity.name, "subject": subject, "variant": variant, "unit": quantity.unit,
            "median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}


def as_json(records):
    return json.dumps(records, indent=1)


def _number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _heading(rows, goal):
    first = rows[0]
    heading = f"{first['measure']} {first['variant']} [{first['unit']}]"
    if goal is None:
        return heading
    ours = next((row["median"] for row in rows if row["subject"] == OURS), None)
    verdict = "" if ours is None else ", met" if ours <= goal else ", missed"
    return f"{heading}  goal: at most {_number(goal)}{verdict}"


def _table(rows, goal):
    ours = next((row["median"] for row in rows if row["subject"] == OURS), None)
    yield _heading(rows, goal)
    for row in sorted(rows, key=lambda row: row["median"]):
        ratio = f"{row['median'] / ours:8.2f} x" if ours else ""
        spread = f"{_number(row['min'])} to {_number(row['max'])}"
        yield f"  {row['subject']:<10}{_number(row['median']):>12}  {spread:>24}  n={row['n']}{ratio:>12}"


def as_tables(records, goals, left_out):
    """goals: {(measure, variant): at most}; left_out: lines that say who is missing, and why."""
    groups = {}
    for row in records:
        groups.setdefault((row["measure"], row["variant"]), []).append(row)
    lines = ["median, least to most, number of rounds, ratio to Morpheus; less is better everywhere"]
    for key, rows in groups.items():
        lines += ["", *_table(rows, goals.get(key))]
    if left_out:
        lines += ["", "left out:", *("  " + line for line in left_out)]
    return "\n".join(lines)
