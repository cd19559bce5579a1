/* SPDX-License-Identifier: GPL-2.0-only */
/* CO-RE, for the simulator: its kernel has one layout. */
#ifndef MORPHEUS_SIM_BPF_CORE_READ_H
#define MORPHEUS_SIM_BPF_CORE_READ_H

#define BPF_CORE_READ(from, pointer, field) ((from)->pointer->field)
#define BPF_CORE_READ_BITFIELD(from, field) ((from)->field)
#define bpf_core_field_exists(field) 1
#define bpf_core_field_size(field) sizeof(field)
#define bpf_core_enum_value(type, name) (name)
#define bpf_core_cast(pointer, type) ((type *)(pointer))

#endif
