/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libbpf's names, for the simulator: maps are arrays in the simulated kernel, helpers are calls
 * into it. Only what the programs use: a program that uses more does not compile until it is added
 * here.
 */
#ifndef MORPHEUS_SIM_BPF_HELPERS_H
#define MORPHEUS_SIM_BPF_HELPERS_H

#include "programs.h"

#define SEC(name)
#define __always_inline inline __attribute__((always_inline))
#define __hidden
#define __weak __attribute__((weak))
#define __ksym
#define __kptr
#define __uptr
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, val) typeof(val) *value

#define BPF_MAP_TYPE_HASH 1
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_MAP_TYPE_ARRAY 2
#define BPF_MAP_TYPE_ARRAY_OF_MAPS 13
#define BPF_MAP_TYPE_RINGBUF 27
#define BPF_MAP_TYPE_TASK_STORAGE 29

#define bpf_ksym_exists(sym) (!!(sym))
#define bpf_for(i, start, end) for ((i) = (start); (i) < (end); (i)++)

#define bpf_map_lookup_elem(map, key)                                                              \
	((typeof((map)->value))sim_map_lookup((map), sizeof(*(map)->value),                        \
					      sizeof(*(map)->max_entries) / sizeof(int), *(key)))
#define bpf_map_update_elem(map, key, value, flags) ((void)(key), (void)(value), -1)
#define bpf_map_delete_elem(map, key) ((void)(key), -1)
#define bpf_task_storage_get(map, task, value0, flags)                                             \
	((typeof((map)->value))((task)->has_storage ? (task)->storage : NULL))
#define bpf_kptr_xchg(at, new_value)                                                               \
	({                                                                                         \
		typeof(*(at)) old_ = *(at);                                                        \
		*(at) = (new_value);                                                               \
		old_;                                                                              \
	})

#define bpf_spin_lock(lock) ((void)(lock))
#define bpf_spin_unlock(lock) ((void)(lock))
#define bpf_ktime_get_ns() (sim_context.now)
#define bpf_get_smp_processor_id() (sim_context.cpu)
#define bpf_get_current_task_btf() (sim_context.current_task)
#define bpf_ringbuf_query(ring, what) 0ull
#define bpf_ringbuf_output(ring, data, size, flags) ((void)(flags), sim_event(data))
/* Blame is compiled here and never attached. */
#define bpf_ringbuf_reserve(ring, size, flags) ((void *)NULL)
#define bpf_ringbuf_submit(record, flags) ((void)(record), (void)(flags))
#define bpf_get_stack(ctx, to, size, flags) ((void)(to), 0)
#define bpf_timer_init(timer, map, clock) 0
#define bpf_timer_set_callback(timer, callback) ((void)(callback), 0)
#define bpf_timer_start(timer, delay, flags) sim_timer_start((timer), (delay), (flags))
#define bpf_probe_read_kernel_str(to, size, from) ((void)(from), 0)

#endif
