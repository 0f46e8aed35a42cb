//! What was measured: as a table for people and one line of JSON for each scenario.

use crate::options::Options;
use serde::Serialize;
use std::time::Duration;

/// One measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    /// Things done.
    pub(crate) count: u64,
    pub(crate) elapsed: Duration,
    /// Processor time of the server in it.
    pub(crate) cpu: Duration,
    /// What single things took, in any order.
    pub(crate) latencies: Vec<Duration>,
}

impl Sample {
    /// Things done in a second.
    pub(crate) fn rate(&self) -> f64 {
        self.count as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of the server's processor for one thing.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }

    /// So many of a hundred things took no longer, in microseconds.
    pub(crate) fn percentile_micros(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(at).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
    }
}

/// What must be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    /// A ratio of rates.
    AtLeast(f64),
    /// A ratio of times, or an amount.
    AtMost(f64),
    /// For information.
    None,
}

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// Which size or kind of the scenario.
    pub(crate) case: String,
    /// What was measured, with its unit.
    pub(crate) measure: &'static str,
    /// Of the server, the median of all rounds.
    pub(crate) server: f64,
    /// What it is compared with.
    pub(crate) against: &'static str,
    /// Of that, the median.
    pub(crate) baseline: f64,
    /// Server to baseline, the median of all rounds.
    pub(crate) ratio: f64,
    /// The ratios of the single rounds.
    pub(crate) ratios: Vec<f64>,
    pub(crate) goal: Goal,
    pub(crate) is_reached: bool,
}

impl Row {
    /// Compares round by round: `values` has the server's and the baseline's figure of each.
    pub(crate) fn compare(
        case: &str,
        measure: &'static str,
        against: &'static str,
        values: &[(f64, f64)],
        goal: Goal,
    ) -> Self {
        let ratios: Vec<_> = values.iter().map(|(server, baseline)| server / baseline).collect();
        let ratio = median(ratios.iter().copied());
        let is_reached = match goal {
            Goal::AtLeast(least) => ratio >= least,
            Goal::AtMost(most) => ratio <= most,
            Goal::None => true,
        };
        let server = median(values.iter().map(|(server, _)| *server));
        let baseline = median(values.iter().map(|(_, baseline)| *baseline));
        let case = case.to_owned();
        Self { case, measure, server, against, baseline, ratio, ratios, goal, is_reached }
    }

    /// An amount that is judged by itself; `baseline` stands beside it for orientation.
    pub(crate) fn amount(
        case: &str,
        measure: &'static str,
        against: &'static str,
        (server, baseline): (f64, f64),
        most: f64,
    ) -> Self {
        let mut row = Self::compare(case, measure, against, &[(server, baseline)], Goal::None);
        row.goal = Goal::AtMost(most);
        row.is_reached = server <= most;
        row
    }
}

/// The one in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[derive(Serialize)]
struct Told<'a> {
    scenario: &'a str,
    is_correct: bool,
    is_reached: bool,
    wrong: Option<String>,
    rows: &'a [Row],
}

/// Prints it; whether nothing was lost, wrong, or failed.
pub(crate) fn tell(scenario: &str, outcome: &anyhow::Result<Vec<Row>>, options: &Options) -> bool {
    let rows = outcome.as_deref().unwrap_or_default();
    let wrong = outcome.as_ref().err().map(|error| format!("{error:#}"));
    if !options.json {
        table(scenario, rows, wrong.as_deref());
    }
    let is_reached = wrong.is_none() && rows.iter().all(|row| row.is_reached);
    let told = Told { scenario, is_correct: wrong.is_none(), is_reached, wrong, rows };
    println!("{}", serde_json::to_string(&told).unwrap());
    outcome.is_ok()
}

fn table(scenario: &str, rows: &[Row], wrong: Option<&str>) {
    println!("\n{scenario}");
    if !rows.is_empty() {
        println!(
            "  {:<26} {:<22} {:>11} {:>11}  {:<18} {:>6}  {:<13} goal",
            "case", "measure", "server", "baseline", "which is", "ratio", "in the rounds"
        );
    }
    for row in rows {
        let spread = row
            .ratios
            .iter()
            .copied()
            .fold((f64::MAX, f64::MIN), |(low, high), ratio| (low.min(ratio), high.max(ratio)));
        let goal = match row.goal {
            Goal::AtLeast(least) => format!("≥ {least}"),
            Goal::AtMost(most) => format!("≤ {most}"),
            Goal::None => String::new(),
        };
        println!(
            "  {:<26} {:<22} {:>11} {:>11}  {:<18} {:>6.2}  {:<13} {goal}{}",
            row.case,
            row.measure,
            figure(row.server),
            figure(row.baseline),
            row.against,
            row.ratio,
            format!("{:.2} to {:.2}", spread.0, spread.1),
            if row.is_reached { "" } else { "  NOT REACHED" },
        );
    }
    if let Some(wrong) = wrong {
        println!("  WRONG: {wrong}");
    }
}

fn figure(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}") } else { format!("{value:.2}") }
}
