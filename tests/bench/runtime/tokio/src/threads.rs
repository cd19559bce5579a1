// SPDX-License-Identifier: GPL-2.0-only
// Tokio: two threads that have nothing to do.
use crate::subject::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

fn sleep(length: Duration) {
    std::thread::sleep(length);
}

pub fn idle(run: &Run) {
    let _runtime = threads(2);
    sleep(Duration::from_secs_f64(0.5 * run.work));
    let before = cpu_seconds();
    sleep(Duration::from_secs_f64(run.work));
    report("cpu", (cpu_seconds() - before) * 1e6 / run.work);
    std::process::exit(0);
}

pub fn wake(run: &Run) {
    let wakes = run.scaled(1000.0);
    let runtime = threads(2);
    let woken = Arc::new(AtomicUsize::new(0));
    let (to, mut input) = mpsc::unbounded_channel::<usize>();
    let count = woken.clone();
    runtime.spawn(async move {
        while input.recv().await.is_some() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for i in 0..wakes {
        sleep(Duration::from_millis(1));
        to.send(i).unwrap();
    }
    sleep(Duration::from_millis(1));
    assert_eq!(woken.load(Ordering::SeqCst), wakes);
    report("wakes", wakes as f64);
    std::process::exit(0);
}
