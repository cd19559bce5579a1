/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The protocol of hint, acknowledgement, critical section and escalation, for the model checker
 * spin: one worker on its CPU, the interrupt there that may take the CPU (bpf/escalation.bpf.h),
 * and two other CPUs that hint and withdraw (bpf/hints.bpf.h). One statement here is one memory
 * access there. Stores of the worker wait in a store buffer, as on x86: its own CPU sees them at
 * once, others later.
 *
 * As it stands no assertion can fail. Defining one of these names drops one rule; check.py demands
 * a counterexample for each:
 *   REMOTE_DECISION  another CPU reads the claims, then kicks
 *   REMOTE_INSTANT   the same in one step, as if a kick took no time
 *   FENCE            with either of these: the worker, once in a section, empties its store buffer
 *   NO_BARRIER       the compiler may move the section's first access before the entry's store
 *   STALE_END        claim_end() without the check that the hint it saw is the open one
 *   REREAD           withdraw() reads the sequence again instead of what it claimed
 *   UNPUBLISHED      a hint counts as late by a time that may be that of the hint before it
 *   STALE_GATE       the gate may judge one hint's age and take the CPU because of the next one
 * RECORD_ONLY leaves critical sections and the store buffer out, so that two other CPUs can be
 * checked in seconds; without it one other CPU is enough, since what is added is the worker's side.
 * REACH=n makes it an error to reach place n, to show that the places can be reached.
 */
#ifndef OTHERS
#define OTHERS 2 /* other CPUs */
#endif
#ifndef HINTS
#define HINTS 2 /* hints in all */
#endif
#ifndef REACH
#define REACH 0
#endif
#define reached(place) assert(REACH != place)
#define AT_ESCALATION 1
#define AT_ACK 2
#define AT_WITHDRAWAL 3
#define AT_WITHDRAWN_ACK 4

/* BPF's own record of the worker, written by any CPU; by compare-and-swap where noted. */
byte seq, ended, published;
bool old = true; /* hinted_at_ns is a grace or more ago */

/* The kernel line. */
byte preempt_seq, withdrawn_seq;

/* The runtime line: as the worker's own CPU sees it, and as others do. */
bool critical_here, critical_there;
byte ack_here, ack_there;
mtype = { CRITICAL, ACK };
chan buffer = [1] of { mtype, byte };

/* The truth, whatever the CPUs know of it. */
bool in_section;        /* the worker does what must not be interrupted */
bool on_cpu = true;     /* the worker has its CPU */
bool interrupted;       /* the worker's CPU is in an interrupt */
bool grace_passed = true; /* since the last hint was decided */

#define runs (on_cpu && !interrupted)
#define open (seq != ended)

inline take_cpu()
{
	reached(AT_ESCALATION);
	assert(!in_section);   /* invariant 1: never inside a critical section */
	assert(grace_passed);  /* never before the deadline */
	on_cpu = false
}

/* --- the worker: sdk/include/morpheus/, sdk/src/client/client_thread.cpp ---------------------- */

inline store(what, value)
{
	if
	:: what == CRITICAL ->
		atomic { runs && empty(buffer) -> buffer!CRITICAL, value; critical_here = value }
	:: else ->
		atomic { runs && empty(buffer) -> buffer!ACK, value; ack_here = value }
	fi
}

inline section()
{
#ifdef NO_BARRIER
	atomic { runs -> in_section = true };
	store(CRITICAL, 1);
#else
	store(CRITICAL, 1);
#ifdef FENCE
	atomic { runs && empty(buffer) -> skip };
#endif
	atomic { runs -> in_section = true };
#endif
	atomic { runs -> in_section = false };
	store(CRITICAL, 0)
}

inline safe_point()
{
	atomic { runs -> now = preempt_seq };
	if
	:: now == seen -> skip
	:: else ->
		store(ACK, now);
		atomic { runs -> withdrawn = withdrawn_seq };
		if
		:: withdrawn >= now -> reached(AT_WITHDRAWN_ACK)
		:: else -> atomic { runs -> on_cpu = false } /* sched_yield */
		fi;
		seen = now
	fi;
	now = 0; withdrawn = 0
}

