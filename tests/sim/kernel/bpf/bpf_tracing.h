/* SPDX-License-Identifier: GPL-2.0-only */
/* A program is a function that the simulated kernel calls with the arguments themselves. */
#ifndef MORPHEUS_SIM_BPF_TRACING_H
#define MORPHEUS_SIM_BPF_TRACING_H

/* What the kernel would read the arguments from; some helpers want it, too. */
static void *const ctx __attribute__((unused));

#define BPF_PROG(name, ...) name(__VA_ARGS__)

#endif
