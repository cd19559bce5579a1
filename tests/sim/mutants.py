# SPDX-License-Identifier: GPL-2.0-only
"""What each mutant breaks: a file, a text that occurs there once, and the text that replaces it."""

HINT_POLICY, ESCALATION_POLICY, SLICE_POLICY, TURN_POLICY = (
    f"bpf/policy/{chapter}.h" for chapter in ("hints", "escalation", "slices", "turns"))
OBSERVER, PLACEMENT, SCHEDULER = (f"bpf/{half}.bpf.c" for half in ("observer", "placement", "scheduler"))
HINTS, QUEUES, PREEMPTION, RUNS = (f"bpf/{room}.bpf.h" for room in ("hints", "queues", "preemption", "runs"))

MUTANTS = {
    "none": None,
    "critical_ignored": (SLICE_POLICY, "if (!c->critical && !fresh)", "if (!fresh)"),
    "gate_without_critical": (ESCALATION_POLICY, "if (c->critical)", "if (0)"),
    "kick_not_judged": (SCHEDULER, "if (on_rq && slot && !yielded && !ended) {", "if (0 && slot && !ended) {"),
    "gate_without_consent": (ESCALATION_POLICY, "if (c->escapable != 1)", "if (0)"),
    "gate_takes_any_consent": (ESCALATION_POLICY, "if (c->escapable != 1)", "if (!c->escapable)"),
    "gate_without_policy": (ESCALATION_POLICY,
                            "if (c->policy == MORPHEUS_POLICY_NONE || c->policy >= MORPHEUS_POLICY_COUNT)",
                            "if (0)"),
    "hint_in_any_state": (HINT_POLICY, "w->state == MORPHEUS_WORKER_RUNNING && w->run_start_ns &&", "w->run_start_ns &&"),
    "hint_for_nobody": (HINT_POLICY, "if ((waiters || contended) && policy", "if (policy"),
    "waiter_kept_for_ever": (OBSERVER, "\tif (c->waiters.count)\n\t\tremove_run(c, prev->pid, next->pid);\n",
                             "\t(void)remove_run;\n"),
    "hint_while_open": (HINT_POLICY, "&& w->run_start_ns && !policy_hint_open(w);", "&& w->run_start_ns;"),
    "lies_believed": (HINT_POLICY, "policy_hint_open(w) && last_ack_seq == w->seq", "policy_hint_open(w) && last_ack_seq >= w->seq"),
    "gate_without_ack": (ESCALATION_POLICY, "if (!policy_hint_open(w) || c->last_ack_seq == w->seq)", "if (0)"),
    "late_at_once": (HINT_POLICY, "w->timed_seq == w->seq &&\n\t       now - w->hinted_at_ns >= t->grace_ns;",
                     "true;"),
    "gate_too_early": (ESCALATION_POLICY, "<= t->slice_ns + t->grace_ns)", "<= t->slice_ns)"),
    "no_cap": (SLICE_POLICY, "return ran < t->hold_cap_ns ?", "return 1 ?"),
    "stays_for_ever": (TURN_POLICY, "return turn_ns < t->hold_cap_ns && policy_vtime_before(vtime + cost, first);",
                       "return policy_vtime_before(vtime + cost, first);"),
    "local_queue_forgotten": (QUEUES, "scx_bpf_dsq_nr_queued(SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL_ON) | cpu) > 0", "0"),
    "bound_forgotten": (PLACEMENT, "\tnote_queued(p);\n", ""),
    "woken_by_the_old_clock": (PLACEMENT, "u32 from = llc_of_cpu(scx_bpf_task_cpu(p));", "u32 from = llc_of_cpu(prev_cpu);"),
    "registered_running_unknown": (RUNS, "if (lines && (c->slot", "if (0 && (c->slot"),
    "idle_beside_requeued": (PLACEMENT, "\t\t\twake_idle_cpu(p);\n", "\t\t\t(void)wake_idle_cpu;\n"),
    "flag_taken_without_lock": (PREEMPTION, "(scx_bpf_dsq_nr_queued(cpu) > 0 || unbound_wait(cpu))", "contended(cpu)"),
    "displaced_begins_anew": (SCHEDULER, "runnable && p->scx.slice ? c->slot : 0", "0"),
    "passed_over_for_ever": (TURN_POLICY, "return policy_vtime_delta(ran_ns, weight) / (competing ? competing : 1);", "return 0;"),
    "withdrawn_not_counted": (HINTS, "w->withdrawn++;", ""),
}
