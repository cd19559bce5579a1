/* SPDX-License-Identifier: GPL-2.0-only */
/* What becomes of a worker's slice in Enforced mode. */
#ifndef MORPHEUS_BPF_POLICY_SLICES_H
#define MORPHEUS_BPF_POLICY_SLICES_H

#include "bpf/policy/hints.h"

enum policy_slice {
	POLICY_SLICE_KEEP,  /* time is left */
	POLICY_SLICE_RENEW, /* no thread waits: a new slice begins */
	POLICY_SLICE_DEFER, /* over, but the worker is critical or freshly hinted: go on for now */
	POLICY_SLICE_END,   /* over */
	POLICY_SLICE_OVERRUN, /* over, and deferred for as long as the cap allows */
	POLICY_SLICE_TAKEN,   /* a hint was ignored, or the worker's group is out of time */
};

/* The worker goes on. */
POLICY_FN bool policy_goes_on(__u32 verdict)
{
	return verdict < POLICY_SLICE_END;
}

/* The slice is over, but the CPU is not taken from the worker: it may have another slice. */
POLICY_FN bool policy_may_stay(__u32 verdict)
{
	return verdict <= POLICY_SLICE_END;
}

/* One slice may be deferred more than once; the cap holds for all of it. */
POLICY_FN __u32 policy_slice(const struct morpheus_worker_record *w, const struct policy_claims *c,
			     const struct morpheus_tunables *t, __u64 now, bool contended)
{
	__u64 ran = now - w->slice_start_ns;
	bool fresh = policy_hint_open(w) && c->last_ack_seq != w->seq &&
		     now < w->hinted_at_ns + t->grace_ns; /* it may be from after `now` */

	if (!contended)
		return POLICY_SLICE_RENEW;
	if (ran < t->slice_ns)
		return POLICY_SLICE_KEEP;
	if (!c->critical && !fresh)
		return POLICY_SLICE_END;
	return ran < t->hold_cap_ns ? POLICY_SLICE_DEFER : POLICY_SLICE_OVERRUN;
}

/*
 * A worker whose group is out of time keeps the CPU only inside a critical section, up to the cap.
 */
POLICY_FN bool policy_stops_now(const struct morpheus_worker_record *w,
				const struct policy_claims *c, const struct morpheus_tunables *t,
				__u64 now)
{
	return !c->critical || now - w->slice_start_ns >= t->hold_cap_ns;
}

#endif
