/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast paths between marks, for hot_path_disassembly.py to count. The marks are zero-length;
 * what stands between two of them in the object file is what a caller's loop pays.
 */
#include <morpheus/safepoint.h>

#define MARK(name) __asm__ volatile(".globl " #name "\n" #name ":" ::: "memory")

/* Returns how often the CPU was given up. */
uint64_t loop_with_checkpoint(struct morpheus_safepoint sp, uint64_t rounds);
uint64_t loop_with_checkpoint(struct morpheus_safepoint sp, uint64_t rounds)
{
	uint64_t yields = 0;
	while (rounds-- != 0) {
		MARK(checkpoint_begin);
		yields += morpheus_checkpoint(&sp);
		MARK(checkpoint_end);
	}
	return yields;
}

void loop_with_critical_section(struct morpheus_thread *self, uint64_t rounds);
void loop_with_critical_section(struct morpheus_thread *self, uint64_t rounds)
{
	while (rounds-- != 0) {
		MARK(critical_begin);
		morpheus_critical_enter(self);
		morpheus_critical_exit(self);
		MARK(critical_end);
	}
}
