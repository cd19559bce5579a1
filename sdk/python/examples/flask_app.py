# SPDX-License-Identifier: GPL-2.0-only
"""A threaded WSGI service. Each request has a thread; one that needs the CPU for long is a worker
meanwhile.

    flask --app flask_app run
"""
from flask import Flask, jsonify

import morpheus

app = Flask(__name__)


@app.route("/collatz/<int:limit>")
def collatz(limit):
    longest, start = 0, 0
    with morpheus.registered():
        for first in morpheus.AdaptiveCheckpointer().over(range(1, min(limit, 100_000))):
            number, steps = first, 0
            while number != 1:
                number = number // 2 if number % 2 == 0 else 3 * number + 1
                steps += 1
            if steps > longest:
                longest, start = steps, first
        yields = morpheus.stats().yields
    return jsonify(start=start, steps=longest, yields=yields)
