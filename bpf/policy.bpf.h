/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every decision of Morpheus as a pure function: numbers in, a verdict out. No kernel header, no map,
 * no clock, and nothing is written to an argument, so the same files are compiled into the BPF programs,
 * the daemon, the unit tests and the simulator. The chapters:
 */
#ifndef MORPHEUS_BPF_POLICY_BPF_H
#define MORPHEUS_BPF_POLICY_BPF_H

#include "bpf/policy/claims.h" /* what a worker claims, copied once */
#include "bpf/policy/hints.h" /* which worker is asked, when, and what counts as an acknowledgement */
#include "bpf/policy/escalation.h" /* when the CPU may be taken from a worker */
#include "bpf/policy/slices.h"     /* when a slice ends, and when its end is deferred */
#include "bpf/policy/fairness.h"   /* who runs next: virtual time and weights */
#include "bpf/policy/bandwidth.h"  /* bounds on the CPU time of control groups */

#endif
