# SPDX-License-Identifier: GPL-2.0-only
"""python -m morpheus: see launch.py. The program's __main__ takes the place of this one."""
from .launch import main

main()
