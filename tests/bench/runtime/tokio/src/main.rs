// SPDX-License-Identifier: GPL-2.0-only
// Tokio: the current-thread runtime where one thread is measured, the stealing one elsewhere.
mod safe_points;
mod spawning;
mod subject;
mod switching;
mod threads;
mod timing;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() < 3 {
        eprintln!("usage: {} MEASURE VARIANT [WORK]", arguments[0]);
        std::process::exit(64);
    }
    let work = arguments.get(3).map_or(1.0, |w| w.parse().expect("WORK is a number"));
    let run = subject::Run { variant: arguments[2].clone(), work };
    match arguments[1].as_str() {
        "yield" => switching::take_turns(&run),
        "ping-pong" => switching::ping_pong(&run),
        "spawn-join" => spawning::spawn_join(&run),
        "fork-join" => spawning::fork_join(&run),
        "memory" => spawning::memory(&run),
        "scaling" => spawning::scaling(&run),
        "timers" => timing::timers(&run),
        "hog" => timing::hog(&run),
        "idle" => threads::idle(&run),
        "wake" => threads::wake(&run),
        "checkpoint" => safe_points::checkpoint(&run),
        "checkpoint-loop" => safe_points::checkpoint_loop(&run),
        other => {
            eprintln!("{}: no measure {other}", arguments[0]);
            std::process::exit(64);
        }
    }
}
