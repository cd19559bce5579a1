/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Linux 6.12 only: a client's kernel lines are in a frozen map there, which not even the daemon can map
 * for writing. What elsewhere it writes into its own mapping, it writes through this program.
 */
#include "lines.bpf.h"

SEC("syscall")
int store_kernel_line(struct morpheus_line_update *update)
{
	u32 slot = update->slot, line = update->line;
	struct kernel_line_map *map = bpf_map_lookup_elem(&kernel_line_maps, &slot);
	kernel_line_t *at = map ? bpf_map_lookup_elem(map, &line) : NULL;

	if (!at)
		return -ENOENT;
	if (update->is_new) {
		__builtin_memset(at, 0, sizeof(*at));
		at->preempt_seq = update->first_seq;
		at->withdrawn_seq = update->first_seq;
	}
	at->worker_state = update->state;
	return 0;
}
