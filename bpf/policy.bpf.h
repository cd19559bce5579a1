/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every decision of Morpheus as a pure function: numbers in, a verdict out. No kernel header, no
 * map, no clock, and no function writes to its arguments: so the same files are compiled into the
 * BPF programs, the unit tests and the simulator. The chapters:
 */
#ifndef MORPHEUS_BPF_POLICY_BPF_H
#define MORPHEUS_BPF_POLICY_BPF_H

#include "bpf/policy/claims.h"     /* what a worker claims, copied once */
#include "bpf/policy/hints.h"      /* which worker is hinted, when, and what acknowledges a hint */
#include "bpf/policy/slices.h"     /* when a slice ends, and when its end is deferred */
#include "bpf/policy/escalation.h" /* when the CPU may be taken from a worker */
#include "bpf/policy/fairness.h"   /* virtual time and weights: what a thread is owed */
#include "bpf/policy/turns.h"      /* which thread runs next where virtual time does not say */
#include "bpf/policy/bandwidth.h"  /* bounds on the CPU time of control groups */
#include "bpf/policy/blame.h"      /* how long a worker keeps others waiting */

#endif
