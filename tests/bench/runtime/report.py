# SPDX-License-Identifier: GPL-2.0-only
"""The results as figures (measuring/results.py), and as a table for people."""
import results
from results import number

OURS = "morpheus"


def record(measure, quantity, subject, variant, values):
    """Goals are those of Morpheus."""
    goal = quantity.goals.get(variant) if subject == OURS else None
    return results.figure(measure.name, quantity.name, subject, variant, quantity.unit, values,
                          None if goal is None else results.at_most(goal))


def _heading(first, ours):
    heading = f"{first['name']} {first['variant']} [{first['unit']}]"
    if not ours or "goal" not in ours:
        return heading
    return f"{heading}  goal: at most {number(ours['goal']['at_most'])}, {'met' if ours['met'] else 'missed'}"


def _table(rows):
    ours = next((row for row in rows if row["subject"] == OURS), None)
    yield _heading(rows[0], ours)
    for row in sorted(rows, key=lambda row: row["median"]):
        ratio = f"{row['median'] / ours['median']:8.2f} x" if ours and ours["median"] else ""
        spread = f"{number(row['min'])} to {number(row['max'])}"
        yield f"  {row['subject']:<10}{number(row['median']):>12}  {spread:>24}  n={row['n']}{ratio:>12}"


def as_tables(records, left_out):
    """left_out: lines that say who is missing, and why."""
    groups = {}
    for row in records:
        groups.setdefault((row["name"], row["variant"]), []).append(row)
    lines = ["median, least to most, number of rounds, ratio to Morpheus; less is better everywhere"]
    for rows in groups.values():
        lines += ["", *_table(rows)]
    if left_out:
        lines += ["", "left out:", *("  " + line for line in left_out)]
    return "\n".join(lines)
