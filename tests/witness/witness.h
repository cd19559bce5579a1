/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the witness shares with the threads that it watches. The witness is a tracing program of its
 * own: it knows nothing of Morpheus and takes no count from it.
 */
#ifndef MORPHEUS_TESTS_WITNESS_H
#define MORPHEUS_TESTS_WITNESS_H

#define WITNESS_MAX_THREADS 64
#define WITNESS_PASSED_MAX 256
#define WITNESS_MAX_CPUS 64
/* Stints on a CPU are counted by length; the last bucket also counts longer ones. */
#define WITNESS_STINT_BUCKETS 512
#define WITNESS_STINT_BUCKET_NS 250000ull

/* What a watched thread reports about itself; it alone writes this, but for `late`. */
struct witness_mark {
	unsigned int tid;      /* set last; 0: unused */
	unsigned int critical; /* not 0: inside a critical section */
	unsigned long long safe_points;
	/*
	 * Not 0: it sees a hint whose deadline it let pass. The witness clears it when the thread
	 * gets a CPU.
	 */
	unsigned int late;
	unsigned int reserved0;
	unsigned long long reserved[5];
} __attribute__((aligned(64)));

/* What the witness saw of it. */
struct witness_count {
	unsigned long long switched_in;
	unsigned long long preempted;        /* switched away although runnable */
	unsigned long long critical_losses;  /* of these, inside a critical section */
	unsigned long long losses_to_higher; /* of those, to a thread of a higher class */
	unsigned long long losses_to_stop;   /* of those, to the kernel's stopper, the highest */
	unsigned long long kicked;           /* sched_ext kicked its CPU while it ran there */
	/*
	 * Ticks in which it had run for longer than the witness allows, and was late (see the
	 * mark).
	 */
	unsigned long long late_ticks;
	unsigned long long overstays; /* stints that saw more than one tick after that time */
} __attribute__((aligned(64)));

#endif