active proctype worker()
{
#ifdef RECORD_ONLY
end:	do
	:: atomic { runs -> ack_here = preempt_seq; ack_there = preempt_seq }
	od
#else
	byte seen, now, withdrawn;
end:	do
	:: section()
	:: safe_point()
	od
#endif
}

active proctype store_buffer()
{
	byte value;
end:	do
	:: atomic { buffer?CRITICAL, value -> critical_there = value }
	:: atomic { buffer?ACK, value -> ack_there = value }
	od
}

/* --- BPF: bpf/hints.bpf.h --------------------------------------------------------------------- */

/* Sets `won`, and `at` to the hint that is over now. */
inline claim_end()
{
	won = false;
	at = seq;
	before = ended;
	if
#ifdef STALE_END
	:: before != at ->
#else
	:: before + 1 == at ->
#endif
		d_step { /* compare-and-swap */
			if
			:: ended == before -> assert(at > before); ended = at; won = true /* once for each hint */
			:: else
			fi
		}
	:: else
	fi
}

/* What a procedure left in its variables would only multiply the states. */
#define forget() d_step { at = 0; before = 0; won = false }

inline note_acknowledgement(ack)
{
	if
	:: open && ack == seq ->
		claim_end();
		if
		:: won -> reached(AT_ACK)
		:: else
		fi
	:: else
	fi
}

inline give_hint()
{
	at = seq;
	before = ended;
	if
	:: before == at && at < HINTS ->
		d_step { /* compare-and-swap */
			won = (seq == at);
			if
			:: won -> seq = at + 1; grace_passed = false; assert(seq - ended <= 1)
			:: else
			fi
		};
		if
		:: won ->
			old = false;
			published = at + 1;
			atomic { preempt_seq++; assert(preempt_seq <= seq) }
		:: else
		fi
	:: else
	fi
}

inline withdraw()
{
	note_acknowledgement(ack_there);
	claim_end();
	if
	:: won ->
		reached(AT_WITHDRAWAL);
#ifdef REREAD
		at = seq;
#endif
		atomic { assert(at <= ended); withdrawn_seq = at } /* an open hint is not withdrawn */
	:: else
	fi
}

active [OTHERS] proctype other_cpu()
{
	byte at, before;
	bool won;
#if defined(REMOTE_DECISION) || defined(REMOTE_INSTANT)
	bool critical;
#endif
end:	do
	:: skip -> give_hint(); forget() /* without skip an "else" in it would mean all options */
	:: skip -> withdraw(); forget()
#ifdef REMOTE_DECISION
	:: critical = critical_there;
		if
		:: !critical && open && published == seq && old && ack_there != seq ->
			atomic { on_cpu -> take_cpu() } /* the kick arrives */
		:: else
		fi
#endif
#ifdef REMOTE_INSTANT
	:: atomic {
			!critical_there && open && published == seq && old && ack_there != seq && on_cpu ->
			take_cpu()
		}
#endif
	od
}

/* --- the worker's own CPU: bpf/escalation.bpf.h, escalate() ----------------------------------- */

active proctype interrupt()
{
	byte at, before;
	bool won, critical, late;
end:	do
	:: atomic { on_cpu -> interrupted = true };
		note_acknowledgement(ack_here);
		at = seq;
#ifndef UNPUBLISHED
		late = published == at;
		late = late && old;
#else
		late = old;
#endif
		critical = critical_here;
		if
#ifdef STALE_GATE
		:: open && late && !critical && ack_here != at -> atomic { take_cpu() }
#else
		:: atomic { ended < at && late && !critical && ack_here != at -> take_cpu() }
#endif
		:: else
		fi;
		d_step {
			interrupted = false;
			at = 0; before = 0; won = false; critical = false; late = false
		}
	:: atomic { !on_cpu -> on_cpu = true } /* picked again */
	od
}

active proctype clock()
{
end:	do
	:: atomic { !grace_passed -> grace_passed = true; old = true }
	od
}
