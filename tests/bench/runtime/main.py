#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Measures the Morpheus runtime beside its peers, all of them in this run: in each round every
subject plays once, so that noise hits all alike. Prints a table, or with --json one object, as
tests/bench/results.schema.json has it.

Installs the Debian packages that the chosen peers need, if they are missing (as root, with
apt-get), and builds all with optimisation. A subject that cannot be built or does not work is left
out, with the reason, and the rest is played."""
import argparse
import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../measuring"))
import building
import playing
import report
import results
from measures import measures
from subjects import subjects

EXAMPLES = """examples:
  ./dev bench runtime --list
  ./dev bench runtime --measure yield --measure hog:safe-points
  ./dev bench runtime --subject floor,morpheus,tokio --rounds 9 --json >runtime.json

exit status: 0, or 1 if a subject that was built failed in a run, 64 bad usage, 69 nothing could be played"""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench runtime", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.error = lambda text: (print(f"bench: {text}; see ./dev bench runtime --help", file=sys.stderr), sys.exit(64))
    parser.add_argument("--measure", action="append", default=[], metavar="M[:VARIANT]",
                        help="play only this one; may be repeated, or a list with commas")
    parser.add_argument("--subject", action="append", default=[], metavar="S", help="the same for subjects")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="how often each plays (default 5)")
    parser.add_argument("--work", type=float, default=1.0, metavar="W",
                        help="scale what a round does; less than 1 is for trying it out (default 1)")
    parser.add_argument("--json", action="store_true", help="print one object instead of the table")
    parser.add_argument("--list", action="store_true", help="list the measures and subjects, and end")
    parser.add_argument("--build-dir", default=os.path.join(building.ROOT, "build/bench-runtime"), metavar="DIR",
                        help="where the subjects are built (default build/bench-runtime)")
    parser.add_argument("--programs", metavar="DIR",
                        help="take the subjects written in C++ from this directory instead of building them")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or not 0 < options.work <= 1:
        parser.error("--rounds takes a number from 1 up, --work a number above 0, up to 1")
    return options, parser


def chosen(words, known, parser, kind):
    """{name: variant or None}, in the order of `known`; all of them if none is chosen."""
    asked = {}
    for word in ",".join(words).split(",") if words else []:
        name, _, variant = word.partition(":")
        if name not in known:
            parser.error(f"no {kind} {name} (there are: {' '.join(known)})")
        asked.setdefault(name, set()).add(variant)
    return {name: asked.get(name) for name in known if not asked or name in asked}


def choose_measures(options, parser, cpus):
    known = {measure.name: measure for measure in measures(len(cpus))}
    pairs = []
    for name, variants in chosen(options.measure, known, parser, "measure").items():
        measure = known[name]
        for variant in (variants or set()) - {""}:
            if variant not in measure.variants:
                parser.error(f"no variant {variant} of {name} (there are: {' '.join(measure.variants)})")
        pairs += [(measure, variant) for variant in measure.variants if not variants or {"", variant} & variants]
    return pairs


def choose_subjects(options, parser):
    known = {subject.name: subject for subject in subjects(debian_release())}
    return [known[name] for name in chosen(options.subject, known, parser, "subject")]


def debian_release():
    with open("/etc/os-release", encoding="utf-8") as file:
        release = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    number = release.get("VERSION_ID", "").strip('"').partition(".")[0]
    return int(number) if release.get("ID") == "debian" and number.isdigit() else None


def print_list(cpus):
    print("measures")
    for measure in measures(len(cpus)):
        print(f"  {measure.name:<16}{', '.join(measure.variants)}\n{'':18}{measure.what}")
    print("subjects")
    for subject in subjects(debian_release()):
        print(f"  {subject.name:<16}{subject.title}{' (' + ' '.join(subject.packages) + ')' if subject.packages else ''}")


class Session:
    """What one call plays, and its results."""

    def __init__(self, options, cpus):
        self.options, self.cpus = options, cpus
        self.builder = building.Builder(options.build_dir)
        self.left_out, self.failed, self.programs = [], False, {}

    def leave_out(self, who, reason):
        self.left_out.append(f"{who}: {reason}")
        building.note(f"leaving out {who}: {reason}")

    def build(self, wanted):
        for subject in wanted:
            try:
                if self.options.programs and subject.build == "meson":
                    self.programs[subject.name] = [os.path.join(self.options.programs, subject.name)]
                else:
                    building.note(f"building {subject.name}")
                    self.programs[subject.name] = self.builder.build(subject)
            except building.Missing as missing:
                self.leave_out(subject.name, str(missing))

    def has_tool(self, measure):
        if not measure.tool or shutil.which(measure.tool):
            return True
        try:
            self.builder.install((measure.tool,))
            return True
        except building.Missing as missing:
            self.leave_out(measure.name, str(missing))
            return False

    def play(self, measure, variant, wanted):
        """{subject: [what each round printed]}."""
        need = measure.variants[variant]
        if need > len(self.cpus):
            self.leave_out(f"{measure.name} {variant}", f"needs {need} CPUs")
            return {}
        cpus = self.cpus[-need:]  # the first CPU has most of the interrupts
        played = {}
        for subject in wanted:
            what = subject.left_out_of(measure.name, variant)
            if what:
                self.left_out += [f"{subject.name} {what}"] if f"{subject.name} {what}" not in self.left_out else []
            elif subject.name in self.programs:
                played[subject.name] = []
        for _ in range(1 if measure.tool == "valgrind" else self.options.rounds):  # instructions are the same in all
            for name in list(played):
                try:
                    played[name].append(playing.play(self.programs[name], measure, variant, cpus, self.options.work))
                except playing.Failed as failure:
                    self.failed = True
                    self.leave_out(f"{name} {measure.name} {variant}", str(failure))
                    del played[name]
        return played

    def results(self, pairs, wanted, records):
        """What --json prints."""
        measured = list(dict.fromkeys(measure.name for measure, _ in pairs))
        arguments = {"measure": measured, "subject": [subject.name for subject in wanted],
                     "rounds": self.options.rounds, "work": self.options.work}
        build = self.options.programs or os.path.join(self.options.build_dir, "release")
        return results.results("runtime", building.ROOT, build, arguments, records, self.left_out)


def compared(measure, quantity, variant, played, base, unit=1):
    """Records of each subject as multiples of base(subject), the same rounds of another play."""
    for name, rounds in played.items():
        shares = [values[quantity.printed] / other[quantity.printed] / unit for values, other in zip(rounds, base(name))]
        if shares:
            yield report.record(measure, quantity, name, variant, shares)


def records_of(measure, variant, played, one):
    """The records of one variant; `one`: what was played of the same measure on one thread."""
    records = [report.record(measure, quantity, name, variant, [values[quantity.printed] for values in rounds])
               for quantity in measure.quantities for name, rounds in played.items()]
    for quantity in measure.share_of_one(variant):
        records += compared(measure, quantity, variant, played, lambda name: one.get(name, []), 1 / 100)
    for quantity in measure.of_floor:
        records += compared(measure, quantity, variant, played, lambda _: one.get("floor", []))
    return records


def main(arguments):
    options, parser = parse(arguments)
    cpus = sorted(os.sched_getaffinity(0))
    if options.list:
        print_list(cpus)
        return 0
    pairs, wanted = choose_measures(options, parser, cpus), choose_subjects(options, parser)
    session = Session(options, cpus)
    session.build(wanted)
    records, tools, with_one = [], {}, {}
    for number, (measure, variant) in enumerate(pairs, 1):
        if not tools.setdefault(measure.tool, session.has_tool(measure)):
            continue
        building.note(f"{number} of {len(pairs)}: {measure.name} {variant}")
        played = session.play(measure, variant, wanted)
        if variant == "1":
            with_one[measure.name] = played
        records += records_of(measure, variant, played, with_one.get(measure.name, {}))
    if not records:
        building.note("nothing could be played")
        return 69
    if options.json:
        print(json.dumps(session.results(pairs, wanted, records)))
    else:
        print(report.as_tables(records, session.left_out))
    return 1 if session.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
