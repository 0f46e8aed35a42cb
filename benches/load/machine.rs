//! What the machine gives and takes: cores, open files, processor time, memory.

use rustix::thread::{CpuSet, sched_setaffinity};
use std::{fs, time::Duration};

/// Clock ticks in a second, as `/proc` counts processor time: 100 on every Linux.
const TICKS_PER_SEC: u64 = 100;

/// Keeps this thread, and what it starts from now on, on some cores.
pub(crate) fn stay_on(cores: &[usize]) {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let mut set = CpuSet::new();
    cores.iter().for_each(|core| set.set(*core));
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("cannot stay on cores {cores:?} of {available}: {error}; ratios mean little");
    }
}

/// As many open files as the system lets us have.
pub(crate) fn raise_file_limit() {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_default();
    if limit < 20_000 {
        eprintln!("only {limit} open files are allowed: the largest cases will fail");
    }
}

/// The processor time a process has used, to a hundredth of a second.
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name of the program, in brackets, may hold anything.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let both: u64 = ticks.filter_map(|word| word.parse::<u64>().ok()).sum();
    Duration::from_millis(both * 1000 / TICKS_PER_SEC)
}

/// Memory of a process that is in RAM and its own, bytes.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|rest| rest.split_ascii_whitespace().next());
    kib.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}
