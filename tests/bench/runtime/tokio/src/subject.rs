// SPDX-License-Identifier: GPL-2.0-only
// What subject.hpp, burn.hpp and lateness.hpp are to the subjects in C++.
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub struct Run {
    pub variant: String,
    pub work: f64,
}

impl Run {
    pub fn scaled(&self, full: f64) -> usize {
        ((full * self.work) as usize).max(1)
    }
    pub fn number(&self) -> usize {
        self.variant.parse().expect("the variant is a number")
    }
}

pub const BATCH: usize = 1000;

pub fn report(quantity: &str, value: f64) {
    println!("{quantity} {value:.6}");
}

/// Nanoseconds for one of the operations that `operations(n)` does; see nanoseconds_each() in
/// subject.hpp.
pub fn nanoseconds_each(run: &Run, granule: usize, mut operations: impl FnMut(usize) -> Duration) -> f64 {
    let enough = 0.25 * run.work;
    let mut n = granule;
    loop {
        let seconds = operations(n).as_secs_f64();
        if seconds >= enough {
            return seconds / n as f64 * 1e9;
        }
        let factor = if seconds > 0.0 { (1.3 * enough / seconds).min(10.0) } else { 10.0 };
        let granules = n / granule;
        n = granule * (granules + 1).max((granules as f64 * factor) as usize);
    }
}

pub fn one_thread() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub fn threads(count: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(count).enable_all().build().expect("a runtime")
}

/// CPU time of the whole process.
pub fn cpu_seconds() -> f64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut now) };
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

#[derive(Default)]
pub struct Lateness(Vec<f64>);

impl Lateness {
    pub fn add(&mut self, due: Instant, done: Instant) {
        self.0.push(done.saturating_duration_since(due).as_secs_f64() * 1e6);
    }
    pub fn append(&mut self, mut other: Lateness) {
        self.0.append(&mut other.0);
    }
    pub fn percentile(&mut self, p: f64) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        self.0.sort_by(f64::total_cmp);
        self.0[(p * (self.0.len() - 1) as f64) as usize]
    }
}

/// A value of which the compiler knows nothing, and which it takes to be used.
pub fn keep(mut value: u64) -> u64 {
    unsafe { std::arch::asm!("/* {0} */", inout(reg) value) };
    value
}

pub fn step(mut x: u64) -> u64 {
    for _ in 0..2 {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

#[inline(never)]
pub fn steps(n: usize, mut x: u64) -> u64 {
    for _ in 0..n {
        x = step(x);
    }
    x
}

#[derive(Clone, Copy)]
pub struct Burn(usize);

impl Burn {
    pub fn new(length: Duration) -> Burn {
        const PROBE: usize = 100_000;
        let mut best = f64::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            keep(steps(PROBE, keep(1)));
            best = best.min(start.elapsed().as_secs_f64());
        }
        Burn((length.as_secs_f64() / best * PROBE as f64) as usize)
    }
    pub fn burn(&self) {
        keep(steps(self.0, keep(1)));
    }
}

/// Binds the calling thread to the index-th of the program's CPUs.
pub fn pin(index: usize) {
    static CPUS: Mutex<Vec<usize>> = Mutex::new(Vec::new());
    let mut cpus = CPUS.lock().unwrap();
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let size = std::mem::size_of_val(&set);
        if cpus.is_empty() {
            libc::sched_getaffinity(0, size, &mut set);
            cpus.extend((0..libc::CPU_SETSIZE as usize).filter(|&cpu| libc::CPU_ISSET(cpu, &set)));
            libc::CPU_ZERO(&mut set);
        }
        libc::CPU_SET(cpus[index % cpus.len()], &mut set);
        libc::sched_setaffinity(0, size, &set);
    }
}

/// Sets the least slack that the kernel may take for the timers of the calling thread.
pub fn no_timer_slack() {
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
}
