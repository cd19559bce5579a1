// SPDX-License-Identifier: GPL-2.0-only
// Tokio: consume_budget(), its conditional safe point; only in async functions.
use crate::subject::*;
use std::time::Instant;

async fn bare(n: usize, mut x: u64) -> u64 {
    for _ in 0..n {
        x = step(x);
    }
    x
}

async fn checked(n: usize, mut x: u64) -> u64 {
    for _ in 0..n {
        x = step(x);
        tokio::task::consume_budget().await;
    }
    x
}

pub fn checkpoint(run: &Run) {
    const PIECES: usize = 15;
    let rounds = run.scaled(2e6);
    let runtime = one_thread();
    let (mut without, mut added) = (Vec::new(), Vec::new());
    let mut x = 1;
    for _ in 0..PIECES {
        let start = Instant::now();
        x = runtime.block_on(async { tokio::spawn(bare(rounds, x)).await.unwrap() });
        let middle = Instant::now();
        x = runtime.block_on(async { tokio::spawn(checked(rounds, x)).await.unwrap() });
        let loop_alone = (middle - start).as_secs_f64() / rounds as f64 * 1e9;
        without.push(loop_alone);
        added.push(middle.elapsed().as_secs_f64() / rounds as f64 * 1e9 - loop_alone);
    }
    keep(x);
    without.sort_by(f64::total_cmp);
    added.sort_by(f64::total_cmp);
    report("added", added[PIECES / 2]);
    report("share", 100.0 * added[PIECES / 2] / without[PIECES / 2]);
}

pub fn checkpoint_loop(run: &Run) {
    let rounds = run.scaled(1e6);
    let runtime = one_thread();
    let x = if run.variant.ends_with("-bare") {
        runtime.block_on(async { tokio::spawn(bare(rounds, 1)).await.unwrap() })
    } else {
        runtime.block_on(async { tokio::spawn(checked(rounds, 1)).await.unwrap() })
    };
    keep(x);
    report("rounds", rounds as f64);
}
