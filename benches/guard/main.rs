//! Counts the instructions of the small pieces of work in `benches/work` under valgrind, and fails
//! if one needs clearly more than `figures.txt` says, or clearly less: a figure that is too high
//! would hide what is lost later. Unlike times, counts are the same on a machine that is busy.
//!
//! To be built and run by `.ci/guard`, `.ci/guard --renew` after a change that is wanted.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for developers prints and may panic"
)]

#[path = "../work/mod.rs"]
mod work;

use anyhow::{Context as _, bail, ensure};
use std::{
    collections::BTreeMap,
    env, fs,
    process::{Child, Command, ExitCode, Stdio},
};
use work::{Case, encoding, fan_out, framing, visibility};

const FIGURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/guard/figures.txt");
/// How far a count may be from its figure, in percent of the figure.
const TOLERANCE: f64 = 10.0;
/// Frames, lines, look-ups or deliveries to count for each case: enough that what differs between
/// two runs, such as the seeds of hash tables, is no more than a small part.
const ITEMS: usize = 20_000;
/// Rounds of the largest cases.
const ROUNDS_MIN: usize = 40;
/// Variants of the C library's functions that not every machine has. Without them `memcpy` is the
/// one for SSE2 everywhere; by `rep movsb` a long copy would count several times as much. The
/// processor that valgrind plays has no AVX-512.
const WITHOUT: &str = "glibc.cpu.hwcaps=-AVX2,-AVX,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,\
    -AVX_Fast_Unaligned_Load,-Fast_Unaligned_Copy,-Prefer_No_VZEROUPPER";

const HEADER: &str = "\
# Instructions of one round of each case in benches/work, as `.ci/guard` counts them on x86-64.
# After a wanted change: `.ci/guard --renew`.
";

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        _ if option_env!("MSND_GUARD").is_none() => {
            Err(anyhow::anyhow!("built otherwise than the figures are for: use .ci/guard"))
        }
        ["--rounds", rounds, of] => work_alone(rounds, of),
        [] => check(),
        ["--renew"] => renew(),
        _ => Err(anyhow::anyhow!("usage: .ci/guard [--renew]")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Compares all counts with their figures.
fn check() -> anyhow::Result<()> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        println!("guard: the figures are of another kind of machine; nothing is compared");
        return Ok(());
    }
    let mut figures = figures()?;
    let mut faults = 0;
    println!("{:>12} {:>12} {:>8}  round of", "figure", "counted", "change");
    for (name, case) in cases() {
        let counted = count(&name, case)?;
        let Some(figure) = figures.remove(&name) else {
            faults += 1;
            println!("{:>12} {counted:>12.0} {:>8}  {name}: HAS NO FIGURE", "", "");
            continue;
        };
        let change = (counted / figure - 1.0) * 100.0;
        let verdict = match change {
            more if more > TOLERANCE => ": SLOWER",
            less if less < -TOLERANCE => ": FASTER, renew the figure",
            _ => "",
        };
        faults += usize::from(!verdict.is_empty());
        println!("{figure:>12.0} {counted:>12.0} {change:>+7.1}%  {name}{verdict}");
    }
    for name in figures.keys() {
        faults += 1;
        println!("{:>35}  {name}: IS NO CASE ANY MORE", "");
    }
    ensure!(
        faults == 0,
        "{faults} of the counts differ by more than {TOLERANCE} % from benches/guard/figures.txt; \
         if that is wanted, or the compiler is another one than named there, `.ci/guard --renew`"
    );
    Ok(())
}

/// Writes all counts as the new figures.
fn renew() -> anyhow::Result<()> {
    let mut text = format!("{HEADER}# Compiler: {}\n\n", compiler()?);
    for (name, case) in cases() {
        let line = format!("{name} {:.0}\n", count(&name, case)?);
        print!("{line}");
        text.push_str(&line);
    }
    fs::write(FIGURES, text).context(FIGURES)
}

fn cases() -> impl Iterator<Item = (String, &'static Case)> {
    let groups = [
        ("framing", framing::CASES),
        ("encoding", encoding::CASES),
        ("visibility", visibility::CASES),
        ("fan_out", fan_out::CASES),
    ];
    let named = |group: &'static str| move |case: &'static Case| (format!("{group}/{case}"), case);
    groups.into_iter().flat_map(move |(group, cases)| cases.iter().map(named(group)))
}

fn figures() -> anyhow::Result<BTreeMap<String, f64>> {
    let text = fs::read_to_string(FIGURES).context(FIGURES)?;
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let figure = |line: &str| {
        let (name, figure) = line.split_once(' ').with_context(|| format!("no figure: {line}"))?;
        Ok((name.to_owned(), figure.parse()?))
    };
    lines.map(figure).collect()
}

/// The instructions of one round: what twice as many rounds need more, divided by their number. So
/// starting, setting up and the first allocations do not count.
fn count(name: &str, case: &Case) -> anyhow::Result<f64> {
    let rounds = (ITEMS / case.items).max(ROUNDS_MIN);
    let (once, twice) = (start(name, rounds)?, start(name, rounds * 2)?);
    let (once, twice) = (instructions(once)?, instructions(twice)?);
    Ok((twice - once) / rounds as f64)
}

/// Starts this program under valgrind, to do nothing but a case.
fn start(name: &str, rounds: usize) -> anyhow::Result<Child> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(env::current_exe()?).args(["--rounds", &rounds.to_string(), name]);
    valgrind.env("GLIBC_TUNABLES", WITHOUT).stderr(Stdio::piped());
    valgrind.spawn().context("cannot start valgrind; .ci/setup installs it")
}

/// The number of instructions that valgrind reports at the end.
fn instructions(child: Child) -> anyhow::Result<f64> {
    let output = child.wait_with_output()?;
    let report = String::from_utf8_lossy(&output.stderr);
    let count = report.lines().find_map(|line| line.split_once("Collected : "));
    match count {
        Some((_, count)) if output.status.success() => Ok(count.trim().parse()?),
        _ => bail!("valgrind has failed:\n{report}"),
    }
}

/// What valgrind looks at.
fn work_alone(rounds: &str, name: &str) -> anyhow::Result<()> {
    let (_, case) = cases().find(|(other, _)| other == name).context("no such case")?;
    let mut round = (case.set_up)();
    for _ in 0..rounds.parse()? {
        round();
    }
    Ok(())
}

fn compiler() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("--version").output()?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
