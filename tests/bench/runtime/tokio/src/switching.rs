// SPDX-License-Identifier: GPL-2.0-only
// Tokio: switching between tasks.
use crate::subject::*;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

pub fn take_turns(run: &Run) {
    let tasks = run.number();
    let runtime = one_thread();
    let each = nanoseconds_each(run, 10_000, |n| {
        runtime.block_on(async {
            let all: Vec<_> = (0..tasks)
                .map(|_| {
                    tokio::spawn(async move {
                        for _ in 0..n / tasks {
                            tokio::task::yield_now().await;
                        }
                    })
                })
                .collect();
            let start = Instant::now();
            for task in all {
                task.await.unwrap();
            }
            start.elapsed()
        })
    });
    report("yield", each);
}

async fn serve(mut input: mpsc::Receiver<usize>, output: mpsc::Sender<usize>, messages: usize) {
    for _ in 0..messages {
        let value = input.recv().await.unwrap();
        output.send(value + 1).await.unwrap();
    }
}

async fn ask(mut input: mpsc::Receiver<usize>, output: mpsc::Sender<usize>, messages: usize) {
    let mut value = 0;
    for _ in 0..messages {
        output.send(value).await.unwrap();
        value = input.recv().await.unwrap();
    }
}

fn on_one_thread(n: usize) -> Duration {
    let (to, server_in) = mpsc::channel(1);
    let (back, client_in) = mpsc::channel(1);
    one_thread().block_on(async {
        let start = Instant::now();
        let server = tokio::spawn(serve(server_in, back, n / 2));
        tokio::spawn(ask(client_in, to, n / 2)).await.unwrap();
        server.await.unwrap();
        start.elapsed()
    })
}

fn on_two_threads(n: usize) -> Duration {
    let (to, server_in) = mpsc::channel(1);
    let (back, client_in) = mpsc::channel(1);
    let server = std::thread::spawn(move || {
        pin(1);
        one_thread().block_on(serve(server_in, back, n / 2));
    });
    pin(0);
    let start = Instant::now();
    one_thread().block_on(ask(client_in, to, n / 2));
    server.join().unwrap();
    start.elapsed()
}

fn to_a_sleeper(run: &Run) -> f64 {
    let messages = run.scaled(2000.0);
    let (to, mut input) = mpsc::channel::<Instant>(messages);
    let receiver = std::thread::spawn(move || {
        pin(1);
        one_thread().block_on(async move {
            let mut lateness = Lateness::default();
            while let Some(sent) = input.recv().await {
                lateness.add(sent, Instant::now());
            }
            lateness.percentile(0.5)
        })
    });
    pin(0);
    for _ in 0..messages {
        let end = Instant::now() + Duration::from_micros(200);
        while Instant::now() < end {}
        to.try_send(Instant::now()).unwrap();
    }
    drop(to);
    receiver.join().unwrap() * 1000.0
}

pub fn ping_pong(run: &Run) {
    report(
        "message",
        match run.variant.as_str() {
            "one-thread" => nanoseconds_each(run, 1000, on_one_thread),
            "two-threads" => nanoseconds_each(run, 1000, on_two_threads),
            _ => to_a_sleeper(run),
        },
    );
}
