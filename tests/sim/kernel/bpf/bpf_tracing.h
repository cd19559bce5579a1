/* SPDX-License-Identifier: GPL-2.0-only */
/* A program is a function that the simulated kernel calls with the arguments themselves. */
#ifndef MORPHEUS_SIM_BPF_TRACING_H
#define MORPHEUS_SIM_BPF_TRACING_H

#define BPF_PROG(name, ...) name(__VA_ARGS__)

#endif
