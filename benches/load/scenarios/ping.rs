//! `PNG` on many connections: what one command costs.

use super::{accounts_or, compare, repeat, row, sign_in_all};
use crate::{
    accounts::{Account, Accounts},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use tokio::{task::JoinSet, time::Duration};

const CONNECTIONS: usize = 100;
/// Pings sent before the first answer is awaited.
const DEPTHS: [usize; 2] = [1, 16];

pub(super) fn accounts() -> Accounts {
    Accounts::strangers(CONNECTIONS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for depth in DEPTHS {
        let case = format!("depth {depth}");
        if !options.wants(&case) {
            continue;
        }
        let accounts = accounts_or(options, accounts)?;
        let kinds = [Kind::Server, Kind::Direct];
        let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
            measure(target, people, depth, options).await
        })
        .await?;
        let of = |measure| (case.as_str(), measure, "raw echo");
        let goal = Goal::AtLeast(0.9);
        rows.push(row(of("pings/s"), &samples, Kind::Direct, Sample::rate, goal));
        let cpu = Sample::cpu_micros;
        rows.push(row(of("processor µs/ping"), &samples, Kind::Direct, cpu, Goal::None));
    }
    Ok(rows)
}

async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    depth: usize,
    options: &Options,
) -> anyhow::Result<Sample> {
    let wires = sign_in_all(target, people).await?;
    let (answered, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut tasks = JoinSet::new();
    for mut wire in wires {
        let (answered, is_over) = (answered.clone(), is_over.clone());
        tasks.spawn(async move {
            let pings = "PNG\r\n".repeat(depth);
            while !is_over.load(Ordering::Relaxed) {
                wire.send(pings.as_bytes()).await?;
                let (mut awaited, mut challenge) = (depth as u64, None);
                while awaited > 0 {
                    wire.frames(|frame| {
                        if frame.line.starts_with(b"QNG") {
                            awaited -= 1;
                        } else if let Some(digits) = frame.line.strip_prefix(b"CHL 0 ") {
                            challenge = Some(String::from_utf8_lossy(digits).into_owned());
                        }
                        anyhow::ensure!(!frame.is_trouble(), "{:?} to PNG", frame.shown());
                        Ok(())
                    })
                    .await?;
                }
                if let Some(challenge) = challenge {
                    wire.answer(&challenge).await?;
                }
                answered.fetch_add(depth as u64, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    let turn = async || {
        let before = answered.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(answered.load(Ordering::Relaxed) - before)
    };
    let sample = repeat(target, options, turn).await?;
    is_over.store(true, Ordering::Relaxed);
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    Ok(sample)
}
