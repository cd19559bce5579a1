# SPDX-License-Identifier: GPL-2.0-only
"""A Celery worker whose processes the kernel may hint to yield while they crunch.

    CELERY_DIR=/tmp/celery python3 -m celery -A celery_app worker --concurrency 2

Here the broker and the results are plain files below CELERY_DIR; any other broker works as well.
"""
import os
import pathlib

from celery import Celery
from celery.signals import worker_process_init

import morpheus

directory = pathlib.Path(os.environ["CELERY_DIR"])
for name in ("queue", "control", "results"):
    (directory / name).mkdir(parents=True, exist_ok=True)

app = Celery("celery_app", broker="filesystem://", backend=f"file://{directory / 'results'}")
app.conf.broker_transport_options = {
    "data_folder_in": str(directory / "queue"),
    "data_folder_out": str(directory / "queue"),
    "control_folder": str(directory / "control"),
}


@worker_process_init.connect
def become_worker(**_):
    """In each process of the pool: a forked process attaches by itself."""
    morpheus.register()


@app.task
def sum_of_squares(count):
    total = 0
    for number in morpheus.AdaptiveCheckpointer().over(range(count)):
        total += number * number
    return total
