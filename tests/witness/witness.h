/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the witness and the threads it watches share. The witness is a tracing program of its own: it
 * knows nothing of Morpheus and takes no count from it.
 */
#ifndef MORPHEUS_TESTS_WITNESS_H
#define MORPHEUS_TESTS_WITNESS_H

#define WITNESS_MAX_THREADS 64
#define WITNESS_PASSED_MAX 256
#define WITNESS_MAX_CPUS 64

/* What a watched thread tells about itself; written by the thread alone. */
struct witness_mark {
	unsigned int tid;      /* set last; 0: unused */
	unsigned int critical; /* not 0: inside a critical section */
	unsigned long long safe_points;
	unsigned long long reserved[6];
} __attribute__((aligned(64)));

/* What the witness saw of it. */
struct witness_count {
	unsigned long long switched_in;
	unsigned long long preempted;        /* switched away although runnable */
	unsigned long long critical_losses;  /* of these, inside a critical section */
	unsigned long long losses_to_higher; /* of those, to a real-time or deadline thread */
	unsigned long long kicked;           /* sched_ext kicked its CPU while it ran there */
	unsigned long long reserved[3];
} __attribute__((aligned(64)));

#endif
