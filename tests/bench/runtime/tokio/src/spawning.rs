// SPDX-License-Identifier: GPL-2.0-only
// Tokio: tasks that come and go.
use crate::subject::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

fn threads_or_one(count: usize) -> tokio::runtime::Runtime {
    if count == 1 {
        one_thread()
    } else {
        threads(count)
    }
}

pub fn spawn_join(run: &Run) {
    let runtime = threads_or_one(run.number());
    let each = nanoseconds_each(run, BATCH, |n| {
        let start = Instant::now();
        let batches = async move {
            let mut batch = Vec::with_capacity(BATCH);
            for _ in 0..n / BATCH {
                batch.extend((0..BATCH).map(|_| tokio::spawn(async {})));
                for task in batch.drain(..) {
                    task.await.unwrap();
                }
            }
        };
        runtime.block_on(async { tokio::spawn(batches).await.unwrap() });
        start.elapsed()
    });
    report("task", each);
}

fn fib(n: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n as u64;
        }
        let left = tokio::spawn(fib(n - 1));
        let right = fib(n - 2).await;
        left.await.unwrap() + right
    })
}

/// The stealing runtime also for one thread: it runs the newest task first, so that few exist at a
/// time.
pub fn fork_join(run: &Run) {
    let less = run.work.max(1e-5).ln() / 0.6180339887f64.ln();
    let n = (28.0 - less.max(0.0)).max(8.0) as u32;
    let start = Instant::now();
    let result = threads(run.number()).block_on(async { tokio::spawn(fib(n)).await.unwrap() });
    let seconds = start.elapsed().as_secs_f64();
    let (mut value, mut next, mut calls, mut next_calls) = (0u64, 1u64, 1u64, 1u64);
    for _ in 0..n {
        (value, next) = (next, value + next);
        (calls, next_calls) = (next_calls, calls + next_calls + 1);
    }
    assert_eq!(result, value);
    report("call", seconds / calls as f64 * 1e9);
}

fn resident_bytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let kib: f64 = status
        .lines()
        .filter(|line| line.starts_with("VmRSS:") || line.starts_with("VmPTE:"))
        .map(|line| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap())
        .sum();
    kib * 1024.0
}

pub fn memory(run: &Run) {
    let tasks = run.scaled(1e6);
    one_thread().block_on(async {
        let event = Arc::new(tokio::sync::Notify::new());
        let waiting = Arc::new(AtomicUsize::new(0));
        let before = resident_bytes();
        for _ in 0..tasks {
            let (event, waiting) = (event.clone(), waiting.clone());
            tokio::spawn(async move {
                waiting.fetch_add(1, Relaxed);
                event.notified().await;
            });
        }
        while waiting.load(Relaxed) < tasks {
            tokio::task::yield_now().await;
        }
        report("bytes", (resident_bytes() - before) / tasks as f64);
        std::process::exit(0);
    });
}

pub fn scaling(run: &Run) {
    let tasks = run.scaled(20_000.0);
    let burn = Burn::new(Duration::from_micros(10));
    let runtime = threads_or_one(run.number());
    let start = Instant::now();
    let spawner = async move {
        let all: Vec<_> = (0..tasks).map(|_| tokio::spawn(async move { burn.burn() })).collect();
        for task in all {
            task.await.unwrap();
        }
    };
    runtime.block_on(async { tokio::spawn(spawner).await.unwrap() });
    report("task", start.elapsed().as_secs_f64() / tasks as f64 * 1e9);
}
