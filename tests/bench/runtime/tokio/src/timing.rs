// SPDX-License-Identifier: GPL-2.0-only
// Tokio: timers, and a hog beside a probe.
use crate::subject::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::yield_now;

fn sleep_length(longest: Duration, each: usize, task: usize, k: usize) -> Duration {
    let mut x = ((task * each + k + 1) as u64).wrapping_mul(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8feb86659fd93);
    longest / 100 * (1 + ((x >> 40) % 100) as u32)
}

pub fn timers(run: &Run) {
    no_timer_slack();
    let many = run.variant == "100000";
    let tasks = run.scaled(if many { 100_000.0 } else { 10_000.0 });
    let each = if many { 2 } else { 10 };
    let longest = Duration::from_millis(if many { 1000 } else { 100 });
    let before = cpu_seconds();
    let mut lateness = one_thread().block_on(async {
        let all: Vec<_> = (0..tasks)
            .map(|task| {
                tokio::spawn(async move {
                    let mut lateness = Lateness::default();
                    for k in 0..each {
                        let due = Instant::now() + sleep_length(longest, each, task, k);
                        tokio::time::sleep_until(due.into()).await;
                        lateness.add(due, Instant::now());
                    }
                    lateness
                })
            })
            .collect();
        let mut lateness = Lateness::default();
        for task in all {
            lateness.append(task.await.unwrap());
        }
        lateness
    });
    let cpu = cpu_seconds() - before;
    report("p50", lateness.percentile(0.5));
    report("p99", lateness.percentile(0.99));
    report("cpu", cpu * 1e6 / (tasks * each) as f64);
}

async fn hog_until(over: Arc<AtomicBool>, safe_points: bool) {
    let burn = Burn::new(Duration::from_micros(50));
    while !over.load(Relaxed) {
        for _ in 0..400 {
            burn.burn();
            if safe_points {
                yield_now().await;
            }
            if over.load(Relaxed) {
                break;
            }
        }
        yield_now().await;
    }
}

pub fn hog(run: &Run) {
    no_timer_slack();
    let safe_points = run.variant != "no-safe-points";
    let over = Arc::new(AtomicBool::new(false));
    let mut lateness = Lateness::default();
    let counted = run.scaled(2000.0);
    let mut left = counted + 100; // not while threads are still being started
    let mut due = Instant::now() + Duration::from_millis(1);
    // timers are looked at after every task, not after 61
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build().unwrap();
    runtime.block_on(async {
        let hog = tokio::spawn(hog_until(over.clone(), safe_points));
        while left > 0 {
            tokio::time::sleep_until(due.into()).await;
            let now = Instant::now();
            while due <= now && left > 0 {
                if left <= counted {
                    lateness.add(due, now);
                }
                due += Duration::from_millis(1);
                left -= 1;
            }
        }
        over.store(true, Relaxed);
        hog.await.unwrap();
    });
    report("p50", lateness.percentile(0.5));
    report("p99", lateness.percentile(0.99));
}
