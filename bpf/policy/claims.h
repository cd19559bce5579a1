/* SPDX-License-Identifier: GPL-2.0-only */
/* What every chapter starts from: how a policy function is declared, and what a worker claims. */
#ifndef MORPHEUS_BPF_POLICY_CLAIMS_H
#define MORPHEUS_BPF_POLICY_CLAIMS_H

#include "proto/events.h"

#ifdef __cplusplus
#define POLICY_FN static inline
#else
#include <stdbool.h>
#define POLICY_FN static inline __attribute__((always_inline, unused))
#endif

/* What a worker claims, copied once from its runtime line: it cannot change during a decision. */
struct policy_claims {
	__u32 critical;
	__u32 escapable;
	__u32 policy;
	__u64 last_ack_seq;
};

#endif
