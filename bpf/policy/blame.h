/* SPDX-License-Identifier: GPL-2.0-only */
/* How long a worker keeps others waiting, and when a critical section is to blame for it. */
#ifndef MORPHEUS_BPF_POLICY_BLAME_H
#define MORPHEUS_BPF_POLICY_BLAME_H

#include "bpf/policy/hints.h"

/*
 * How long the present run has kept a waiter waiting that the worker was asked to make room for:
 * from the hint, or from the run's start if the hint is older. 0 while it does not run.
 */
POLICY_FN __u64 policy_kept_waiting(const struct morpheus_worker_record *w, __u64 run_start_ns,
				    __u64 now)
{
	__u64 from = w->hinted_at_ns > run_start_ns ? w->hinted_at_ns : run_start_ns;

	if (!run_start_ns || w->timed_seq != w->seq || now <= from)
		return 0;
	return now - from;
}

/*
 * Of these stretches the short ones do not count: a worker that answers takes some time to reach
 * its safe point, and the hint lead is what it is given for that.
 */
POLICY_FN __u64 policy_kept_too_long(__u64 kept_ns, const struct morpheus_tunables *t)
{
	return kept_ns >= t->hint_lead_ns ? kept_ns : 0;
}

/*
 * The end of the slice is deferred: for a critical section that has outlasted its hint by the lead?
 * A short one that happens to be met by a tick will be answered for at the next safe point.
 */
POLICY_FN bool policy_held(const struct morpheus_worker_record *w, const struct policy_claims *c,
			   const struct morpheus_tunables *t, __u64 now)
{
	return c->critical && policy_hint_open(w) && w->timed_seq == w->seq &&
	       now >= w->hinted_at_ns && now - w->hinted_at_ns >= t->hint_lead_ns;
}

#endif
