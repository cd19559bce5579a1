# SPDX-License-Identifier: GPL-2.0-only
"""The page of morpheusctl report in a real browser: a program whose guilt is known is on it."""
import os
import re
import shutil
import subprocess
import time

import pytest
from daemon_process import BUILD

OTHER_USER = 65534


@pytest.fixture(scope="module")
def report(daemon, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    guilty = subprocess.Popen([os.path.join(BUILD, "tests/programs/guilty"), daemon.socket, str(max(os.sched_getaffinity(0)))],
                              user=OTHER_USER, group=OTHER_USER, extra_groups=[])
    try:
        time.sleep(1)
        subprocess.run([os.path.join(BUILD, "daemon/ctl/morpheusctl"), "--socket", daemon.socket, "report", "--seconds", "3",
                        "-o", path], check=True, timeout=60, stdout=subprocess.DEVNULL)
    finally:
        guilty.kill()
        guilty.wait()
    return path


def in_browser(path):
    """What the page has become, once its script has run. It must have nothing to complain of."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium")
    shown = subprocess.run([chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                            "--enable-logging=stderr", "--dump-dom",
                            f"--user-data-dir={path.parent}/profile", path.as_uri()],
                           check=True, timeout=120, capture_output=True, text=True)
    assert "CONSOLE" not in shown.stderr, shown.stderr
    return shown.stdout


def test_the_page_names_the_guilty_function_and_its_victim(report):
    page = in_browser(report)
    lead = re.search(r'<p class="lead">(.*?)</p>', page).group(1)
    assert "guilty" in lead and re.search(r"most often in crunch\(\) \(guilty\.cpp:\d+\)", lead), lead
    assert "victim0" in page
    assert re.search(r'<rect class="victim"[^>]*><title>waits for worker', page)
    assert re.search(r"<title>crunch\(\): [^<]* %</title>", page)


def test_the_timeline_is_zoomed(report):
    clicked = report.with_name("clicked.html")
    text = report.read_text(encoding="utf-8")
    whole = in_browser(report)
    assert re.search(r'viewBox="0 0 1000 \d+"', whole) and ">200.0 ms<" in whole
    clicked.write_text(text.replace("</body>", "<script>document.getElementById('in').click()</script></body>"), encoding="utf-8")
    zoomed = in_browser(clicked)
    assert re.search(r'viewBox="250 0 500 \d+"', zoomed)
    assert ">50.0 ms<" in zoomed and ">150.0 ms<" in zoomed
