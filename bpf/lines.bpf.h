/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How programs reach a worker's two lines. From Linux 6.13 on through user pointers (__uptr) in
 * task storage, straight into the client's memfds. Linux 6.12 has no user pointers: there each
 * client's lines are in two array maps of its own, which daemon and client map as they map the
 * memfds elsewhere, and the worker's slot leads to them.
 */
#ifndef MORPHEUS_BPF_LINES_BPF_H
#define MORPHEUS_BPF_LINES_BPF_H

#include "compat.bpf.h"
#include "proto/events.h"

/* The tag survives in BTF only through a typedef (clang 14), on a type that is complete there. */
typedef struct morpheus_scb_kernel kernel_line_t;
typedef struct morpheus_scb_runtime runtime_line_t;
kernel_line_t complete_kernel_line SEC(".data.types") __hidden;
runtime_line_t complete_runtime_line SEC(".data.types") __hidden;

struct worker_lines {
	kernel_line_t __uptr *kernel; /* use kernel_line() and runtime_line() */
	runtime_line_t __uptr *runtime;
	u32 slot;
	u32 line;   /* index in the client's memory */
	u32 linked; /* worker_tasks knows the thread */
	u32 reserved;
};

/* Filled by the daemon, keyed by the thread's pidfd; an element goes with its thread. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct worker_lines);
} worker_lines SEC(".maps");

/*
 * True on 6.12 only. A constant when the programs are loaded: the verifier sees one of the two ways
 * and drops the other, so 6.12's costs newer kernels nothing.
 */
const volatile bool lines_in_maps;

struct kernel_line_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, MORPHEUS_LINES_PER_PAGE); /* a client's own may be longer */
	__type(key, u32);
	__type(value, kernel_line_t);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MORPHEUS_MAX_WORKERS);
	__type(key, u32);
	__array(values, struct kernel_line_map);
} kernel_line_maps SEC(".maps");

struct runtime_line_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
	__uint(max_entries, MORPHEUS_LINES_PER_PAGE);
	__type(key, u32);
	__type(value, runtime_line_t);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MORPHEUS_MAX_WORKERS);
	__type(key, u32);
	__array(values, struct runtime_line_map);
} runtime_line_maps SEC(".maps");

static __always_inline kernel_line_t *kernel_line(struct worker_lines *lines)
{
	struct kernel_line_map *map;

	if (!lines_in_maps)
		return lines->kernel;
	map = bpf_map_lookup_elem(&kernel_line_maps, &lines->slot);
	return map ? bpf_map_lookup_elem(map, &lines->line) : NULL;
}

static __always_inline runtime_line_t *runtime_line(struct worker_lines *lines)
{
	struct runtime_line_map *map;

	if (!lines_in_maps)
		return lines->runtime;
	map = bpf_map_lookup_elem(&runtime_line_maps, &lines->slot);
	return map ? bpf_map_lookup_elem(map, &lines->line) : NULL;
}

#endif
